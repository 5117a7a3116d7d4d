"""Shares: each host is heard for a short while in a turn, so that none starves the others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .vtp_connection import Connection

SHARE = 0.1
"""Seconds of a turn in which the documents of one host are read, before others get theirs."""


class Shares:
    """How much of a turn of the loop each host has had, and whose documents had to wait.

    Attributes
    ----------
    behind : dict of Connection
        Those that may have whole documents in their decoders still; only the keys count.
    """

    def __init__(self) -> None:
        self.behind: dict[Connection, None] = {}
        self._used: Counter[str] = Counter()

    def begin(self) -> None:
        """Begin a turn."""
        self._used.clear()

    def left(self, connection: Connection) -> bool:
        """Tell whether a connection's host may be heard any more in this turn."""
        return self._used[connection.peer] < SHARE

    def order(self, connections: Iterable[Connection]) -> list[Connection]:
        """Return connections, and those that are behind, by when they were heard last."""
        return sorted({*connections, *self.behind}, key=lambda each: each.served)

    @contextmanager
    def hear(self, connection: Connection) -> Iterator[None]:
        """Count the time that a connection's documents take."""
        connection.served = began = time.monotonic()
        try:
            yield
        finally:
            self._used[connection.peer] += time.monotonic() - began  # type: ignore[assignment]

    def spent(self, connection: Connection) -> bool:
        """Tell whether the document after this one has to wait for the next turn."""
        used = self._used[connection.peer] + time.monotonic() - connection.served
        if used < SHARE:
            return False
        self.behind[connection] = None
        return True

    def forget(self, connection: Connection) -> bool:
        """Forget that a connection is behind; tell whether it was."""
        if connection not in self.behind:
            return False
        del self.behind[connection]
        return True
