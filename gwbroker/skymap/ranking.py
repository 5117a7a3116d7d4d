"""Ranking: the cells of a map by falling density, found once for each map."""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from .multiorder import SQUARE_DEGREE, Floats, Ints, SkyMap


class Ranking:
    """The cells of a map by falling density.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    """

    def __init__(self, skymap: SkyMap) -> None:
        self.order = _densest_first(skymap.probdensity)
        total = np.cumsum(skymap.prob[self.order])
        # A total that is one but for rounding ends at one; cells of no probability are in it.
        total /= total[-1]
        self._prob: Floats = np.minimum(total, 1.0, out=total)
        self._cell_area = skymap.area
        self._likely = int(np.count_nonzero(skymap.prob > 0))

    @cached_property
    def levels(self) -> Floats:
        """The probability of the smallest region with all of each cell, in the map's order."""
        levels: Floats = np.empty_like(self._prob)
        levels[self.order] = self._prob
        levels.flags.writeable = False
        return levels

    @cached_property
    def _area(self) -> Floats:
        return np.asarray(np.cumsum(self._cell_area[self.order]), np.float64)

    def areas(self, levels: Floats) -> Floats:
        """Return the areas, square degrees, of the regions of given levels."""
        after = np.minimum(np.searchsorted(self._prob, levels), len(self._prob) - 1)
        before = after - 1
        prob = np.where(before < 0, 0, self._prob[before])
        area = np.where(before < 0, 0, self._area[before])
        gained = self._prob[after] - prob
        part = np.where(gained > 0, (levels - prob) / np.where(gained > 0, gained, 1), 1)
        found = np.where(levels > 0, area + part * (self._area[after] - area), 0.0)
        # All of the probability: rounding hides the last cells, but those without any are out.
        found = np.where(levels == 1, self._area[self._likely - 1], found)
        return np.asarray(found * SQUARE_DEGREE, np.float64)

    def within(self, level: float) -> Ints:
        """Return the fewest densest cells that hold at least a probability, densest first."""
        if level <= 0:
            return self.order[:0]
        if level >= 1:
            return self.order[:self._likely]
        # What rounding took from the sum does not call for another cell.
        return self.order[:int(np.searchsorted(self._prob, level - 1e-12)) + 1]


_rankings: WeakKeyDictionary[SkyMap, Ranking] = WeakKeyDictionary()


def ranking(skymap: SkyMap) -> Ranking:
    """Return the ranking of a map, which is remembered as long as the map is."""
    found = _rankings.get(skymap)
    if found is None:
        found = _rankings[skymap] = Ranking(skymap)
    return found


def densest_first(skymap: SkyMap) -> Ints:
    """Return the indices of the cells by falling density; equal ones keep the sky's order."""
    return ranking(skymap).order


def check_levels(levels: npt.ArrayLike) -> Floats:
    """Return probabilities that lie between 0 and 1.

    Raises
    ------
    SkyMapError
        Naming the first that does not.
    """
    wanted = np.asarray(levels, dtype=np.float64)
    bad = ~((wanted >= 0) & (wanted <= 1))
    if bad.any():
        raise SkyMapError(
            "levels", f"a credible level lies between 0 and 1, not {wanted[bad].flat[0]}"
        )
    return wanted


def _densest_first(density: Floats) -> Ints:
    """Return a stable order: four times as fast as a stable sort, on common processors."""
    order = np.argsort(-density)
    ordered = density[order]
    again = np.zeros(len(order), bool)
    np.equal(ordered[1:], ordered[:-1], out=again[1:])
    if again.any():
        # Equal cells in the sky's order: sorted by group, then by index.
        alike = again.copy()
        alike[:-1] |= again[1:]
        places = np.flatnonzero(alike)
        key = np.cumsum(~again[places]) * len(order) + order[places]
        key.sort()
        order[places] = key % len(order)
    order.flags.writeable = False
    return np.asarray(order, np.int64)
