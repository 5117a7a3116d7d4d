"""Footprints: the probability that a source is within a region of the sky."""

from __future__ import annotations

import numpy as np

from .moc import Moc
from .multiorder import DEEPEST, Floats, Ints, SkyMap


def probability(skymap: SkyMap, moc: Moc) -> float:
    """Return the probability within a region, by a sweep over intervals of the sky.

    Exact for cells of any size, because the density within a cell of a map is uniform; nothing
    is sampled or made finer.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    moc : Moc
        The region, as an instrument's field of view, or what was observed.

    Returns
    -------
    float
        From 0 to 1.
    """
    if not len(moc.ranges):
        return 0.0
    before = np.concatenate([[0.0], np.cumsum(skymap.prob)])
    size = np.int64(1) << (2 * (DEEPEST - skymap.level))

    def until(pixel: Ints) -> Floats:
        """Return the probability of the sky before a pixel of level 29."""
        cell = np.searchsorted(skymap.start, pixel, side="right") - 1
        part = (pixel - skymap.start[cell]) / size[cell]
        return np.asarray(before[cell] + skymap.prob[cell] * part, np.float64)

    within = float((until(moc.ranges[:, 1]) - until(moc.ranges[:, 0])).sum())
    return min(max(within, 0.0), 1.0)
