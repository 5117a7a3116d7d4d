"""Regions of a sky map: credible areas and levels, most probable position, distance."""

from __future__ import annotations

from typing import NamedTuple

import healpy as hp
import numpy as np
import numpy.typing as npt

from .distances import known, moments
from .multiorder import Floats, SkyMap, centres
from .ranking import check_levels, densest_first, ranking

__all__ = [
    "Distance", "Position", "centre", "credible_areas", "credible_level_at", "credible_levels",
    "densest_first", "distance", "mean_position", "most_probable",
]


class Position(NamedTuple):
    """A position, degrees (ICRS)."""

    ra: float
    dec: float


class Distance(NamedTuple):
    """Mean and standard deviation of a distance, Mpc."""

    mean: float
    std: float


def credible_areas(skymap: SkyMap, levels: npt.ArrayLike) -> Floats:
    """Return the areas of the smallest regions that hold given probabilities.

    Cells are taken by falling density until the level is reached; of the last cell only the
    needed fraction counts (linear interpolation from zero, as ``ligo-skymap-stats`` does).

    Parameters
    ----------
    skymap : SkyMap
        The map.
    levels : array_like
        Probabilities between 0 and 1.

    Returns
    -------
    ndarray
        Areas in square degrees, of the shape of `levels`.

    Raises
    ------
    SkyMapError
        If a level is not between 0 and 1.
    """
    return ranking(skymap).areas(check_levels(levels))


def credible_levels(skymap: SkyMap) -> Floats:
    """Return for each cell the probability of the smallest region that includes all of it."""
    return ranking(skymap).levels


def credible_level_at(skymap: SkyMap, ra: npt.ArrayLike, dec: npt.ArrayLike) -> Floats:
    """Return the probability of the smallest region that just reaches given positions.

    The cell at the position counts as a whole. Where the map is true, the result is uniformly
    distributed for the true positions.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    ra, dec : array_like
        Positions in degrees, right ascension modulo 360.

    Raises
    ------
    SkyMapError
        If a position is not on the sphere.
    """
    return np.asarray(credible_levels(skymap)[skymap.find(ra, dec)], np.float64)


def most_probable(skymap: SkyMap) -> Position:
    """Return the centre of the densest cell, in degrees.

    Where several cells are equally dense, the one nearest to the middle of them all is taken.
    """
    best = np.flatnonzero(skymap.probdensity == skymap.probdensity.max())
    vectors = skymap.vectors[best]
    middle = skymap.area[best] @ vectors
    return _position(vectors[np.argmax(vectors @ middle)])


def centre(skymap: SkyMap, cell: int) -> Position:
    """Return the position of the centre of a cell."""
    return _position(centres(skymap.level[cell], skymap.ipix[cell]))


def mean_position(skymap: SkyMap) -> Position | None:
    """Return the direction of the mean of the unit vectors, or None where it has none.

    A map that is the same in all directions, as a uniform one, has no mean.
    """
    mean = skymap.prob @ skymap.vectors
    return _position(mean) if float(np.linalg.norm(mean)) > 1e-9 else None


def _position(vector: Floats) -> Position:
    ra, dec = hp.vec2ang(vector, lonlat=True)
    return Position(float(ra[0]) % 360.0, float(dec[0]))


def distance(skymap: SkyMap) -> Distance | None:
    """Return mean and standard deviation of the distance over the whole sky, or None.

    With p(r|n) = N / (sqrt(2 pi) sigma) exp(-(r - mu)^2 / (2 sigma^2)) r^2 for r >= 0
    (Singer et al. 2016, ApJL 829, L15, equation 1), the moments of one cell are
    <r> = I3 / I2 and <r^2> = I4 / I2, where In is the integral of r^n times the Gaussian over
    r >= 0. Those of the sky are their means over the probability of the cells. Cells whose
    parameters are not finite tell nothing and are left out.
    """
    if skymap.distmu is None or skymap.distsigma is None:
        return None
    good = known(skymap.distmu, skymap.distsigma) & (skymap.prob > 0)
    weight = skymap.prob[good]
    if not weight.sum() > 0:
        return None
    weight = weight / weight.sum()
    means, stds = moments(skymap.distmu[good], skymap.distsigma[good])
    mean = float(weight @ means)
    # Not the mean square less the square of the mean, which cancel for a narrow distance.
    variance = float(weight @ (np.square(stds) + np.square(means - mean)))
    return Distance(mean, float(np.sqrt(variance)))
