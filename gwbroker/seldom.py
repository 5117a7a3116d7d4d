"""Seldom: a line in the log now and then, where the same could be said for every message."""

from __future__ import annotations

import logging
import time

INTERVAL = 60.0
"""Seconds between two lines of one kind."""


class Seldom:
    """Writes at most one line of a kind per minute, and says how many it left out.

    Parameters
    ----------
    logger : logging.Logger
        Where the lines go.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._kinds: dict[str, tuple[float, int]] = {}

    def __call__(self, level: int, kind: str, message: str, *args: object) -> None:
        """Write a line, or count it."""
        now = time.monotonic()
        written, more = self._kinds.get(kind, (-INTERVAL, 0))
        if now - written < INTERVAL:
            self._kinds[kind] = (written, more + 1)
            return
        self._kinds[kind] = (now, 0)
        if more:
            message, args = message + " (and %d more like this meanwhile)", (*args, more)
        self._logger.log(level, message, *args)
