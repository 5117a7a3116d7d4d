"""Grid: fields in bands of declination that leave no gap on the whole sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..skymap.multiorder import Floats
from .fields import Fields
from .horizon import degrees
from .telescopes import Telescope


@dataclass(frozen=True)
class Band:
    """Fields of one declination, evenly spaced.

    Parameters
    ----------
    low : float
        Declination from which it covers the sky, up to the next band; degrees.
    dec : float
        Of the centres, degrees.
    number : int
        Of fields.
    """

    low: float
    dec: float
    number: int


def box(telescope: Telescope) -> tuple[float, float]:
    """Return tangents of half width (east-west) and height of the upright box in the field.

    A circle and a turned rectangle cannot be put in bands without gaps; the largest upright
    rectangle within them can.
    """
    if telescope.radius:
        side = float(np.tan(np.radians(telescope.radius)) / np.sqrt(2))
        return side, side
    x, y = np.tan(np.radians([telescope.width / 2, telescope.height / 2]))
    turn = np.radians(telescope.angle)
    sin, cos = abs(float(np.sin(turn))), abs(float(np.cos(turn)))
    if sin < 1e-9:
        return float(x), float(y)
    if cos < 1e-9:
        return float(y), float(x)
    a = np.linspace(0, min(x / cos, y / sin), 2001)[1:-1]
    b = np.minimum((x - a * cos) / sin, (y - a * sin) / cos)
    best = int(np.argmax(a * b))
    return float(a[best]), float(b[best])


def bands(telescope: Telescope) -> list[Band]:
    """Return the bands from the equator to the north pole; the southern ones mirror them.

    The edges of a field are great circles in the tangent plane. With a centre at declination d0,
    the upper one passes tan(d) = tan(d0 + h/2) cos(D) at hour angle D from the centre, which is
    where two neighbours leave a gap; the width is least at the lower edge, where
    sin(D) = a (sin(d0) tan(d) + cos(d0) cos(D)) with a the tangent of half the width.
    """
    a, b = box(telescope)
    half = float(np.arctan(b))
    polar = np.pi / 2 - float(np.arctan(min(a, b)))
    number = _number(a, 0.0, 0.0)
    found = [Band(0.0, 0.0, number)]
    low = _top(half, number)
    while low < polar:
        top = min(low + 2 * half, np.pi / 2 - 1e-3)
        dec = top - half if top == low + 2 * half else max(top - half, low)
        number = _number(a, dec, low)
        # Near the pole few wide fields would reach no further up than their lower edge.
        while _top(top, number) - low < 0.5 * (top - low):
            number += 1
        found.append(Band(float(np.degrees(low)), float(np.degrees(dec)), number))
        low = _top(top, number)
    found.append(Band(float(np.degrees(low)), 90.0, 1))
    return found


def _top(edge: float, number: int) -> float:
    """Return up to which declination (rad) neighbours meet."""
    if number < 3:
        return -np.inf
    return float(np.arctan(np.tan(edge) * np.cos(np.pi / number)))


def _number(a: float, dec: float, low: float) -> int:
    """Return how many fields close a band."""
    cos = a * np.cos(dec)
    size = np.hypot(1, cos)
    wide = np.arctan(cos) + np.arcsin(min(a * np.sin(dec) * np.tan(low) / size, 1.0))
    return max(3, int(np.ceil(np.pi / wide - 1e-9)))


def covering(telescope: Telescope, vectors: Floats) -> Fields:
    """Return the fields of the grid that are needed to cover directions, shape (N, 3).

    They are named by band and number in it, as ``n3-17``; the same sky always has the same ones.
    """
    rows = bands(telescope)
    ra, dec = degrees(vectors)
    row = np.searchsorted([band.low for band in rows], np.abs(dec), side="right") - 1
    numbers = np.array([band.number for band in rows])
    place = np.rint(ra * numbers[row] / 360).astype(np.int64) % numbers[row]
    south = (dec < 0) & (row > 0)
    most = int(numbers.max())
    keys = np.unique(np.where(south, -row, row) * most + place)
    band, place = np.divmod(keys, most)
    centre = np.array([each.dec for each in rows])[np.abs(band)] * np.where(band < 0, -1, 1)
    names = tuple(f"{'s' if b < 0 else 'n'}{abs(b)}-{p}"
                  for b, p in zip(band.tolist(), place.tolist(), strict=True))
    return Fields(names, place * 360 / numbers[np.abs(band)], centre)
