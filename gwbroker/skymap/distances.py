"""Distances: the ansatz of each cell, its moments, quantiles and inverse; lines of sight.

The probability of a distance r >= 0 in a cell is
p(r) = N / (sqrt(2 pi) sigma) exp(-(r - mu)^2 / (2 sigma^2)) r^2 (Singer et al. 2016, ApJL 829,
L15, equation 1; Supplement ApJS 226, 10). All functions take arrays that go together or
numbers, and Mpc. Where mu or sigma is not finite (or beyond 1e15 Mpc), or sigma is not positive,
nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import ansatz
from .multiorder import Floats, SkyMap

LEAST_RATIO = float(np.sqrt(3))
"""Mean over standard deviation of the widest ansatz: a Gamma distribution, mu to -infinity."""

FARTHEST = 1e15
"""Mpc; a mu or sigma beyond, or a sigma below its inverse, is no distance but damage."""

_STEEPEST = -36.0
"""The least mu over sigma of `parameters`: below, the norm does not fit into a number."""


def moments(mu: npt.ArrayLike, sigma: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the distance in cells.

    Parameters
    ----------
    mu, sigma : array_like
        Parameters of the ansatz, Mpc.

    Returns
    -------
    mean, std : ndarray
        Mpc; both infinite where nothing is known.
    """
    mu, sigma = _arrays(mu, sigma)
    mean, std = np.full(mu.shape, np.inf), np.full(mu.shape, np.inf)
    good = known(mu, sigma)
    first, variance, _ = ansatz.standard(mu[good] / sigma[good])
    mean[good] = sigma[good] * first
    std[good] = sigma[good] * np.sqrt(variance)
    return mean, std


def parameters(mean: npt.ArrayLike, std: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the ansatz that has a given mean and standard deviation: the inverse of `moments`.

    No ansatz has a mean below sqrt(3) standard deviations. There, and where a value is not a
    positive number, the result is mu = inf, sigma = 1, norm = 0: nothing is known, as BAYESTAR
    writes it. From there to 1.7347 mu stays at -36 sigma, the mean is exact and the deviation
    within 0.2 %, because the norm would not fit into a number.

    Parameters
    ----------
    mean, std : array_like
        Mpc.

    Returns
    -------
    mu, sigma, norm : ndarray
        Mpc, Mpc and Mpc^-2.
    """
    mean, std = _arrays(mean, std)
    mu, sigma, norm = np.full(mean.shape, np.inf), np.ones(mean.shape), np.zeros(mean.shape)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = mean / std
    good = (ratio > LEAST_RATIO) & (mean <= FARTHEST) & (std >= 1 / FARTHEST)
    z = _invert(ratio[good])
    first, _, _ = ansatz.standard(z)
    sigma[good] = mean[good] / first
    mu[good] = z * sigma[good]
    norm[good] = np.exp(-ansatz.log_weight(z)) / np.square(sigma[good])
    return mu, sigma, norm


def _invert(ratio: Floats) -> Floats:
    """Return z = mu / sigma for mean over standard deviation, by Newton's method."""
    known_ratio, known_z = ansatz.table()
    # Far from zero, mean / std = z + 3 / z + O(z^-3).
    z = np.where(ratio < known_ratio[-1], np.interp(ratio, known_ratio, known_z),
                 ratio - 3 / ratio)
    for _ in range(3):
        mean, variance, third = ansatz.standard(z)
        std = np.sqrt(variance)
        slope = std - 0.5 * mean * third / (variance * std)
        z = np.maximum(z - (mean / std - ratio) / slope, _STEEPEST)
    return np.asarray(z, np.float64)


def norms(mu: npt.ArrayLike, sigma: npt.ArrayLike) -> Floats:
    """Return the norm, Mpc^-2, with which the ansatz integrates to one; 0 where none is known."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(log_norms(mu, sigma)), np.float64)


def log_norms(mu: npt.ArrayLike, sigma: npt.ArrayLike) -> Floats:
    """Return the natural logarithm of `norms`; minus infinity where none is known."""
    mu, sigma = _arrays(mu, sigma)
    log = np.full(mu.shape, -np.inf)
    good = known(mu, sigma)
    log[good] = -ansatz.log_weight(mu[good] / sigma[good]) - 2 * np.log(sigma[good])
    return log


def known(mu: Floats, sigma: Floats) -> npt.NDArray[np.bool_]:
    """Tell where a distance is known: finite, of a size that a cube of it is a number as well."""
    good: npt.NDArray[np.bool_] = (np.abs(mu) <= FARTHEST) & (sigma <= FARTHEST) & (
        sigma >= 1 / FARTHEST)
    return good


def pdf(
    r: npt.ArrayLike, mu: npt.ArrayLike, sigma: npt.ArrayLike, norm: npt.ArrayLike,
) -> Floats:
    """Return the probability per Mpc at distances; 0 below zero and where nothing is known.

    Parameters
    ----------
    r : array_like
        Distances, Mpc.
    mu, sigma, norm : array_like
        The ansatz, Mpc, Mpc and Mpc^-2; the norm is taken as it is.
    """
    r, mu, sigma, norm = _arrays(r, mu, sigma, norm)
    density = np.zeros(r.shape)
    good = known(mu, sigma) & (r >= 0) & np.isfinite(r) & (norm > 0) & np.isfinite(norm)
    t, s = r[good], sigma[good]
    # In one exponent, because for mu far below zero its parts are too large and too small.
    density[good] = t**2 / (np.sqrt(2 * np.pi) * s) * np.exp(
        np.log(norm[good]) - 0.5 * np.square((t - mu[good]) / s))
    density[np.isnan(r)] = np.nan
    return density


def cdf(
    r: npt.ArrayLike, mu: npt.ArrayLike, sigma: npt.ArrayLike, norm: npt.ArrayLike,
) -> Floats:
    """Return the probability of less than given distances; 0 where nothing is known.

    Parameters
    ----------
    r : array_like
        Distances, Mpc; may be infinite.
    mu, sigma, norm : array_like
        The ansatz. A norm that is not quite the right one, as after rounding to 32 bits, is
        made right, so that the whole is one; a norm of 0 means that nothing is known.
    """
    r, mu, sigma, norm = _arrays(r, mu, sigma, norm)
    found = np.zeros(r.shape)
    good = known(mu, sigma) & (r > 0) & (norm > 0)
    found[good] = ansatz.below(*_scale(r[good], mu[good], sigma[good]))
    found[np.isnan(r)] = np.nan
    return found


def quantile(
    p: npt.ArrayLike, mu: npt.ArrayLike, sigma: npt.ArrayLike, norm: npt.ArrayLike,
) -> Floats:
    """Return the distances with given probabilities of less: the inverse of `cdf`.

    Parameters
    ----------
    p : array_like
        Probabilities from 0 (distance 0) to 1 (infinity); others give not-a-number.
    mu, sigma, norm : array_like
        The ansatz; not-a-number comes back where nothing is known.
    """
    p, mu, sigma, norm = _arrays(p, mu, sigma, norm)
    found = np.full(p.shape, np.nan)
    good = known(mu, sigma) & (norm > 0) & (p >= 0) & (p <= 1)
    scale, z = _scale(np.ones(int(good.sum())), mu[good], sigma[good])
    found[good] = _solve(p[good], z) / scale
    return found


def _solve(p: Floats, z: Floats) -> Floats:
    """Return t with the probability p below: Newton's method, kept in its bracket."""
    mean, variance, _ = ansatz.standard(z)
    std = np.sqrt(variance)
    low, high = np.zeros_like(p), mean + 50 * std
    t = mean.copy()
    log_weight = ansatz.log_weight(z)
    active = np.flatnonzero((p > 0) & (p < 1))
    for _ in range(100):
        if len(active) == 0:
            break
        x = t[active]
        error = ansatz.below(x, z[active]) - p[active]
        low[active] = np.where(error < 0, x, low[active])
        high[active] = np.where(error > 0, x, high[active])
        slope = x**2 / np.sqrt(2 * np.pi) * np.exp(
            -log_weight[active] - 0.5 * np.square(x - z[active]))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            new = x - error / slope
        inside = (new > low[active]) & (new < high[active])
        new = np.where(inside, new, (low[active] + high[active]) / 2)
        t[active] = new
        active = active[np.abs(new - x) > 1e-11 * std[active] + 4e-16 * new]
    t[p == 0], t[p == 1] = 0, np.inf
    return t


def mode(mu: npt.ArrayLike, sigma: npt.ArrayLike) -> Floats:
    """Return the most probable distance, Mpc; not-a-number where nothing is known.

    The derivative of r^2 exp(-(r - mu)^2 / (2 sigma^2)) is zero at
    (mu + sqrt(mu^2 + 8 sigma^2)) / 2.
    """
    mu, sigma = _arrays(mu, sigma)
    found = np.full(mu.shape, np.nan)
    good = known(mu, sigma)
    m, s = mu[good], sigma[good]
    root = np.hypot(m, np.sqrt(8) * s)
    # The sum of mu and the root cancels for negative mu; their product is 8 sigma^2.
    found[good] = np.where(m > 0, (m + root) / 2, 4 * s * (s / (root - np.minimum(m, 0))))
    return found


def _scale(r: Floats, mu: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Return r and mu in units of sigma; far below zero, of what gives the same slope."""
    z = mu / sigma
    steep = np.maximum(z / ansatz.STEEPEST, 1)
    return r / sigma * steep, np.maximum(z, ansatz.STEEPEST)


def _arrays(*values: npt.ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(v, np.float64) for v in values)))


@dataclass(frozen=True)
class LineOfSight:
    """What is known about a distance, Mpc.

    Parameters
    ----------
    mean, std : float
        Mean and standard deviation.
    median : float
        As often nearer as farther.
    lower, upper : float
        5 % and 95 % quantiles.
    mode : float
        The most probable distance.
    """

    mean: float
    std: float
    median: float
    lower: float
    upper: float
    mode: float


def along(skymap: SkyMap, ra: float, dec: float) -> LineOfSight | None:
    """Return the distance along a line of sight, given that the source is there.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    ra, dec : float
        Position, degrees.

    Returns
    -------
    LineOfSight or None
        None if the map has no distances, or none there.

    Raises
    ------
    SkyMapError
        If the position is not on the sphere.
    """
    cell = int(skymap.find(ra, dec))
    if skymap.distmu is None or skymap.distsigma is None:
        return None
    mu, sigma = skymap.distmu[cell], skymap.distsigma[cell]
    mean, std = moments(mu, sigma)
    if not np.isfinite(mean):
        return None
    lower, median, upper = quantile([0.05, 0.5, 0.95], mu, sigma, 1.0)
    return LineOfSight(float(mean), float(std), float(median), float(lower), float(upper),
                       float(mode(mu, sigma)))
