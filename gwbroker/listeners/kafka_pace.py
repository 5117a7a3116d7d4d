"""Pace: how many messages of a backlog to take at a time, and how long to rest after them."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import LedgerUnavailable

BEHIND = 2000
"""Messages that wait in a partition from which on it is taken for a backlog; a burst of new ones,
of which the live lane keeps some thousands a second, is none."""

NEAR = 20
"""Messages that wait in a partition down to which its backlog is taken for gone."""

MOST = 500
"""Most messages taken at a time."""

LEAST = 4
"""Fewest messages taken at a time, however slow each is."""

QUIET = 5.0
"""Seconds without a live message after which a backlog may take longer turns."""

AT_ONCE = 50
"""Most messages after which it is asked again whether the workers are crowded."""

PATIENCE = 30.0
"""Longest rest (s) because workers are crowded: to be kept, a message need not wait for them."""


AGAIN = 0.25
"""Seconds after which it is asked again whether too many jobs wait."""


class Pace:
    """Turns short enough, and rests long enough, for live messages in between.

    A turn is as many messages as were dealt with, lately, in a given time; a live message
    that comes during it waits no longer. After it the lane rests so that it uses no more than
    its share of the time, in which this process, the ledger's one lock and the workers are
    free. With live traffic turns are 8 ms and the share is a third, without (for `QUIET`
    seconds, as at a start where everything is old) 100 ms and nine tenths, or ``alone``.

    Parameters
    ----------
    turn : float
        Length of a turn while there are live messages, in seconds.
    share : float
        Part of the time that it may use while there are live messages, up to 1.
    alone : float
        Part of the time that it may use while there are none, up to 1.
    crowded : callable, optional
        Tells whether so many jobs wait that more would hold up live ones; then the lane
        rests, for `PATIENCE` seconds at most.
    """

    def __init__(
        self, turn: float = 0.008, share: float = 1 / 3, alone: float = 0.9,
        crowded: Callable[[], bool] | None = None,
    ) -> None:
        self.turn = turn
        self.share = share
        self._share_alone = max(share, alone)
        self._crowded = crowded
        self._each = 0.001
        self._due = 0.0
        self._live = -QUIET
        self._asked = 0.0
        self._made = 0
        self._last = time.monotonic()

    def live(self) -> None:
        """Note that a live message came."""
        self._live = time.monotonic()

    @property
    def alone(self) -> bool:
        """Whether nothing live has come for a while."""
        return time.monotonic() - self._live > QUIET

    @property
    def size(self) -> int:
        """How many messages to take in the next turn."""
        turn = max(self.turn, 0.1) if self.alone else self.turn
        most = MOST if self._crowded is None else AT_ONCE
        return max(LEAST, min(most, int(turn / self._each)))

    def wait(self) -> float:
        """Return the seconds until the next turn; 0 if it is due."""
        wait = self._due - time.monotonic()
        if wait > 0:
            return wait
        if self._crowded is not None and self._full(self._crowded):
            return max(0.0, self._due - time.monotonic())
        return 0.0

    def _full(self, crowded: Callable[[], bool]) -> bool:
        now = time.monotonic()
        if now - self._asked < 1.0 and self._made < AT_ONCE:
            return False
        self._asked, self._made = now, 0
        try:
            full = crowded() and now - self._last < PATIENCE
        except LedgerUnavailable:
            # The next message shows it, and everything waits then.
            return False
        if full:
            self._due = now + AGAIN
            self._asked = 0.0
        return full

    def took(self, number: int, seconds: float) -> None:
        """Note a turn: how many messages were dealt with, and how long that took."""
        now = time.monotonic()
        if number == 0:
            # What comes next is being fetched.
            self._due = now + 0.02
            return
        self._made += number
        self._last = now
        self._each += 0.2 * (seconds / number - self._each)
        share = self._share_alone if self.alone else self.share
        self._due = now + seconds * (1 / share - 1)
