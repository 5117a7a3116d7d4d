"""A log that says the same thing once in a while, and how often it held its tongue."""

from __future__ import annotations

import logging
import time

KINDS = 10_000
"""Most kinds of lines that are remembered."""


class QuietLog:
    """Write at most one line of each kind per interval.

    Parameters
    ----------
    logger : logging.Logger
        Where the lines go.
    interval : float
        Shortest time between two lines of one kind, in seconds.
    """

    def __init__(self, logger: logging.Logger, interval: float = 60.0) -> None:
        self.logger = logger
        self.interval = interval
        self._written: dict[str, float] = {}
        self._swallowed: dict[str, int] = {}

    def __call__(self, level: int, kind: str, message: str, *args: object) -> None:
        """Write a line unless one of its kind was written a moment ago; count it then."""
        now = time.monotonic()
        if now - self._written.get(kind, -self.interval) < self.interval:
            self._swallowed[kind] = self._swallowed.get(kind, 0) + 1
            return
        if len(self._written) >= KINDS:
            # A kind may have a peer's address in it.
            self._written.clear()
            self._swallowed.clear()
        self._written[kind] = now
        more = self._swallowed.pop(kind, 0)
        if more:
            message += " (and %d more like this since the last such line)"
            args = (*args, more)
        self.logger.log(level, message, *args)


class QuietFilter(logging.Filter):
    """Lets one record of each kind pass per interval; the kind is the first word.

    For librdkafka, which writes the same line some twenty times a second while a broker is
    down.

    Parameters
    ----------
    interval : float
        Shortest time between two records of one kind, in seconds.
    """

    def __init__(self, interval: float = 60.0) -> None:
        super().__init__()
        self.interval = interval
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written."""
        kind = record.getMessage().split(" ", 1)[0]
        now = time.monotonic()
        if now - self._passed.get(kind, -self.interval) < self.interval:
            return False
        self._passed[kind] = now
        return True
