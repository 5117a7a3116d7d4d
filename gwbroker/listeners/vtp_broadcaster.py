"""Broadcaster: send VOEvents on to everybody who has subscribed over TCP."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from ..errors import NoticeError, TransportError
from ..streams import transport
from ..streams.transport import XPATH_FILTER, Transport, encode, parse
from .vtp_connection import Connection
from .vtp_feed import Event, Feed
from .vtp_filters import MAX_QUESTIONS, Filters, problem
from .vtp_pace import Pace
from .vtp_server import Network, Server
from .vtp_subscriber import Subscriber

SOURCE = "vtp_broadcaster"

TURN = 0.1
"""Longest time that passes without a look at the clock, in seconds."""

GREETING = 1.0
"""Seconds in which a new subscriber may say what it wants, before it gets everything."""

LONGEST_ANSWER = 64 * 1024
"""Longest document that a subscriber may send, in bytes."""

MAX_REMEMBERED = 1000
"""Most events of which it is remembered that a subscriber has not acknowledged them."""

MAX_RECALLED = 1000
"""Most events for those who connect again after a restart."""

PENANCE = 600.0
"""Seconds in which a host one of whose filters was forbidden may have no other."""


class Broadcaster(Server):
    """Serve subscribers for ever.

    An event goes once to everyone who is connected. The ledger remembers up to where
    everything was acknowledged; after a kill, whoever connects within `resume` seconds gets
    what comes after that, so that nothing is missed, though something may come twice.

    Parameters
    ----------
    address, whitelist, max_connections, max_per_peer, max_unsent
        As of `Server`.
    feed : Feed
        Where the events come from; not yet started.
    should_stop : callable
        Asked several times a second.
    own_ivorn : str
        Who we say that we are.
    interval : float
        Seconds between two signs of life; who has not answered one is dropped at the next.
    max_outstanding : int
        Who leaves so many events without an answer, and has answered none since the last sign
        of life, is dropped.
    max_filters : int
        Most filters of one subscriber.
    resume : float
        Seconds after the start in which those who connect get what may not have arrived.
    """

    kind = "VOEvent broadcaster"

    def __init__(
        self, address: tuple[str, int], feed: Feed, should_stop: Callable[[], bool],
        own_ivorn: str, *, whitelist: Sequence[Network], max_connections: int = 100,
        max_per_peer: int = 10, max_unsent: int = 16 * 1024 * 1024, interval: float = 60.0,
        max_outstanding: int = 10, max_filters: int = 10, resume: float = 120.0,
    ) -> None:
        super().__init__(address, whitelist, max_message=LONGEST_ANSWER,
                         max_connections=max_connections, max_per_peer=max_per_peer,
                         max_unsent=max_unsent)
        self.feed = feed
        self.should_stop = should_stop
        self.own_ivorn = own_ivorn
        self.interval = interval
        self.max_outstanding = max_outstanding
        self.max_filters = max_filters
        self.resume = resume
        self.subscribers: dict[Connection, Subscriber] = {}
        self._wishes: Counter[str] = Counter()
        self._barred: dict[str, float] = {}
        self._filters = Filters(self, self._forbid, self._wishes.__contains__)
        self._pace = Pace(max_unsent)
        self._recalled: deque[Event] = deque(maxlen=MAX_RECALLED)
        self._recall_until = 0.0
        self._handed = 0

    def run(self) -> None:
        """Serve subscribers until `should_stop` says so.

        Raises
        ------
        TransportError
            If the port cannot be opened.
        LedgerError
            If the ledger has another schema than this code.
        """
        try:
            self.listen()
            self._recall_until = time.monotonic() + self.resume
            self.watch(self.feed.wakes, self._fetch)
            self.feed.start()
            while not self.should_stop():
                self.turn(TURN)
                self._filters.tick()
                self._fetch()
                for connection in tuple(self.subscribers):
                    self._look_after(connection)
                self.feed.delivered(self._delivered())
                if self.feed.failure is not None:
                    raise self.feed.failure
        finally:
            self._filters.close()
            self.feed.delivered(self._delivered())
            self.feed.finish()
            self.shut()

    def came(self, connection: Connection) -> None:
        """Ask a new subscriber who it is, and what it wants."""
        subscriber = self.subscribers[connection] = Subscriber(
            alive_at=time.monotonic() + self.interval)
        if self._recalling:
            subscriber.held.extend(self._recalled)
        self.send(connection, transport.authenticate(self.own_ivorn).to_xml())

    def left(self, connection: Connection) -> None:
        """Forget a subscriber."""
        self._want(self.subscribers.pop(connection), frozenset())

    def heard(self, connection: Connection, payload: bytes) -> None:
        """Take an answer of a subscriber."""
        try:
            message = parse(payload)
        except (NoticeError, TransportError) as e:
            self.say(logging.WARNING, "unread", "%s: %s sent something unreadable: %s",
                     self.kind, connection.name, e)
            return
        subscriber = self.subscribers[connection]
        if not isinstance(message, Transport):
            self.say(logging.WARNING, "packet", "%s: %s sent a packet; authors have a port of "
                     "their own", self.kind, connection.name)
        elif message.role == "iamalive":
            subscriber.unanswered = 0
        elif message.role == "authenticate":
            self._install(connection, subscriber, message)
        elif subscriber.outstanding.pop(message.origin or "", None) is not None:
            # A refusal is an answer too: it reads, and may want the next one.
            subscriber.acked = True
            if message.role == "nak":
                self.say(logging.WARNING, f"nak {connection.peer}", "%s: %s refused %s: %s",
                         self.kind, connection.name, message.origin, message.result)

    def _install(
        self, connection: Connection, subscriber: Subscriber, message: Transport,
    ) -> None:
        wanted = [value for name, value in message.params if name == XPATH_FILTER]
        good: list[str] = []
        for number, expression in enumerate(wanted):
            why: str | None
            if number >= self.max_filters:
                why = f"there are {len(wanted)} filters; at most {self.max_filters} are taken"
            elif self._barred.get(connection.peer, 0.0) > time.monotonic():
                why = f"another of {connection.peer} took too long"
            elif self._filters.forbidden(expression):
                why = "it took too long before"
            else:
                why = problem(expression)
            if why is None:
                good.append(expression)
                continue
            self.say(logging.WARNING, f"filter {connection.peer}", "%s: filter %d of %s is left "
                     "out: %s", self.kind, number + 1, connection.name, why)
            self._tell(connection, f"filter {number + 1} is left out: {why}")
            if number >= self.max_filters:
                break
        self._want(subscriber, frozenset(good))
        subscriber.ready = True
        self._release(connection, subscriber)

    def _want(self, subscriber: Subscriber, filters: frozenset[str]) -> None:
        self._wishes.update(filters)
        self._wishes.subtract(subscriber.filters)
        for gone in subscriber.filters:
            if not self._wishes[gone]:
                del self._wishes[gone]
        subscriber.filters = filters

    def _tell(self, connection: Connection, why: str) -> None:
        answer = Transport("nak", self.own_ivorn, self.own_ivorn, result=why)
        self.send(connection, answer.to_xml())

    def _forbid(self, expression: str, why: str) -> None:
        for connection, subscriber in tuple(self.subscribers.items()):
            if expression in subscriber.filters:
                self._barred[connection.peer] = time.monotonic() + PENANCE
                self.drop(connection, f"has a filter that {why}: {expression[:80]!r}")

    @property
    def _recalling(self) -> bool:
        """Whether those who connect may have been connected before a restart."""
        return time.monotonic() < self._recall_until and not self.feed.fresh

    def _fetch(self) -> None:
        """Send what is new, unless those who read well, or the filters, are behind already."""
        for event in self.feed.take(self._pace.room if len(self._filters) < MAX_QUESTIONS else 0):
            self._pace.went(len(event.frame))
            if self._recalling:
                self._recalled.append(event)
            else:
                self._recalled.clear()
            self._handed = event.number
            for connection, subscriber in tuple(self.subscribers.items()):
                if not subscriber.ready or subscriber.held:
                    subscriber.held.append(event)
                    if subscriber.ready and len(subscriber.held) > 2 * MAX_RECALLED:
                        self.drop(connection, "does not read")
            self._offer(event, [connection for connection, subscriber in self.subscribers.items()
                                if not subscriber.held])

    def _offer(self, event: Event, connections: Iterable[Connection]) -> None:
        """Send an event to those who want it, now or when that is known."""
        filtered: dict[Connection, frozenset[str]] = {}
        for connection in connections:
            subscriber = self.subscribers.get(connection)
            if subscriber is None or not subscriber.filters:
                self._deliver(event, connection)
            else:
                filtered[connection] = subscriber.filters
        if not filtered:
            return

        def answer(matched: frozenset[str]) -> None:
            for connection, filters in filtered.items():
                if filters & matched:
                    self._deliver(event, connection)

        self._filters.ask(event.number, event.payload,
                          sorted(frozenset[str]().union(*filtered.values())), answer)

    def _deliver(self, event: Event, connection: Connection) -> None:
        subscriber = self.subscribers.get(connection)
        if subscriber is not None:
            subscriber.outstanding[event.ivorn] = (event.number, time.monotonic())
            if len(subscriber.outstanding) > MAX_REMEMBERED:
                del subscriber.outstanding[next(iter(subscriber.outstanding))]
            self.send_frame(connection, event.frame)

    def _release(self, connection: Connection, subscriber: Subscriber) -> None:
        """Send what was held, as fast as it is taken."""
        while subscriber.held and connection.open and connection.unsent <= self.max_unsent // 2:
            self._offer(subscriber.held.popleft(), (connection,))

    def _look_after(self, connection: Connection) -> None:
        """Send a sign of life when it is time, and drop those who gave none."""
        subscriber = self.subscribers.get(connection)
        if subscriber is None:
            return
        now = time.monotonic()
        if subscriber.ready or now > connection.opened + GREETING:
            subscriber.ready = True
            self._release(connection, subscriber)
        if now < subscriber.alive_at:
            return
        subscriber.alive_at = now + self.interval
        if subscriber.unanswered:
            self.drop(connection, "did not answer the last iamalive")
        elif len(subscriber.outstanding) >= self.max_outstanding and not subscriber.acked:
            self.drop(connection, f"left {len(subscriber.outstanding)} packets unacknowledged")
        else:
            subscriber.acked = False
            subscriber.unanswered += 1
            self.send_frame(connection, encode(transport.iamalive(self.own_ivorn).to_xml()))

    def _delivered(self) -> int:
        """Return the number up to which everything has arrived where it should."""
        if self._recalling:
            return self.feed.began_at or 0
        # Before the look at the queue: what was read up to here is in it, or handed on.
        reached = self.feed.reached
        waiting = [subscriber.held[0].number
                   for subscriber in self.subscribers.values() if subscriber.held]
        if self._filters.oldest is not None:
            waiting.append(self._filters.oldest)
        now = time.monotonic()
        for subscriber in self.subscribers.values():
            first = next(iter(subscriber.outstanding.values()), None)
            # Some never acknowledge what they do not understand.
            if first is not None and now - first[1] < 2 * self.interval:
                waiting.append(first[0])
        if waiting:
            return min(waiting) - 1
        return reached if self.feed.empty else self._handed
