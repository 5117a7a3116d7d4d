"""Overlap: how much likelier one source is for two maps than two independent ones."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from .multiorder import Floats, SkyMap
from .sweep import Common, common

APART = 1e-3
"""Maps with a smaller overlap integral are not of one source, for all that anybody can tell."""


def overlap(a: SkyMap, b: SkyMap) -> float:
    """Return the overlap integral of two maps, I = 4 pi Int p_a p_b dOmega.

    It is the odds that two events come from one position rather than from two independent
    ones on an isotropic sky (Ashton et al. 2018, ApJ 860, 6, equation 11): 1 if either map is
    isotropic, more if they agree, 0 if they exclude each other. The sum over the cells that
    `sweep.common` finds is exact, because both densities are constant in each of them.

    Parameters
    ----------
    a, b : SkyMap
        Two maps of the whole sky, of any total: they are normalised here.

    Returns
    -------
    float
        Dimensionless.

    Raises
    ------
    SkyMapError
        If cells overlap or are missing, or a density is not finite or negative.
    """
    cells = common(a, b)
    return integral(a, b, cells, a.probdensity[cells.ia] * b.probdensity[cells.ib])


def integral(a: SkyMap, b: SkyMap, cells: Common, both: Floats) -> float:
    """Return the overlap integral of two maps; `both` is their product in the common cells.

    Raises
    ------
    SkyMapError
        As `overlap`.
    """
    whole = total("the first map", a) * total("the second map", b)
    for each in (a, b):
        if (each.probdensity == each.probdensity[0]).all():
            # A map that knows nothing: not nearly 1, as the rounded sum would be.
            return 1.0
    return 4 * math.pi * float((cells.area * both).sum()) / whole


def overlap_at(skymap: SkyMap, ra: npt.ArrayLike, dec: npt.ArrayLike) -> Floats:
    """Return the overlap integral of a map with sources whose positions are known, 4 pi p.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    ra, dec : array_like
        Positions, degrees (ICRS).

    Returns
    -------
    ndarray
        Dimensionless, of the shape of the positions.

    Raises
    ------
    SkyMapError
        If a position is not on the sphere.
    """
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    for name, good, values in (("ra", np.isfinite(ra), ra), ("dec", np.abs(dec) <= 90, dec)):
        if not good.all():
            raise SkyMapError(name, f"{values[~good].flat[0]} is not a position in degrees")
    density: Floats = skymap.probdensity[skymap.find(ra, dec)]
    return 4 * math.pi * density / total("the map", skymap)


def total(name: str, skymap: SkyMap) -> float:
    """Return the total probability; refuse a map that has none or is not one."""
    density = skymap.probdensity
    bad = ~(np.isfinite(density) & (density >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise SkyMapError(
            name, f"{density[row]} in row {row} is not a probability density", "PROBDENSITY"
        )
    probability = float(skymap.prob.sum())
    if not probability > 0:
        raise SkyMapError(name, "the map sums to 0", "PROBDENSITY")
    return probability
