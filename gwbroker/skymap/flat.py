"""Flat HEALPix maps, all of one pixel size, turned into multi-order ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import healpy as hp
import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from .multiorder import DEEPEST, Floats, Ints, uniq_of

BLOCK = 9
"""Levels that are merged at a time: 4^9 pixels fit into a processor's cache."""


def merge(
    name: str, columns: Mapping[str, npt.NDArray[Any]], nside: int | None, ordering: str
) -> tuple[Ints, dict[str, Floats]]:
    """Return UNIQ numbers and columns of a flat map, equal neighbours merged.

    Four pixels that share a parent and are alike in every column become that parent, and so
    on upwards. Nothing is lost, and a multi-order map that somebody flattened comes back.
    Besides the result this needs the memory of 4^9 pixels.

    Parameters
    ----------
    name : str
        The file, for error messages.
    columns : mapping
        Values per pixel, each of shape (12 nside^2,), of any type and byte order.
    nside : int, optional
        What the header says; if absent, the number of pixels decides.
    ordering : str
        ``NESTED`` or ``RING``.

    Raises
    ------
    SkyMapError
        If the number of pixels, NSIDE and ORDERING do not fit together.
    """
    size = len(next(iter(columns.values())))
    level = level_of(name, size, nside)
    if ordering not in ("NESTED", "RING"):
        raise SkyMapError(name, f"ORDERING is {ordering!r}, not NESTED or RING")
    # As long as the map could be; memory that is never touched is never taken.
    uniq = np.empty(size, np.int64)
    merged = np.empty((len(columns), size))
    done = 0
    depth = min(level, BLOCK)
    top = level - depth
    blocks = np.arange(size >> 2 * depth, dtype=np.int64)
    tops = np.empty((len(columns), len(blocks)))
    whole = np.zeros(len(blocks), bool)
    for block in blocks:
        values = _block(columns, level, depth, int(block), ordering)
        for at, ipix, kept in _merged(values, np.ones(values.shape[1], bool), level, top):
            if at == top and top:
                # The whole block is alike; its neighbours may be as well.
                tops[:, block] = kept[:, 0]
                whole[block] = True
                continue
            here = slice(done, done + len(ipix))
            uniq[here] = uniq_of(at, ipix + (block << 2 * (at - top)))
            merged[:, here] = kept
            done = here.stop
    if top:
        for at, ipix, kept in _merged(tops, whole, top, 0):
            here = slice(done, done + len(ipix))
            uniq[here] = uniq_of(at, ipix)
            merged[:, here] = kept
            done = here.stop
    return uniq[:done], {c: merged[k, :done] for k, c in enumerate(columns)}


def level_of(name: str, size: int, nside: int | None = None) -> int:
    """Return the level of a flat map of so many pixels.

    Raises
    ------
    SkyMapError
        If they are not the whole sky, or not what NSIDE says.
    """
    if size == 0:
        raise SkyMapError(name, "the table has no rows")
    level = (size // 12).bit_length() // 2
    if size != 12 * 4**level:
        raise SkyMapError(
            name, f"{size} pixels are not the whole sky: 12 NSIDE^2, NSIDE a power of two"
        )
    if nside is not None and nside != 1 << level:
        raise SkyMapError(name, f"NSIDE is {nside}, but there are {size} pixels, 12 * {1<<level}^2")
    if level > DEEPEST:
        raise SkyMapError(name, f"{size} pixels lie deeper than level {DEEPEST}")
    return level


def _block(
    columns: Mapping[str, npt.NDArray[Any]], level: int, depth: int, block: int, ordering: str
) -> Floats:
    """Return the columns of the pixels of one block, in NESTED order."""
    size = 4**depth
    first = block * size
    index: Any = slice(first, first + size)
    if ordering == "RING":
        index = hp.nest2ring(1 << level, np.arange(first, first + size))
    values = np.empty((len(columns), size))
    for k, column in enumerate(columns.values()):
        values[k] = column[index]
    return values


def _merged(
    values: Floats, alive: npt.NDArray[np.bool_], level: int, top: int
) -> Iterator[tuple[int, Ints, Floats]]:
    """Yield, level by level, the cells that remain: level, numbers within the block, columns.

    Parameters
    ----------
    values : float64, shape (C, N)
        Columns of all cells of `level` in the block.
    alive : bool, shape (N,)
        Which of them there are; the others are divided, and have been yielded already.
    level, top : int
        Where to begin, and the coarsest level.
    """
    while alive.any():
        if level == top:
            ipix = np.flatnonzero(alive)
            yield level, ipix, values[:, ipix]
            return
        four = values.reshape(len(values), -1, 4)
        joined: npt.NDArray[np.bool_] = np.logical_and.reduce(alive.reshape(-1, 4), axis=1)
        for column in four:
            for k in (1, 2, 3):
                # Not a number is unlike everything; such maps are refused or ignore the cell.
                np.logical_and(joined, column[:, k] == column[:, 0], out=joined)
            if not joined.any():
                break
        single = alive & ~np.repeat(joined, 4)
        ipix = np.flatnonzero(single)
        if len(ipix):
            yield level, ipix, values if len(ipix) == len(alive) else values[:, single]
        values, alive, level = four[:, :, 0], joined, level - 1
