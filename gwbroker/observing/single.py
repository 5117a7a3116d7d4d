"""Single: the one pointing that holds the most probability."""

from __future__ import annotations

import numpy as np

from ..skymap.multiorder import Floats, SkyMap
from ..skymap.regions import credible_areas
from .fields import Fields
from .horizon import degrees
from .pieces import Pieces, healpix_level, region
from .telescopes import Telescope

BUDGET = 200_000
"""Most pieces that are looked at."""


def best_pointing(skymap: SkyMap, telescope: Telescope, level: float) -> Fields | None:
    """Return the pointing that alone holds a probability, or None if none does.

    No field smaller than the credible area can. The search begins at the middle of the
    probability and at the densest place, and goes uphill in steps that are halved from a quarter
    of the field to a hundredth.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    telescope : Telescope
        For its field of view.
    level : float
        The probability to hold.
    """
    if credible_areas(skymap, [level])[0] > _area(telescope):
        return None
    deepest = healpix_level(telescope.narrowest / 32)
    pieces = region(skymap, min(1.0, (level + 1) / 2))
    densest = pieces.vectors[0]
    pieces = pieces.merge(deepest + 1)
    while pieces.parts(deepest).sum() > BUDGET and deepest > 0:
        deepest -= 1
    pieces = pieces.split(deepest)
    starts = [pieces.prob @ pieces.vectors, densest]
    found = max((_climb(pieces, telescope, start) for start in starts
                 if np.linalg.norm(start) > 1e-9), key=lambda each: each[0])
    if found[0] < level:
        return None
    ra, dec = degrees(found[1][np.newaxis])
    return Fields(("single",), ra, dec)


def _climb(pieces: Pieces, telescope: Telescope, start: Floats) -> tuple[float, Floats]:
    """Return the probability and the centre of the best pointing near a place."""
    centre = start / np.linalg.norm(start)
    best = _held(pieces, telescope, centre[np.newaxis])[0]
    step = np.radians(telescope.narrowest) / 4
    while step > np.radians(telescope.narrowest) / 100:
        ra, dec = degrees(centre[np.newaxis])
        here = Fields(("",), ra, dec)
        turn = np.arange(8) * np.pi / 4
        tried = (here.vectors + step * (np.cos(turn)[:, np.newaxis] * here.north
                                        + np.sin(turn)[:, np.newaxis] * here.east))
        tried /= np.linalg.norm(tried, axis=1)[:, np.newaxis]
        held = _held(pieces, telescope, tried)
        if held.max() > best + 1e-9:
            best, centre = held.max(), tried[int(np.argmax(held))]
        else:
            step /= 2
    return float(best), centre


def _held(pieces: Pieces, telescope: Telescope, centres: Floats) -> Floats:
    ra, dec = degrees(centres)
    fields = Fields(tuple("" for _ in ra), ra, dec)
    held = []
    for here, north, east in zip(fields.vectors, fields.north, fields.east, strict=True):
        inside = telescope.inside(*(pieces.vectors @ axis for axis in (north, east, here)))
        held.append(pieces.prob[inside].sum())
    return np.array(held)


def _area(telescope: Telescope) -> float:
    """Return the most sky that the field can hold, deg2: that of the tangent plane."""
    if telescope.radius:
        return float(2 * np.pi * (1 - np.cos(np.radians(telescope.radius))) * (180 / np.pi) ** 2)
    return telescope.width * telescope.height
