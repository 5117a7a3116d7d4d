"""Flat HEALPix maps, all of one pixel size, turned into multi-order ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import healpy as hp
import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from .multiorder import DEEPEST, Floats, Ints, uniq_of


def merge(
    name: str, columns: Mapping[str, npt.NDArray[Any]], nside: int | None, ordering: str
) -> tuple[Ints, dict[str, Floats]]:
    """Return UNIQ numbers and columns of a flat map, equal neighbours merged.

    Four pixels that share a parent and are alike in every column become that parent, and so
    on upwards. Nothing is lost, and a multi-order map that somebody flattened comes back.

    Parameters
    ----------
    name : str
        The file, for error messages.
    columns : mapping
        Values per pixel, each of shape (12 nside^2,).
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
    level = _level(name, size, nside)
    values = np.stack(list(columns.values()))
    if ordering == "RING":
        values = values[:, hp.nest2ring(1 << level, np.arange(size))]
    elif ordering != "NESTED":
        raise SkyMapError(name, f"ORDERING is {ordering!r}, not NESTED or RING")
    ipix = np.arange(size, dtype=np.int64)
    uniq: list[Ints] = []
    kept: list[npt.NDArray[Any]] = []
    while True:
        parents, first = _alike(ipix, values) if level else (ipix[:0], ipix[:0])
        single = np.ones(len(ipix), dtype=bool)
        single[(first[:, np.newaxis] + np.arange(4)).ravel()] = False
        uniq.append(uniq_of(level, ipix[single]))
        kept.append(values[:, single])
        if len(parents) == 0:
            break
        ipix, values, level = parents, values[:, first], level - 1
    merged = np.concatenate(kept, axis=1)
    return np.concatenate(uniq), dict(zip(columns, merged, strict=True))


def _alike(ipix: Ints, values: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the parents of four equal children, and where the first child stands."""
    if len(ipix) < 4:
        return ipix[:0], ipix[:0]
    first = np.flatnonzero((ipix[:-3] & 3 == 0) & (ipix[3:] == ipix[:-3] + 3))
    for column in values:
        for k in range(1, 4):
            # Not a number is unlike everything; such maps are refused or ignore the cell later.
            first = first[column[first + k] == column[first]]
    return ipix[first] >> 2, first


def _level(name: str, size: int, nside: int | None) -> int:
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
