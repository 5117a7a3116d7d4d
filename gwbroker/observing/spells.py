"""Spells: from when to when each field is within the limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..skymap.multiorder import Floats, Ints
from .horizon import Horizon
from .limits import Bools, Limits
from .night import Window
from .sites import Site

STEP = 120.0
"""Fields are looked at this often, s; a shorter break within an exposure might be missed."""

BLOCK = 4096
"""Fields taken at once."""


@dataclass(frozen=True, eq=False)
class Spells:
    """Times without a break in which fields may be observed.

    Parameters
    ----------
    field : int64, shape (N,)
        The field of each spell; one field may have several.
    start, end : float64, shape (N,)
        Seconds since 1970 UTC, to a tenth of a second.
    """

    field: Ints
    start: Floats
    end: Floats

    def at_least(self, length: float) -> Spells:
        """Return those that last for some seconds."""
        chosen = self.end - self.start >= length
        return Spells(self.field[chosen], self.start[chosen], self.end[chosen])


def spells(site: Site, limits: Limits, window: Window, vectors: Floats) -> Spells:
    """Return the spells of directions, shape (N, 3), within a window.

    Each is looked at every two minutes, at changes then by halving, and the half in which it is
    allowed is kept: a spell never reaches beyond a limit.
    """
    number = max(2, int(np.ceil((window.end - window.start) / STEP)) + 1)
    times = np.linspace(window.start, window.end, number)
    horizon = Horizon(site, times)
    found = []
    for first in range(0, len(vectors), BLOCK):
        part = vectors[first:first + BLOCK]
        allowed = limits.allow(horizon, part)
        found.append(_edges(site, limits, times, allowed, part, first))
    field, start, end = (np.concatenate(c) for c in zip(*found, strict=True)) if found else (
        np.empty(0, np.int64), np.empty(0), np.empty(0))
    return Spells(field, start, end)


def _edges(site: Site, limits: Limits, times: Floats, allowed: Bools, vectors: Floats,
           first: int) -> tuple[Ints, Floats, Floats]:
    never = np.zeros((1, allowed.shape[1]), bool)
    change = np.diff(np.concatenate([never, allowed, never]).astype(np.int8), axis=0)
    # Transposed, so that the rises and falls of one field follow one another.
    field, rise = np.nonzero(change.T == 1)
    _, fall = np.nonzero(change.T == -1)
    last = len(times) - 1
    start = _refine(site, limits, times[rise], times[np.maximum(rise - 1, 0)], vectors[field])
    end = _refine(site, limits, times[fall - 1], times[np.minimum(fall, last)], vectors[field])
    return field.astype(np.int64) + first, start, end


def _refine(site: Site, limits: Limits, good: Floats, bad: Floats, vectors: Floats) -> Floats:
    """Return the times nearest to `bad` that are still allowed, for one direction each."""
    good, bad = good.copy(), bad.copy()
    if len(good) == 0:
        return good
    for _ in range(11):
        middle = (good + bad) / 2
        allowed = limits.allow(Horizon(site, middle, paired=True), vectors)
        good, bad = np.where(allowed, middle, good), np.where(allowed, bad, middle)
    return np.asarray(good, np.float64)
