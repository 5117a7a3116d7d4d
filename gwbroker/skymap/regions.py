"""Regions of a sky map: credible areas and levels, most probable position, distance."""

from __future__ import annotations

from typing import NamedTuple

import healpy as hp
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from ..errors import SkyMapError
from .multiorder import SQUARE_DEGREE, Floats, Ints, SkyMap


class Position(NamedTuple):
    """A position, degrees (ICRS)."""

    ra: float
    dec: float


class Distance(NamedTuple):
    """Mean and standard deviation of a distance, Mpc."""

    mean: float
    std: float


def densest_first(skymap: SkyMap) -> Ints:
    """Return the indices of the cells by falling density; equal ones keep the sky's order."""
    return np.asarray(np.argsort(-skymap.probdensity, kind="stable"), np.int64)


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
    wanted = np.asarray(levels, dtype=np.float64)
    bad = ~((wanted >= 0) & (wanted <= 1))
    if bad.any():
        raise SkyMapError(
            "levels", f"a credible level lies between 0 and 1, not {wanted[bad].flat[0]}"
        )
    order = densest_first(skymap)
    prob = np.concatenate([[0.0], np.cumsum(skymap.prob[order])])
    area = np.concatenate([[0.0], np.cumsum(skymap.area[order])]) * SQUARE_DEGREE
    return np.asarray(np.interp(wanted * prob[-1], prob, area), np.float64)


def credible_levels(skymap: SkyMap) -> Floats:
    """Return for each cell the probability of the smallest region that includes all of it."""
    order = densest_first(skymap)
    levels = np.empty(skymap.cells)
    levels[order] = np.cumsum(skymap.prob[order])
    return np.asarray(np.minimum(levels / levels[order[-1]], 1.0), np.float64)


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
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    if not np.isfinite(ra).all():
        raise SkyMapError("ra", f"{ra[~np.isfinite(ra)].flat[0]} is not a finite number")
    if not (np.abs(dec) <= 90).all():
        raise SkyMapError("dec", f"{dec[~(np.abs(dec) <= 90)].flat[0]} is not within -90 and 90")
    return np.asarray(credible_levels(skymap)[skymap.find(ra, dec)], np.float64)


def most_probable(skymap: SkyMap) -> Position:
    """Return the centre of the densest cell, in degrees.

    Where several cells are equally dense, the one nearest to the middle of them all is taken.
    """
    best = np.flatnonzero(skymap.probdensity == skymap.probdensity.max())
    vectors = skymap.vectors[best]
    middle = skymap.area[best] @ vectors
    ra, dec = hp.vec2ang(vectors[np.argmax(vectors @ middle)], lonlat=True)
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
    mu, sigma = skymap.distmu, skymap.distsigma
    good = np.isfinite(mu) & np.isfinite(sigma) & (sigma > 0) & (skymap.prob > 0)
    weight = skymap.prob[good]
    if not weight.sum() > 0:
        return None
    weight = weight / weight.sum()
    sigma = sigma[good]
    first, second = _moment_ratios(-mu[good] / sigma)
    mean = float(weight @ (sigma * first))
    square = float(weight @ (sigma**2 * first * second))
    return Distance(mean, float(np.sqrt(max(square - mean**2, 0.0))))


def _moment_ratios(x: Floats) -> tuple[Floats, Floats]:
    """Return J3 / J2 and J4 / J3, where Jn(x) is the integral of (t - x)^n phi(t) over t > x.

    The repeated integrals of the normal density obey J(n) = -x J(n-1) + (n-1) J(n-2)
    (Abramowitz & Stegun 7.2.5). Upwards this is exact for small x; for large x it cancels,
    and the ratios come from the continued fraction J(n) / J(n-1) = n / (x + J(n+1) / J(n)).
    """
    near = np.minimum(x, 2.0)
    phi = np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi)
    j = [ndtr(-near)]
    j.append(phi - near * j[0])
    for n in range(2, 5):
        j.append(-near * j[n - 1] + (n - 1) * j[n - 2])
    far = np.maximum(x, 2.0)
    ratio = np.sqrt(far)
    ratios: dict[int, Floats] = {}
    for n in range(60, 2, -1):
        ratio = n / (far + ratio)
        ratios[n] = ratio
    small = x < 2.0
    return (
        np.where(small, j[3] / j[2], ratios[3]),
        np.where(small, j[4] / j[3], ratios[4]),
    )
