"""Feed: what the broadcaster is to send, read from the ledger beside the loop."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import GWBrokerError, LedgerUnavailable, NoticeError, TransportError
from ..ledger import broadcasts
from ..ledger.engine import read, write
from ..streams.transport import Packet, encode, parse
from .quiet import QuietLog

log = logging.getLogger(__name__)

POLL = 0.1
"""Seconds between two looks for new notices."""

SAVE = 0.5
"""Seconds between two notes of how far everything is delivered."""

ROOM = 64 * 1024 * 1024
"""Bytes that wait for the broadcaster before no more are read."""


@dataclass(frozen=True)
class Event:
    """A VOEvent to be sent: its number in the ledger, its ivorn, its bytes, its frame."""

    number: int
    ivorn: str
    payload: bytes
    frame: bytes


class Feed(threading.Thread):
    """Read new VOEvents from the ledger, in order, and remember what is delivered.

    A thread of its own, because a ledger that hangs must not keep the loop from its
    subscribers. The loop is woken by a byte on `wakes`.

    Parameters
    ----------
    name : str
        Under which the ledger remembers the position.
    sources : sequence of str
        Whose notices are read.
    max_age : float
        Seconds after which a notice is not sent any more.

    Attributes
    ----------
    began_at : int or None
        The position at the start; None until the ledger has told it.
    fresh : bool
        Whether there was none, because it never ran before.
    """

    def __init__(self, name: str, sources: Sequence[str], max_age: float) -> None:
        super().__init__(name=f"feed of {name}", daemon=True)
        self.reader = name
        self.sources = tuple(sources)
        self.max_age = max_age
        self.wakes, self._wake = socket.socketpair()
        self.wakes.setblocking(False)
        self._wake.setblocking(False)
        self.began_at: int | None = None
        self.fresh = False
        self.failure: GWBrokerError | None = None
        self.reached = 0
        self._delivered: int | None = None
        self._saved = 0
        self._save_at = 0.0
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._end = threading.Event()
        self._say = QuietLog(log)

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return not self._events

    def take(self, room: int) -> list[Event]:
        """Return events that have come, in order, until they have so many bytes."""
        try:
            while self.wakes.recv(4096):
                pass
        except BlockingIOError:
            pass
        taken = []
        while self._events and room > 0:
            taken.append(self._events.popleft())
            self._bytes -= len(taken[-1].payload)
            room -= len(taken[-1].frame)
        return taken

    def delivered(self, number: int) -> None:
        """Say that everything up to a notice has arrived where it should."""
        self._delivered = number

    def finish(self) -> None:
        """Save the position and stop."""
        self._end.set()
        if self.ident is not None:
            self.join(timeout=20)
        self.wakes.close()
        self._wake.close()

    def run(self) -> None:
        """Read until the end."""
        pause = POLL
        while not self._end.wait(pause):
            pause = POLL
            try:
                if self._turn():
                    pause = 0.0
            except LedgerUnavailable as e:
                pause = 1.0
                self._say(logging.ERROR, "ledger", "%s: %s; what is new waits", self.reader, e)
            except GWBrokerError as e:
                self.failure = e
                return
        try:
            self._save(now=True)
        except GWBrokerError as e:
            log.warning("%s: what was delivered last is sent again: %s", self.reader, e)

    def _turn(self) -> bool:
        """Read some; tell whether there may be more."""
        if self.began_at is None:
            self._begin()
        self._save()
        if self._bytes > ROOM:
            return False
        with read() as connection:
            rows, reached = broadcasts.after(connection, self.reached, self.sources)
        for row in rows:
            self._add(row)
        more = reached > self.reached and bool(rows)
        self.reached = reached
        if rows:
            try:
                self._wake.send(b".")
            except (BlockingIOError, OSError):
                # It has enough bytes to wake by, or is gone.
                return more
        return more

    def _begin(self) -> None:
        with write(durable=False) as connection:
            position = broadcasts.position(connection, self.reader)
            if position is None:
                self.fresh = True
                position = broadcasts.newest(connection)
                broadcasts.move(connection, self.reader, position)
        self.reached = self._saved = self.began_at = position

    def _add(self, row: Any) -> None:
        if time.time() - row.received > self.max_age:
            self._say(logging.WARNING, "old", "%s: notice %d is too old to be sent", self.reader,
                      row.id)
            return
        payload = bytes(row.body)
        try:
            packet = parse(payload)
        except (NoticeError, TransportError):
            return
        if isinstance(packet, Packet) and packet.ivorn:
            self._bytes += len(payload)
            self._events.append(Event(row.id, packet.ivorn, payload, encode(payload)))

    def _save(self, now: bool = False) -> None:
        position = self._delivered
        if position is None or position <= self._saved \
                or (not now and time.monotonic() < self._save_at):
            return
        with write(durable=False) as connection:
            broadcasts.move(connection, self.reader, position)
        self._saved = position
        self._save_at = time.monotonic() + SAVE
