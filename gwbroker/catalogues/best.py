"""Best: the places of the best galaxies so far, and the sums over all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..skymap.multiorder import Floats

Ints = npt.NDArray[np.int64]


class Best:
    """Keeps the best galaxies of many, in little memory.

    Equal ones keep the order in which they came, so that the result does not depend on the
    number of threads.

    Parameters
    ----------
    top : int, optional
        How many are kept; by default all.
    """

    def __init__(self, top: int | None) -> None:
        self.top = top
        self.total = 0.0
        self.ranked = self._held = 0
        self._least = -np.inf
        self._parts: list[tuple[Ints, Floats]] = []

    def add(self, place: Ints, score: Floats) -> None:
        """Take in some galaxies."""
        if not len(score):
            return
        self.total += float(score.sum())
        self.ranked += len(score)
        if self.top is not None:
            good = np.flatnonzero(score > self._least)
            place, score = place[good], score[good]
        self._held += len(score)
        self._parts.append((place, score))
        if self.top is not None and self._held > 4 * self.top:
            self._parts = [self.sorted()]
            self._held = len(self._parts[0][1])
            if self._held == self.top:
                # Who comes later and is only as good as the last one does not replace it.
                self._least = float(self._parts[0][1][-1])

    def sorted(self) -> tuple[Ints, Floats]:
        """Return places and scores of the best galaxies, the best first."""
        if not self._parts:
            return np.zeros((0, 2), np.int64), np.zeros(0)
        place = np.concatenate([p for p, _ in self._parts])
        score = np.concatenate([s for _, s in self._parts])
        order = np.argsort(-score, kind="stable")[: self.top]
        return place[order], score[order]
