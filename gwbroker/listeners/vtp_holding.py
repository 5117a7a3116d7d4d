"""Holding: the packets that have arrived and that the ledger does not have yet."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from ..errors import LedgerUnavailable, NoticeError, TransportError
from ..notice import Notice, utcnow
from ..streams.transport import Packet, ack, parse
from .backoff import Backoff
from .quiet import QuietLog
from .vtp_link import Link
from .vtp_state import StateReporter

BATCH = 100
"""Most packets that are handed to `accept` at once."""


class Holding:
    """Hand packets to the ledger in the order of arrival, and acknowledge each after that.

    Parameters
    ----------
    accept : callable
        Keeps a list of notices, or raises `gwbroker.errors.LedgerUnavailable`.
    source, own_ivorn : str
        Name of the source, and who we say that we are.
    room, room_bytes : int
        Most packets, and bytes in them, before `full` asks for a pause.
    retry : Backoff
        The pauses between two attempts while the ledger is away.
    state : StateReporter
        Told what happened.
    log : QuietLog
        Where complaints go.
    """

    def __init__(
        self, accept: Callable[[list[Notice]], object], source: str, own_ivorn: str, room: int,
        room_bytes: int, retry: Backoff, state: StateReporter, log: QuietLog,
    ) -> None:
        self.accept = accept
        self.source = source
        self.own_ivorn = own_ivorn
        self.room = room
        self.room_bytes = room_bytes
        self._retry = retry
        self._retry_at = 0.0
        self._complaint: str | None = None
        self._state = state
        self._log = log
        self._waiting: deque[tuple[Notice, Link]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Return the number of packets that wait."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no further packet should be read."""
        return len(self._waiting) >= self.room or self._bytes >= self.room_bytes

    @property
    def due(self) -> float:
        """Seconds until packets that wait are offered again; infinite if none waits."""
        return self._retry_at - time.monotonic() if self._waiting else float("inf")

    def add(self, payload: bytes, link: Link) -> None:
        """Hold a packet that came over a link."""
        notice = Notice(payload=payload, source=self.source, topic="voevent")
        self._waiting.append((notice, link))
        self._bytes += len(payload)
        self._state.note(
            received=self._state.now.received + 1, last_message=notice.received, held=len(self)
        )

    def keep(self, now: bool = False) -> bool:
        """Offer some packets to the ledger, unless it is too early; tell whether it took them.

        Parameters
        ----------
        now : bool
            Offer them even if the ledger failed a moment ago.
        """
        if not self._waiting or (self.due > 0 and not now):
            return False
        batch = list(islice(self._waiting, BATCH))
        try:
            self.accept([notice for notice, _ in batch])
        except LedgerUnavailable as e:
            pause = self._retry.next()
            self._retry_at = time.monotonic() + pause
            self._log(logging.ERROR, "ledger", "%s: %s; %d packets wait, next try in %.1f s",
                      self.source, e, len(self), pause)
            self._complaint = str(e)
            self._state.report(last_error=self._complaint)
            return False
        self._retry.reset()
        self._retry_at = 0.0
        if self._state.now.last_error == self._complaint:  # Not that of a lost connection.
            self._state.note(last_error=None)
        acknowledged = 0
        for notice, link in batch:
            self._waiting.popleft()
            self._bytes -= len(notice.payload)
            acknowledged += self._acknowledge(notice, link)
        self._state.report(
            kept=self._state.now.kept + len(batch), held=len(self),
            acknowledged=self._state.now.acknowledged + acknowledged,
        )
        return True

    def _acknowledge(self, notice: Notice, link: Link) -> bool:
        """Acknowledge a packet that has been kept, if it can be; tell whether it was."""
        try:
            packet = parse(notice.payload)
            ivorn = packet.ivorn if isinstance(packet, Packet) else None
            if ivorn is None:
                raise TransportError("it has no ivorn")
            answer = ack(ivorn, self.own_ivorn).to_xml()
        except (NoticeError, TransportError) as e:
            self._log(logging.WARNING, "unread", "%s: kept a message of %d B that cannot be "
                      "acknowledged: %s", self.source, len(notice.payload), e)
            return False
        link.spoke = time.monotonic()
        self._state.note(last_traffic=utcnow())
        if not link.send(answer):
            self._log(logging.WARNING, "late", "%s: kept %s, which cannot be acknowledged: the "
                      "connection that brought it has gone", self.source, ivorn)
            return False
        return True
