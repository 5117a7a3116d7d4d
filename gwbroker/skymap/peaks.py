"""Peaks: the Gaussians in distance of many cells, and what of them is above a density."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from . import ansatz
from .multiorder import Floats

CHUNK = 1 << 16
"""How many cells are worked on at a time, so that memory stays small."""

GONE = 20.0
"""A cell is complete where the threshold is below its peak by this much, as a logarithm."""

STEEP = -2.0
"""Below this z, differences cancel, and `ansatz.below` is asked."""

WIDTH = 0.03
"""How far the peaks of a group are apart: in ln of density, and in arcsinh of mu / sigma."""


class Peaks:
    """The Gaussians in distance of many cells, by falling density where each is densest.

    Parameters
    ----------
    height : float64, shape (N,)
        ln of the density per Mpc^3 at mu.
    z : float64, shape (N,)
        mu / sigma.
    prob : float64, shape (N,)
        Probability.
    size : float64, shape (N,)
        Area (sr) times sigma^3: the unit of volume.
    """

    def __init__(self, height: Floats, z: Floats, prob: Floats, size: Floats) -> None:
        # Below zero a Gaussian does not count: for negative mu the densest place is at r = 0.
        top = height - 0.5 * np.square(np.minimum(z, 0))
        order = np.argsort(-top)
        self.top, self.height, self.z = top[order], height[order], z[order]
        self.prob, self.size = prob[order], size[order]
        self._rising = -self.top
        self.finished = np.cumsum(self.prob)
        # Not for cells with lower z, where these are too large: see _fraction.
        z = np.maximum(self.z, STEEP)
        root, square, tail = np.sqrt(0.5 / np.pi), z * z + 1, ndtr(-z)
        bell = root * z * np.exp(-0.5 * z * z)
        weight = 1 / (square * (1 - tail) + bell)
        self._square, self._weight = square * weight, root * weight
        self._cut = bell * weight - self._square * tail

    def grouped(self) -> Peaks:
        """Return fewer peaks: of those that are alike, their mean."""
        key = (np.round(self.height / WIDTH).astype(np.int64) << 20) + np.round(
            np.arcsinh(self.z) / WIDTH).astype(np.int64)
        order = np.argsort(key)
        first = np.flatnonzero(np.diff(key[order], prepend=key[order[0]] - 1))
        prob = np.add.reduceat(self.prob[order], first)

        def mean(values: Floats) -> Floats:
            return np.add.reduceat((values * self.prob)[order], first) / prob

        return Peaks(mean(self.height), mean(self.z), prob,
                     np.add.reduceat(self.size[order], first))

    def probability(self, threshold: float) -> float:
        """Return the probability where the density is above the exponential of a number."""
        first, last = np.searchsorted(self._rising, [-threshold - GONE, -threshold])
        total = float(self.finished[first - 1]) if first else 0.0
        for start in range(first, last, CHUNK):
            part = slice(start, min(start + CHUNK, last))
            # Not a product by BLAS, whose threads would wait for each other.
            total += float((self.prob[part] * self._fraction(part, threshold)).sum())
        return total

    def _fraction(self, part: slice, threshold: float) -> Floats:
        """Return the fraction of each cell's probability within k sigma of mu."""
        z = self.z[part]
        depth = self.height[part] - threshold
        k = np.sqrt(2 * depth)
        tail = self._square[part] * ndtr(-k)
        peak = self._weight[part] * np.exp(-depth)
        # Above z + k, and below z - k where that is positive: see ansatz.between.
        fraction: Floats = 1 - np.where(
            k < z, 2 * (tail + peak * k) + self._cut[part], tail + peak * (k + 2 * z))
        steep = z < STEEP
        if steep.any():
            fraction[steep] = ansatz.below(np.maximum(k[steep] + z[steep], 0), z[steep])
        return np.maximum(fraction, 0)

    def volume(self, threshold: float) -> float:
        """Return the volume, Mpc^3, where the density is above the exponential of a number."""
        last = int(np.searchsorted(self._rising, -threshold))
        total = 0.0
        for start in range(0, last, CHUNK):
            part = slice(start, min(start + CHUNK, last))
            z = self.z[part]
            k = np.sqrt(2 * (self.height[part] - threshold))
            cubes = (z + k)**3 - np.maximum(z - k, 0)**3
            total += float((self.size[part] * cubes).sum()) / 3
        return total
