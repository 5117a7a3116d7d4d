"""Pieces: the cells of a region, large ones split until they are small enough to be points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from ..skymap.multiorder import DEEPEST, Floats, Ints, SkyMap, centres
from ..skymap.regions import densest_first


@dataclass(frozen=True, eq=False)
class Pieces:
    """Small parts of the sky, none overlapping another.

    Parameters
    ----------
    level, ipix : int64, shape (N,)
        HEALPix level and NESTED number within it.
    prob : float64, shape (N,)
        Probability of each.
    """

    level: Ints
    ipix: Ints
    prob: Floats

    def __len__(self) -> int:
        return len(self.prob)

    @cached_property
    def vectors(self) -> Floats:
        """Unit vectors of their centres, shape (N, 3)."""
        return centres(self.level, self.ipix)

    @property
    def area(self) -> Floats:
        """Area of each, sr."""
        return np.asarray(np.ldexp(np.pi / 3, -2 * self.level), np.float64)

    def take(self, chosen: npt.NDArray[np.bool_] | Ints | slice) -> Pieces:
        """Return some of them."""
        return Pieces(self.level[chosen], self.ipix[chosen], self.prob[chosen])

    def parts(self, deepest: int) -> Ints:
        """Return into how many each would be split."""
        return np.asarray(np.int64(1) << (2 * np.maximum(deepest - self.level, 0)), np.int64)

    def split(self, deepest: int) -> Pieces:
        """Return them with those above a level split to it; the density within one is uniform."""
        parts = self.parts(deepest)
        parent = np.repeat(np.arange(len(self)), parts)
        first = np.repeat(np.cumsum(parts) - parts, parts)
        level = np.maximum(self.level, deepest)[parent]
        ipix = (self.ipix[parent] << (2 * (level - self.level[parent]))) + (
            np.arange(len(parent)) - first)
        return Pieces(level, ipix, self.prob[parent] / parts[parent])

    def merge(self, deepest: int) -> Pieces:
        """Return them with those below a level put together, so that there are not too many."""
        fine = self.level > deepest
        if not fine.any():
            return self
        parent, group = np.unique(
            self.ipix[fine] >> (2 * (self.level[fine] - deepest)), return_inverse=True)
        prob = np.bincount(group, self.prob[fine], len(parent))
        rest = self.take(~fine)
        return Pieces(np.concatenate([rest.level, np.full(len(parent), deepest, np.int64)]),
                      np.concatenate([rest.ipix, parent]), np.concatenate([rest.prob, prob]))


def of(skymap: SkyMap, index: Ints) -> Pieces:
    """Return cells of a map, by their indices, as they are."""
    return Pieces(skymap.level[index], skymap.ipix[index], skymap.prob[index])


def region(skymap: SkyMap, level: float) -> Pieces:
    """Return the cells of the smallest region of a credible level, densest first.

    The cell that crosses the level is the last of them.

    Raises
    ------
    SkyMapError
        If the level is not more than 0 and at most 1.
    """
    if not 0 < level <= 1:
        raise SkyMapError("level", f"{level:g} is not more than 0 and at most 1")
    order = densest_first(skymap)
    reached = np.cumsum(skymap.prob[order])
    # By rounding the sum may stay below the level.
    count = int(np.searchsorted(reached, level * reached[-1] * (1 - 1e-12))) + 1
    chosen = order[:count]
    return of(skymap, chosen[skymap.prob[chosen] > 0])


def healpix_level(width: float) -> int:
    """Return the HEALPix level whose cells are no wider than this, degrees."""
    base = np.degrees(np.sqrt(np.pi / 3))
    return int(np.clip(np.ceil(np.log2(base / width)), 0, DEEPEST))
