"""Pauses that grow with every failure, so that a broken peer is not hammered."""

from __future__ import annotations

import random


class Backoff:
    """Pauses between a first and a last length, doubling each time, with jitter.

    Parameters
    ----------
    first, last : float
        Shortest and longest pause, in seconds.
    """

    def __init__(self, first: float = 1.0, last: float = 60.0) -> None:
        self.first = first
        self.last = last
        self.failures = 0

    def next(self) -> float:
        """Count a failure and return how long to pause after it, in seconds.

        The pause is drawn evenly between one and two times ``first`` after the first
        failure, twice that after the second, and so on, never above ``last``: many
        clients of one server do not come back at the same instant.
        """
        # 2.0**1024 overflows, and nothing is left to double long before.
        longest = min(self.last, self.first * 2.0 ** min(self.failures + 1, 64))
        self.failures += 1
        return random.uniform(max(longest / 2, min(self.first, self.last)), longest)

    def reset(self) -> None:
        """Start again from the shortest pause."""
        self.failures = 0
