"""VTPClient: listen to VOEvent brokers over TCP; keep first, acknowledge after."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import NoticeError, TransportError
from ..notice import Notice, utcnow
from ..streams.transport import MAX_MESSAGE, Transport, may_be_transport, parse
from .backoff import Backoff
from .connect import SLICE, connect
from .quiet import QuietLog
from .vtp_holding import Holding
from .vtp_link import Link
from .vtp_state import StateReporter, VTPState

log = logging.getLogger(__name__)


@dataclass
class _Broker:
    """One address, and when it may be tried again."""

    address: tuple[str, int]
    backoff: Backoff
    ready_at: float = 0.0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.address[0]}:{self.address[1]}"


class VTPClient:
    """Subscribe to VOEvent brokers, one connection at a time, for ever.

    Every packet is given to `accept` as the bytes that arrived, well-formed or not, and is
    acknowledged after `accept` has returned. While the ledger is away, packets wait in
    memory; when there is no more room, the network waits.

    Parameters
    ----------
    addresses : sequence of (str, int)
        Host and port of the brokers; those that fail are left alone for a while, and the
        next is tried.
    accept : callable
        Takes a list of notices and keeps all of them or raises
        `gwbroker.errors.LedgerUnavailable`, after which it is called again later. Any other
        exception ends `run`, unacknowledged.
    should_stop : callable
        Asked several times a second, also while connecting and waiting.
    source : str
        Name of the source, as ``vtp.comet``.
    own_ivorn : str
        Who we say that we are.
    filters : sequence of str
        XPath expressions, sent to a broker that asks who we are; it then sends only the
        packets that one of them matches.
    max_message : int
        Longest document that is accepted, in bytes.
    silence : float
        Longest time without a byte from the broker, in seconds; brokers send ``iamalive``
        about once a minute.
    packet_timeout, connect_timeout : float
        Longest time for one document and for one attempt to connect, in seconds.
    backoff : (float, float)
        Shortest and longest pause after a failure, in seconds.
    settle : float
        A connection that has carried traffic for this long (seconds) was a good one; the
        pauses start again from the shortest.
    max_held, max_held_bytes : int
        Most packets, and bytes in them, that wait in memory for the ledger.
    on_state : callable, optional
        Told of every change as a `VTPState`; must not raise.

    Raises
    ------
    ValueError
        If there is no address, or a port that cannot be.
    TransportError
        If `own_ivorn` or a filter cannot be written in XML.
    """

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        accept: Callable[[list[Notice]], object],
        should_stop: Callable[[], bool],
        source: str,
        own_ivorn: str = "ivo://gwbroker/listener",
        *,
        filters: Sequence[str] = (),
        max_message: int = MAX_MESSAGE,
        silence: float = 150.0,
        packet_timeout: float = 60.0,
        connect_timeout: float = 10.0,
        backoff: tuple[float, float] = (1.0, 60.0),
        settle: float = 30.0,
        max_held: int = 1000,
        max_held_bytes: int = 64 * 1024 * 1024,
        on_state: Callable[[VTPState], object] | None = None,
    ) -> None:
        if not addresses or not all(0 < port < 65536 for _, port in addresses):
            raise ValueError(f"{source}: host and port are needed, found {addresses!r}")
        # Fail now rather than at the first answer.
        Transport("authenticate", None).answer(own_ivorn, tuple(filters)).to_xml()
        self.should_stop = should_stop
        self.source = source
        self.own_ivorn = own_ivorn
        self.filters = tuple(filters)
        self.max_message = max_message
        self.silence = silence
        self.packet_timeout = packet_timeout
        self.connect_timeout = connect_timeout
        self.settle = settle
        self._brokers = [_Broker((host, port), Backoff(*backoff)) for host, port in addresses]
        self._state = StateReporter(on_state)
        self._log = QuietLog(log)
        self._holding = Holding(
            accept, source, own_ivorn, max_held, max_held_bytes,
            Backoff(min(0.25, backoff[1]), min(10.0, backoff[1])), self._state, self._log,
        )
        self._stopped = False

    @property
    def state(self) -> VTPState:
        """How the client is doing now."""
        return self._state.now

    def run(self) -> None:
        """Listen until `should_stop` says so."""
        while not self.should_stop():
            broker = min(self._brokers, key=lambda each: each.ready_at)
            wait = broker.ready_at - time.monotonic()
            if wait <= 0:
                self._visit(broker)
            elif not self._holding.keep():
                time.sleep(min(wait, SLICE))
        self._last_try()

    def _visit(self, broker: _Broker) -> None:
        """Connect to a broker and listen until the connection is over or we are to stop."""
        self._state.note(address=broker.name)
        link = None
        try:
            sock = connect(broker.address, self.connect_timeout, self._give_up)
            if sock is None:
                return
            link = Link(sock, self.max_message, self.silence, self.packet_timeout)
            self._log(logging.INFO, f"up {broker.name}", "%s: connected to %s", self.source,
                      broker.name)
            self._state.report(connected=True, last_error=None)
            self._listen(link, broker)
            self._last_try()
            link.flush(0.5)
        except TransportError as e:
            pause = broker.backoff.next()
            broker.ready_at = time.monotonic() + pause
            self._log(logging.WARNING, f"down {broker.name}", "%s: %s: %s; next try in %.1f s",
                      self.source, broker.name, e, pause)
            self._state.note(last_error=str(e))
            if link is not None:
                self._wind_up(link)
        finally:
            if link is not None:
                link.close()
            self._state.report(connected=False)

    def _listen(self, link: Link, broker: _Broker) -> None:
        while not self.should_stop():
            while not self._holding.full and (payload := link.next()) is not None:
                self._take(payload, link)
            if not self._holding.keep():
                wait = max(0.0, min(SLICE, self._holding.due))
                link.step(wait, reading=not self._holding.full)
            if link.spoke - link.opened >= self.settle:
                broker.backoff.reset()

    def _wind_up(self, link: Link) -> None:
        """Keep and acknowledge what arrived completely before a connection failed."""
        try:
            while (payload := link.next()) is not None:
                self._take(payload, link)  # Room or not: it is in memory already.
        except TransportError as e:
            log.debug("%s: what follows is unusable: %s", self.source, e)
        while not self.should_stop() and self._holding.keep():
            pass
        link.flush(0.5)

    def _take(self, payload: bytes, link: Link) -> None:
        """Answer a message of the protocol, and hold anything else for the ledger."""
        if may_be_transport(payload):
            try:
                message = parse(payload)
            except (NoticeError, TransportError) as e:
                # It is kept like everything else that is not understood.
                log.debug("%s: %s", self.source, e)
            else:
                if isinstance(message, Transport):
                    self._answer(message, link)
                    return
        self._holding.add(payload, link)

    def _answer(self, message: Transport, link: Link) -> None:
        link.spoke = time.monotonic()
        self._state.report(last_traffic=utcnow())
        if message.origin is None:
            self._log(logging.WARNING, "origin", "%s: %s without Origin", self.source,
                      message.role)
        if message.role == "iamalive":
            link.send(message.answer(self.own_ivorn).to_xml())
        elif message.role == "authenticate":
            link.send(message.answer(self.own_ivorn, self.filters).to_xml())
        else:
            self._log(logging.INFO, message.role, "%s: the broker sent %s for %s", self.source,
                      message.role, message.origin)

    def _give_up(self) -> bool:
        self._holding.keep()
        return self.should_stop()

    def _last_try(self) -> None:
        """Offer what waits to the ledger once more before stopping."""
        if self._stopped:
            return
        self._stopped = True
        while self._holding.keep(now=True):
            pass
        if len(self._holding):
            log.error("%s: stopping with %d packets that the ledger did not take; they were not "
                      "acknowledged", self.source, len(self._holding))
