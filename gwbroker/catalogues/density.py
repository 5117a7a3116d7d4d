"""Density: how probable the place of each galaxy is, on the sky and in space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from ..skymap.distances import known, log_norms
from ..skymap.multiorder import Floats, Ints, SkyMap
from ..skymap.regions import credible_levels
from ..skymap.volume import Volume

Mask = npt.NDArray[np.bool_]

_FARTHEST = 60.0
"""Sigmas beyond which the densest cell is thinner than any region worth asking for."""

_ROUNDING = 1e-9
"""What the logarithm of a density may be off when it is computed in another way."""

_ROUGH = 1e-5
"""Relative error of distances to which galaxies are sorted out; 32 bits are better."""

_SLACK = float(2 * np.log(2))
"""What the cut at zero distance can add to twice the logarithm of a mean density."""


class Density:
    """The density of a map at galaxies, and whether they are in a credible region.

    In a cell of density rho per steradian the density per volume at distance r is
    p(r) = rho N / (sqrt(2 pi) sigma) exp(-(r - mu)^2 / (2 sigma^2)) (Singer et al. 2016, ApJL
    829, L15). For a galaxy at d +- s, whose distance r >= 0 has a Gaussian distribution g(r),
    the mean of it is, because the product of two Gaussians is one,

    integral p(r) g(r) dr = rho N / sqrt(2 pi (sigma^2 + s^2))
    exp(-(d - mu)^2 / (2 (sigma^2 + s^2))) Phi(m / v) / Phi(d / s),

    with m = (d sigma^2 + mu s^2) / (sigma^2 + s^2) and v^2 = sigma^2 s^2 / (sigma^2 + s^2).

    A galaxy is in the region of a level if the density at d or the mean density is at least
    that at the region's edge. For a map without distances, or of which none is known, it is if
    its cell is.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    level : float
        Probability of the region; 1 is everywhere.
    """

    def __init__(self, skymap: SkyMap, level: float) -> None:
        self.skymap, self.level = skymap, level
        self.levels = credible_levels(skymap)
        self.known: Mask = np.zeros(skymap.cells, bool)
        volume = Volume(skymap) if skymap.has_distance else None
        # Distances that are all infinite say as little as none.
        self.volume = volume if volume is not None and volume.known > 0 else None
        if self.volume is None:
            self.inside: Mask = (self.levels <= level) & (skymap.prob > 0)
            if level < 1 and not self.inside.any():
                # A region smaller than one cell is in the densest.
                self.inside = self.levels == self.levels.min()
            return
        assert skymap.distmu is not None
        assert skymap.distsigma is not None
        self.known = known(skymap.distmu, skymap.distsigma) & (skymap.prob > 0)
        self._mu = np.where(self.known, skymap.distmu, 0.0)
        self._sigma = np.where(self.known, skymap.distsigma, 1.0)
        with np.errstate(divide="ignore"):
            # Not the norm itself, which does not fit into a number where mu is far below zero.
            self._height = np.where(
                self.known, np.log(skymap.probdensity) + log_norms(self._mu, self._sigma)
                - np.log(self._sigma), -np.inf) - 0.5 * np.log(2 * np.pi)
        self._precision = np.sqrt(0.5) / self._sigma
        self._edge = edge(skymap, self.volume, level)
        top = self._height - 0.5 * np.square(np.minimum(self._mu / self._sigma, 0))
        self.inside = np.isfinite(top) & (top >= self._edge)
        depth = np.full(skymap.cells, -1.0)
        depth[self.inside] = 2 * (self._height[self.inside] - self._edge) + _SLACK
        self._quick = tuple(np.asarray(a, np.float32) for a in (
            self._mu, np.square(self._sigma) + np.square(_ROUGH * self._mu), depth))

    def near(self, cell: Ints, distance: npt.NDArray[np.float32],
             error: npt.NDArray[np.float32]) -> Ints:
        """Return which galaxies may be in the region: all that are, and few others.

        Parameters
        ----------
        cell : int64, shape (N,)
            Their cells.
        distance, error : float32, shape (N,)
            Mpc; not-a-number where not known.
        """
        if self.volume is None:
            return np.flatnonzero(self.inside[cell])
        mu, square, depth = (a[cell] for a in self._quick)
        with np.errstate(invalid="ignore", over="ignore"):
            square += np.square(np.where(error > 0, error, np.float32(0)))
            # 32 bits are rough; a little more is taken than is needed.
            return np.flatnonzero(np.square(distance - mu) <= square * depth * np.float32(1.001))

    def at(self, cell: Ints, distance: Floats, error: Floats) -> tuple[Floats, Mask]:
        """Return the logarithm of the mean density at galaxies, and which are in the region.

        Parameters
        ----------
        cell : int64, shape (N,)
            Their cells.
        distance, error : float64, shape (N,)
            Mpc; not-a-number where not known.

        Returns
        -------
        log_density : float64, shape (N,)
            Of the probability per Mpc^3, or per steradian for a map without distances.
        inside : bool, shape (N,)
            Which are in the region.
        """
        if self.volume is None:
            with np.errstate(divide="ignore"):
                return np.log(self.skymap.probdensity[cell]), self.inside[cell]
        mu = self._mu[cell]
        log = self._height[cell] - np.square((distance - mu) * self._precision[cell])
        inside = log >= self._edge
        rough = np.flatnonzero(error > 0)
        if len(rough):
            cell, mu, d, s = cell[rough], mu[rough], distance[rough], error[rough]
            sigma = self._sigma[cell]
            total = np.hypot(sigma, s)
            # m / v, written so that nothing overflows.
            middle = (d * sigma / s + mu * s / sigma) / total
            log[rough] = (self._height[cell] + np.log(sigma / total)
                          - 0.5 * np.square((d - mu) / total)
                          + log_ndtr(middle) - log_ndtr(d / s))
            inside[rough] |= log[rough] >= self._edge
        inside &= np.isfinite(log) & (distance > 0)
        return log, inside

    def volume_above(self, log_density: float, farthest: float) -> float:
        """Return the volume within a distance where the map is at least as dense.

        In each cell it is what is between mu - k sigma and mu + k sigma.

        Parameters
        ----------
        log_density : float
            Logarithm of the density per Mpc^3.
        farthest : float
            Mpc.
        """
        depth = self._height - log_density
        cells = np.flatnonzero(depth >= 0)
        mu, reach = self._mu[cells], self._sigma[cells] * np.sqrt(2 * depth[cells])
        inner, outer = np.clip([mu - reach, mu + reach], 0, farthest)
        return float(self.skymap.area[cells] @ (outer**3 - inner**3)) / 3


def edge(skymap: SkyMap, volume: Volume, level: float) -> float:
    """Return the logarithm of the density per Mpc^3 at the edge of a credible volume.

    The credible level only depends on the density, so it is found by bisection along the line
    of sight through the densest place.
    """
    if level >= 1 or volume.most_probable is None:
        return -np.inf
    (ra, dec), start = volume.most_probable
    cell = int(skymap.find(ra, dec))
    assert skymap.distsigma is not None
    low, high = start, start + _FARTHEST * float(skymap.distsigma[cell])
    for _ in range(60):
        middle = 0.5 * (low + high)
        if volume.levels([cell], [middle])[0] <= level:
            low = middle
        else:
            high = middle
    # Within the region is what is at least as dense, even if it is a single place.
    with np.errstate(divide="ignore"):
        return float(np.log(volume.density([cell], [low])[0])) - _ROUNDING
