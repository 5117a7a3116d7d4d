"""Bounds of the numbers that maps are made from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError

Floats = npt.NDArray[np.float64]

FINEST = 1e-6
"""Smallest radius of a map, degrees (4 milliarcseconds, nine of the deepest cells)."""


def check(name: str, value: float, low: float, high: float) -> float:
    """Return a number that lies from `low` to `high`.

    Raises
    ------
    SkyMapError
        Naming the parameter and the value; not-a-number is refused.
    """
    number = _number(name, value)
    if not low <= number <= high:
        raise SkyMapError(name, f"{number:g} is not from {low:g} to {high:g}")
    return number


def check_containment(value: float) -> float:
    """Return a probability that lies between 0 and 1, without its ends."""
    number = _number("containment", value)
    if not 0 < number < 1:
        raise SkyMapError("containment", f"{number:g} is not between 0 and 1")
    return number


def check_radius(name: str, value: float) -> float:
    """Return a radius in degrees: more than 0, at most 180."""
    number = _number(name, value)
    if not 0 < number <= 180:
        raise SkyMapError(name, f"{number:g} is not more than 0 and at most 180")
    if number < FINEST:
        raise SkyMapError(name, f"{number:g} is finer than a sky map can show, {FINEST:g}")
    return number


def check_position(ra: float, dec: float) -> tuple[float, float]:
    """Return a position in degrees that is on the sphere."""
    return check("ra", ra, 0, 360), check("dec", dec, -90, 90)


def check_sphere(ra: npt.ArrayLike, dec: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return positions in degrees that are on the sphere; right ascension goes around.

    Raises
    ------
    SkyMapError
        Naming the coordinate and its first bad value.
    """
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    if not np.isfinite(ra).all():
        raise SkyMapError("ra", f"{ra[~np.isfinite(ra)].flat[0]} is not a finite number")
    if not (np.abs(dec) <= 90).all():
        raise SkyMapError("dec", f"{dec[~(np.abs(dec) <= 90)].flat[0]} is not within -90 and 90")
    return ra, dec


def _number(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise SkyMapError(name, f"{value!r:.60} is not a number") from None
    if math.isnan(number):
        raise SkyMapError(name, "nan is not a number")
    return number
