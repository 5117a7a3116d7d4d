"""Pace: a burst goes out no faster than those who read well can take it."""

from __future__ import annotations

import time

SLOWEST = 1024 * 1024
"""Bytes a second that may always go out."""


class Pace:
    """Tell how many bytes may go out now.

    Parameters
    ----------
    unsent : int
        Most bytes that may wait for a subscriber: half of them go at once, all in a second.
    """

    def __init__(self, unsent: int) -> None:
        self.rate = max(unsent, SLOWEST)
        self._room = self.rate / 2
        self._looked = time.monotonic()

    @property
    def room(self) -> int:
        """Bytes that may go out now; negative after one document that was longer."""
        now = time.monotonic()
        self._room = min(self.rate / 2, self._room + (now - self._looked) * self.rate)
        self._looked = now
        return int(self._room)

    def went(self, size: int) -> None:
        """Take note of bytes that went out."""
        self._room -= size
