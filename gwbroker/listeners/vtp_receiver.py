"""Receiver: take VOEvents from authors over TCP; check, keep, and only then acknowledge."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from ..errors import LedgerUnavailable, NoticeError, TransportError
from ..notice import Notice, utcnow
from ..streams import voevent_schema
from ..streams.subject import identify
from ..streams.transport import Transport, ack, nak, read
from .backoff import Backoff
from .connect import SLICE
from .vtp_connection import Connection
from .vtp_server import Network, Server

SOURCE = "vtp_receiver"
TOPIC = "voevent"

BATCH = 200
"""Most packets that share a transaction."""

MAX_WAITING = 64 * 1024 * 1024
"""Bytes that wait for the ledger before authors are sent away."""

OVERHEAD = 2048
"""Bytes of memory that a packet takes beside its own, about."""

MAX_PARSED = 4 * 1024 * 1024
"""Bytes that may wait before packets are parsed a second time, rather than kept parsed."""

LINGER = 1.0
"""Seconds after an answer in which an author may send more, or hang up by itself."""


@dataclass(frozen=True)
class _Waiting:
    """A packet that passed the checks and that the ledger does not have yet."""

    notice: Notice
    ivorn: str
    identifier: str
    connection: Connection

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self.notice.payload) + OVERHEAD


class Receiver(Server):
    """Take packets from authors for ever.

    What arrives on all connections while the ledger commits shares the next transaction. A
    packet is refused by a ``nak`` that says why if it is not a VOEvent, or if its ivorn is
    that of another packet; one that was kept before is acknowledged again, because its author
    may not have heard the first answer. While the ledger is away an author gets no answer,
    and at the end of its time the connection is closed: it has to send the packet again.

    Parameters
    ----------
    address, whitelist, max_message, max_connections, max_per_peer
        As of `Server`.
    accept : callable
        Takes a list of notices and keeps all of them or raises
        `gwbroker.errors.LedgerUnavailable`.
    known : callable
        Takes identifiers; returns, for those that are known, the SHA-256 of their packets.
    should_stop : callable
        Asked several times a second.
    own_ivorn : str
        Who we say that we are.
    timeout : float
        Seconds that an author has for a packet, and we for the answer.
    linger : float
        Seconds after an answer in which an author may send more.
    """

    kind = "VOEvent receiver"

    def __init__(
        self, address: tuple[str, int], accept: Callable[[list[Notice]], object],
        known: Callable[[Sequence[str]], dict[str, set[bytes]]],
        should_stop: Callable[[], bool], own_ivorn: str, *, whitelist: Sequence[Network],
        max_message: int = 1024 * 1024, max_connections: int = 256, max_per_peer: int = 64,
        timeout: float = 20.0, linger: float = LINGER,
    ) -> None:
        super().__init__(address, whitelist, max_message=max_message,
                         max_connections=max_connections, max_per_peer=max_per_peer)
        self.accept = accept
        self.known = known
        self.should_stop = should_stop
        self.own_ivorn = own_ivorn
        self.timeout = timeout
        self.linger = linger
        self.kept = self.refused = 0
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._retry = Backoff(0.1, 2.0)
        self._retry_at = 0.0

    def run(self) -> None:
        """Serve authors until `should_stop` says so.

        Raises
        ------
        TransportError
            If the port cannot be opened.
        """
        try:
            self.listen()
            looked = 0.0
            while not self.should_stop():
                self.turn(self._pause())
                self.keep()
                if time.monotonic() > looked + SLICE:
                    looked = time.monotonic()
                    self.expire()
        finally:
            self.shut()

    def _pause(self) -> float:
        if not self._waiting:
            return SLICE
        return min(SLICE, max(0.0, self._retry_at - time.monotonic()))

    def came(self, connection: Connection) -> None:
        """Give an author its time."""
        connection.due = connection.opened + self.timeout
        # It has sent its packet already, as a rule.
        self._read(connection)

    def make_room(self) -> bool:
        """Close the connection that has been open longest without a whole packet."""
        idle = [c for c in self.connections.values() if not c.held]
        if not idle:
            return False
        self.drop(min(idle, key=lambda each: each.opened), "has to make room for others")
        return True

    def timed_out(self, connection: Connection) -> None:
        """Close a connection whose time is over; what it waits for is not acknowledged."""
        if connection.held:
            self.drop(connection, "waited too long for the ledger, and has to send again")
        else:
            self.close(connection)

    def left(self, connection: Connection) -> None:
        """Forget what a connection brought: without an answer its author sends it again."""
        if connection.held:
            connection.held = 0
            self._waiting = deque(e for e in self._waiting if e.connection is not connection)
            self._waiting_bytes = sum(e.cost for e in self._waiting)

    def heard(self, connection: Connection, payload: bytes) -> None:
        """Check a document, and let it wait for the ledger."""
        connection.due = time.monotonic() + self.timeout
        notice = Notice(payload=payload, source=SOURCE, topic=TOPIC, received=utcnow())
        ivorn: str | None = None
        try:
            root = notice.xml()
            message = read(root)
            if isinstance(message, Transport):
                raise TransportError(f"a {message.role} message is not what authors send")
            if len(message.ivorn or "") <= voevent_schema.LONGEST_IVORN:
                ivorn = message.ivorn
            voevent_schema.check(root)
        except (NoticeError, TransportError) as e:
            self._refuse(connection, ivorn, str(e))
            return
        assert ivorn is not None
        identifier = identify(notice).identifier or ivorn
        waiting = _Waiting(notice, ivorn, identifier, connection)
        if self._waiting_bytes + waiting.cost > MAX_WAITING:
            self.drop(connection, "comes while too much waits for the ledger already")
            return
        if self._waiting_bytes + waiting.cost > MAX_PARSED:
            # Parsed it takes twenty times the memory.
            notice.__dict__.pop("_xml", None)
        self._waiting.append(waiting)
        self._waiting_bytes += waiting.cost
        connection.held += 1

    def keep(self) -> None:
        """Offer what waits to the ledger, and answer for what it has."""
        while self._waiting and self._retry_at <= time.monotonic():
            batch = list(islice(self._waiting, BATCH))
            try:
                self._keep(batch)
            except LedgerUnavailable as e:
                self._retry_at = time.monotonic() + self._retry.next()
                self.say(logging.ERROR, "ledger", "%s: %s; %d packets wait for it", self.kind, e,
                         len(self._waiting))
                return
            self._retry.reset()
            self._retry_at = 0.0

    def _keep(self, batch: list[_Waiting]) -> None:
        before = self.known([each.identifier for each in batch])
        new: dict[str, Notice] = {}
        other: set[int] = set()
        for number, each in enumerate(batch):
            digest = each.notice.digest
            if each.identifier in before:
                if digest not in before[each.identifier]:
                    other.add(number)
            elif new.setdefault(each.identifier, each.notice).digest != digest:
                other.add(number)
        if new:
            self.accept(list(new.values()))
        self.kept += len(new)
        for each in batch:
            self._waiting.popleft()
            self._waiting_bytes -= each.cost
            each.connection.held -= 1
        for number, each in enumerate(batch):
            if number in other:
                self._refuse(each.connection, each.ivorn,
                             "its ivorn is that of another packet, which was kept before")
            else:
                self._answer(each.connection, ack(each.ivorn, self.own_ivorn))

    def _refuse(self, connection: Connection, ivorn: str | None, why: str) -> None:
        self.refused += 1
        self.say(logging.WARNING, f"nak {connection.peer}", "%s: refused %s from %s: %s",
                 self.kind, (ivorn or "a document")[:200], connection.name, why)
        answer = nak(ivorn or self.own_ivorn, self.own_ivorn, why)
        self._answer(connection, answer)
        if ivorn is None:
            # Nothing else that it says can be answered either.
            self.finish(connection, self.linger)

    def _answer(self, connection: Connection, answer: Transport) -> None:
        try:
            document = answer.to_xml()
        except TransportError:
            # Only the reason can hold what XML cannot carry.
            document = Transport(answer.role, self.own_ivorn, self.own_ivorn,
                                 result="it cannot be read").to_xml()
        self.send(connection, document)
        if not connection.held:
            connection.due = min(connection.due, time.monotonic() + self.linger)
