"""Chance: how likely what was found would be found if nothing were behind it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def host_chance(magnitude: npt.ArrayLike, offset: npt.ArrayLike) -> Floats:
    """Return the probability that some galaxy as bright lies as near by chance.

    P = 1 - exp(-pi r^2 sigma(m)), with the number of galaxies per square arcsecond that are
    brighter than m in the R band, sigma(m) = 10^(0.33 (m - 24) - 2.44) / (0.33 ln 10)
    (Bloom, Kulkarni & Djorgovski 2002, AJ 123, 1111, equations 1 to 3).

    Parameters
    ----------
    magnitude : array_like
        R magnitude of the galaxy.
    offset : array_like
        Its distance from the position, or the error of the position if that is larger,
        arcseconds.

    Returns
    -------
    ndarray
        Between 0 and 1; small means that the galaxy is probably the host. Not-a-number where
        something is not known, or the offset is negative.
    """
    m, r = np.asarray(magnitude, np.float64), np.asarray(offset, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        sigma = 10 ** (0.33 * (m - 24) - 2.44) / (0.33 * np.log(10))
        found = -np.expm1(-np.pi * r**2 * sigma)
    return np.asarray(np.where((r >= 0) & np.isfinite(m), found, np.nan), np.float64)


def after_trials(chance: npt.ArrayLike, trials: int) -> Floats:
    """Return the probability that the best of several independent tries is at least as good.

    1 - (1 - p)^n (Sidak 1967, J. Am. Stat. Assoc. 62, 626), without loss of digits for small p.

    Parameters
    ----------
    chance : array_like
        The probability p for one.
    trials : int
        How many there were.
    """
    p = np.asarray(chance, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(trials * np.log1p(-p)), np.float64)
