"""Sweep: go over the sky once and meet the cells of two maps together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import SkyMapError
from .multiorder import DEEPEST, Floats, Ints, SkyMap, uniq_of

WHOLE = 12 * 4**DEEPEST
"""Pixels of the whole sky at level 29."""

PIXEL = float(4 * np.pi / WHOLE)
"""Area of one of them, sr."""


class Common(NamedTuple):
    """The cells common to two maps: wherever their cells overlap, the smaller one.

    Parameters
    ----------
    start : int64, shape (N,)
        NESTED number, at level 29, of the first pixel of each cell, in order.
    size : int64, shape (N,)
        How many pixels of level 29 it has, a power of four.
    ia, ib : int64, shape (N,)
        The index of the cell that it lies in, of the first and the second map.
    """

    start: Ints
    size: Ints
    ia: Ints
    ib: Ints

    @property
    def uniq(self) -> Ints:
        """UNIQ numbers of the cells."""
        level = self.level
        return uniq_of(level, self.start >> (2 * (DEEPEST - level)))

    @property
    def level(self) -> Ints:
        """HEALPix level of each cell."""
        # frexp is exact for a power of two: size = 2^(exponent - 1) = 4^(29 - level).
        return DEEPEST - ((np.frexp(self.size)[1].astype(np.int64) - 1) >> 1)

    @property
    def area(self) -> Floats:
        """Area of each cell, sr."""
        return np.asarray(self.size * PIXEL, np.float64)


def common(a: SkyMap, b: SkyMap) -> Common:
    """Return the cells common to two maps, by one sweep over their level-29 intervals.

    HEALPix cells are either one within the other or apart, so the starts of all cells of both
    maps cut the sky into cells again, and each of them lies in exactly one cell of each map.
    There are never more than those of both maps together; nothing is rasterized.

    Parameters
    ----------
    a, b : SkyMap
        Two maps of the whole sky, in order, as `SkyMap.validate` returns them.

    Raises
    ------
    SkyMapError
        If the cells of a map are out of order, overlap or leave a gap.
    """
    first, second = _starts("the first map", a), _starts("the second map", b)
    # The stable sort finds two runs in order already and only merges them. The lowest bit says
    # of which map a cell is, so that the numbers alone have to be sorted, without an index.
    begins = np.concatenate([first << 1, (second << 1) | 1])
    begins.sort(kind="stable")
    start = begins >> 1
    # Where a cell begins in both maps it stands twice, and the last one knows of both.
    last = np.flatnonzero(np.append(start[1:] != start[:-1], True))
    ib = np.cumsum(begins & 1)[last] - 1
    start = start[last]
    return Common(start, np.diff(start, append=WHOLE), last - ib - 1, ib)


def _starts(name: str, skymap: SkyMap) -> Ints:
    """Return where the cells start; refuse a map whose cells are not one after the other."""
    start = skymap.start
    size = np.int64(1) << (2 * (DEEPEST - skymap.level))
    if (
        len(start) == 0
        or start[0] != 0
        or start[-1] + size[-1] != WHOLE
        or (start[:-1] + size[:-1] != start[1:]).any()
    ):
        raise SkyMapError(
            name, "cells are out of order, overlap or are missing; `validate` says which", "UNIQ"
        )
    return start
