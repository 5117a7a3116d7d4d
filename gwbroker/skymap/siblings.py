"""Siblings: four cells alike are written as their parent, and so on upwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .multiorder import DEEPEST, Floats, Ints, SkyMap, uniq_of


def fewest(skymap: SkyMap) -> SkyMap:
    """Return the same map in as few cells as can be: four that are alike made one, and so on."""
    columns = {name: values for name, values in skymap.columns.items() if name != "uniq"}
    uniq, merged = merge_alike(skymap.start, skymap.level, columns)
    changed: dict[str, Any] = {"uniq": uniq, **merged}
    return skymap if len(uniq) == skymap.cells else replace(skymap, **changed)


def merge_alike(start: Ints, level: Ints, columns: Mapping[str, Floats]) -> tuple[
    Ints, dict[str, Floats]
]:
    """Return UNIQ numbers and columns of cells, four that are alike made one.

    Parameters
    ----------
    start : int64, shape (N,)
        NESTED number, at level 29, of the first pixel of each cell, in order.
    level : int64, shape (N,)
        HEALPix level of each cell.
    columns : mapping
        Values per cell, each of shape (N,). Cells are alike if all of them are equal.

    Returns
    -------
    uniq : int64, shape (M,)
        In the same order.
    columns : dict
        Values of those cells.
    """
    kept = {name: np.asarray(values) for name, values in columns.items()}
    level = level.copy()
    for deep in range(int(level.max()), 0, -1):
        first = _first_of_four(start, level, deep, kept)
        if len(first) == 0:
            continue
        level[first] -= 1
        keep = np.ones(len(start), dtype=bool)
        keep[(first[:, np.newaxis] + np.arange(1, 4)).ravel()] = False
        start, level = start[keep], level[keep]
        kept = {name: values[keep] for name, values in kept.items()}
    return uniq_of(level, start >> (2 * (DEEPEST - level))), kept


def _first_of_four(
    start: Ints, level: Ints, deep: int, columns: Mapping[str, Floats]
) -> Ints:
    """Return where four cells of one level begin that have one parent and are alike."""
    here = np.flatnonzero(level == deep)
    # A first child starts where its parent does; if its own level fills the next three places,
    # those are its siblings, because cells come in order.
    here = here[here < len(start) - 3]
    first: Ints = here[start[here] & ((np.int64(4) << (2 * (DEEPEST - deep))) - 1) == 0]
    for k in range(1, 4):
        first = first[level[first + k] == deep]
    for values in columns.values():
        for k in range(1, 4):
            # Not a number is unlike everything.
            first = first[values[first + k] == values[first]]
    return first
