"""The distance over the whole sky: a mixture of the cells' distances."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from .distances import LineOfSight, cdf, known, mode, moments, norms, pdf
from .multiorder import Floats, SkyMap
from .regions import distance

MANY = 4000
"""Of more cells than this, those that are alike are grouped."""

WIDTH = 0.01
"""How far the cells of a group are apart: in ln of sigma, and in arcsinh of mu / sigma."""


class Mixture:
    """The distance of a source anywhere on the sky, or anywhere in some of its cells.

    Parameters
    ----------
    skymap : SkyMap
        A map with distances. Cells of unknown distance are left out. Of more than 4000 cells,
        those that are alike within a per cent are replaced by their mean: an error below 0.0001
        in probability.
    """

    def __init__(self, skymap: SkyMap) -> None:
        assert skymap.distmu is not None
        assert skymap.distsigma is not None
        good = known(skymap.distmu, skymap.distsigma) & (skymap.prob > 0)
        weight = skymap.prob[good]
        self.mu, self.sigma, self.weight = _grouped(
            skymap.distmu[good], skymap.distsigma[good], weight / weight.sum())
        self._norm = norms(self.mu, self.sigma)

    def pdf(self, r: Floats) -> Floats:
        """Return the probability per Mpc at distances, Mpc."""
        return np.array([self.weight @ pdf(x, self.mu, self.sigma, self._norm)
                         for x in np.ravel(r)]).reshape(np.shape(r))

    def cdf(self, r: Floats) -> Floats:
        """Return the probability of less than distances, Mpc."""
        return np.array([self.weight @ cdf(x, self.mu, self.sigma, self._norm)
                         for x in np.ravel(r)]).reshape(np.shape(r))

    def quantile(self, p: float) -> float:
        """Return the distance, Mpc, with a probability of less, more than 0 and less than 1."""
        mean, std = moments(self.mu, self.sigma)
        farthest = float((mean + 60 * std).max())
        return float(brentq(lambda r: self.weight @ cdf(
            r, self.mu, self.sigma, self._norm) - p, 0, farthest, rtol=1e-10))

    @property
    def mode(self) -> float:
        """The most probable distance, Mpc, on a grid of 1/5000 of the cells' range."""
        modes = mode(self.mu, self.sigma)
        # The sum is highest between the nearest and the farthest of the places of its parts.
        low, high = float(modes.min()), float(modes.max())
        for _ in range(2):
            grid = np.linspace(low, high, 101)
            best = int(np.argmax(self.pdf(grid)))
            low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, 100)])
        return float(grid[best])


def marginal(skymap: SkyMap) -> LineOfSight | None:
    """Return the distance over the whole sky.

    Parameters
    ----------
    skymap : SkyMap
        The map.

    Returns
    -------
    LineOfSight or None
        None if the map has no distances.
    """
    far = distance(skymap)
    if far is None:
        return None
    mixture = Mixture(skymap)
    lower, median, upper = (mixture.quantile(p) for p in (0.05, 0.5, 0.95))
    return LineOfSight(far.mean, far.std, median, lower, upper, mixture.mode)


def _grouped(mu: Floats, sigma: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Return fewer cells: of those that are alike, their mean."""
    if len(mu) <= MANY:
        return mu, sigma, weight
    key = (np.round(np.log(sigma) / WIDTH).astype(np.int64) << 20) + np.round(
        np.arcsinh(mu / sigma) / WIDTH).astype(np.int64)
    order = np.argsort(key)
    first = np.flatnonzero(np.diff(key[order], prepend=key[order[0]] - 1))
    total = np.add.reduceat(weight[order], first)
    return (np.add.reduceat((mu * weight)[order], first) / total,
            np.add.reduceat((sigma * weight)[order], first) / total, total)
