"""VOEventServer: a VOEvent broker over TCP that lives in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import NoticeError, TransportError
from ..streams import transport
from ..streams.transport import Packet, Transport, parse

log = logging.getLogger(__name__)

MAX_UNANSWERED = 3
"""A subscriber that leaves so many ``iamalive`` messages without answer is dropped."""

MAX_UNSENT = 64 * 1024 * 1024
"""A subscriber that leaves so many bytes unread is dropped."""


@dataclass(eq=False)
class Delivery:
    """One packet that was sent out, and how often it was answered."""

    payload: bytes
    ivorn: str | None
    acks: int = 0
    naks: int = 0


class _Subscriber:
    """One connected client."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.unanswered = 0
        self.outstanding: defaultdict[str, deque[Delivery]] = defaultdict(deque)

    def send(self, payload: bytes) -> None:
        """Send a document, or give the client up if it does not read."""
        if self.writer.transport.get_write_buffer_size() > MAX_UNSENT:
            log.warning("a subscriber does not read; dropped")
            self.writer.transport.abort()
        elif not self.writer.is_closing():
            self.writer.write(transport.encode(payload))


class VOEventServer:
    """Send VOEvent packets to everyone who connects, and count the answers.

    It runs in a thread of its own, from `start` to `stop` or as a context manager.

    Parameters
    ----------
    host : str
        Where to listen.
    port : int
        Where to listen; 0 takes a free port.
    ivorn : str
        Who the server says that it is.
    interval : float
        Time between two ``iamalive`` messages, in seconds.
    backlog : {"none", "unacked", "all"}
        What a client gets that comes late: nothing, the packets that nobody has
        acknowledged, or all packets.
    ask : bool
        Whether to ask each client who it is, by ``authenticate``.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, ivorn: str = "ivo://gwbroker/embedded",
        interval: float = 60.0, backlog: Literal["none", "unacked", "all"] = "none",
        ask: bool = False,
    ) -> None:
        self._wanted = (host, port)
        self._address: tuple[str, int] | None = None
        self._ivorn = ivorn
        self._interval = interval
        self._backlog = backlog
        self._ask = ask
        self._changed = threading.Condition()
        self._deliveries: list[Delivery] = []
        self._subscribers: set[_Subscriber] = set()
        self._greetings: list[Transport] = []
        self._alive = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._problem: OSError | None = None

    def start(self) -> None:
        """Start to listen.

        Raises
        ------
        OSError
            If the address cannot be used.
        """
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="voevent server", daemon=True
        )
        self._thread.start()
        ready.wait()
        if self._problem is not None:
            self._thread.join()
            raise self._problem

    def stop(self) -> None:
        """Drop everyone and stop listening; harmless if it has been done."""
        if self._thread is None or self._loop is None or self._ending is None:
            return
        with contextlib.suppress(RuntimeError):  # The loop is closed already.
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def __enter__(self) -> VOEventServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def host(self) -> str:
        """Address on which it listens."""
        return self._address[0] if self._address else self._wanted[0]

    @property
    def port(self) -> int:
        """Port on which it listens."""
        return self._address[1] if self._address else self._wanted[1]

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Every packet that was broadcast, with its answers, in order."""
        with self._changed:
            return tuple(self._deliveries)

    @property
    def greetings(self) -> tuple[Transport, ...]:
        """The answers to ``authenticate``, in order."""
        with self._changed:
            return tuple(self._greetings)

    @property
    def subscribers(self) -> int:
        """Number of clients that are connected now."""
        with self._changed:
            return len(self._subscribers)

    def broadcast(self, payload: bytes) -> Delivery:
        """Send a packet, well-formed or not, to every client that is connected.

        Returns
        -------
        Delivery
            Its counts of answers grow as they come.
        """
        try:
            seen = parse(payload)
            ivorn = seen.ivorn if isinstance(seen, Packet) else None
        except (NoticeError, TransportError):
            ivorn = None
        delivery = Delivery(payload, ivorn)
        self._call(self._send_to_all(delivery))
        return delivery

    def drop(self) -> None:
        """Close the connection to every client, and go on listening."""
        self._call(self._drop_all())

    def wait_subscribed(self, n: int = 1, timeout: float = 10.0) -> bool:
        """Wait until so many clients are connected; tell whether they came in time (s)."""
        return self._wait(lambda: len(self._subscribers) >= n, timeout)

    def wait_acked(self, n: int = 1, timeout: float = 10.0) -> bool:
        """Wait until so many packets were acknowledged by someone; tell whether they were."""
        return self._wait(lambda: sum(each.acks > 0 for each in self._deliveries) >= n, timeout)

    def wait_alive(self, n: int = 1, timeout: float = 10.0) -> bool:
        """Wait until ``iamalive`` was answered so often; tell whether it was in time (s)."""
        return self._wait(lambda: self._alive >= n, timeout)

    def _wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        if self._loop is None or not self._loop.is_running():
            work.close()
            raise TransportError("the VOEvent server is not running")
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _main(self, ready: threading.Event) -> None:
        self._ending = asyncio.Event()
        try:
            server = await asyncio.start_server(self._serve, *self._wanted)
        except OSError as e:
            self._problem = e
            ready.set()
            return
        self._loop = asyncio.get_running_loop()
        self._address = server.sockets[0].getsockname()[:2]
        ready.set()
        await self._ending.wait()
        server.close()
        await self._drop_all()
        # Those who read get what is on its way to them; the others are cut off.
        for _ in range(2):
            talks = asyncio.all_tasks() - {asyncio.current_task()}
            if talks:
                await asyncio.wait(talks, timeout=1)
            for subscriber in tuple(self._subscribers):
                subscriber.writer.transport.abort()

    async def _send_to_all(self, delivery: Delivery) -> None:
        with self._changed:
            self._deliveries.append(delivery)
        for subscriber in tuple(self._subscribers):
            self._deliver(delivery, subscriber)

    async def _drop_all(self) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber.writer.close()

    def _deliver(self, delivery: Delivery, subscriber: _Subscriber) -> None:
        if delivery.ivorn is not None:
            subscriber.outstanding[delivery.ivorn].append(delivery)
        subscriber.send(delivery.payload)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes."""
        subscriber = _Subscriber(writer)
        with self._changed:
            self._subscribers.add(subscriber)
            self._changed.notify_all()
        for delivery in self._deliveries:
            if self._backlog == "all" or (self._backlog == "unacked" and not delivery.acks):
                self._deliver(delivery, subscriber)
        if self._ask:
            subscriber.send(transport.authenticate(self._ivorn).to_xml())
        pulse = asyncio.create_task(self._pulse(subscriber))
        decoder = transport.Decoder()
        try:
            while data := await reader.read(65536):
                decoder.feed(data)
                while (payload := decoder.next()) is not None:
                    self._hear(payload, subscriber)
        except (TransportError, OSError) as e:
            log.info("a subscriber is gone: %s", e)
        finally:
            pulse.cancel()
            with self._changed:
                self._subscribers.discard(subscriber)
                self._changed.notify_all()
            writer.close()

    async def _pulse(self, subscriber: _Subscriber) -> None:
        """Send ``iamalive`` for ever; drop a client that does not answer."""
        while True:
            await asyncio.sleep(self._interval)
            if subscriber.unanswered >= MAX_UNANSWERED:
                log.warning("a subscriber does not answer iamalive; dropped")
                subscriber.writer.close()
                return
            subscriber.unanswered += 1
            subscriber.send(transport.iamalive(self._ivorn).to_xml())

    def _hear(self, payload: bytes, subscriber: _Subscriber) -> None:
        """Take note of what a client says."""
        try:
            message = parse(payload)
        except (NoticeError, TransportError) as e:
            log.warning("a subscriber sent something unreadable: %s", e)
            return
        if not isinstance(message, Transport):
            log.warning("a subscriber sent a packet; ignored")
            return
        with self._changed:
            if message.role == "iamalive":
                subscriber.unanswered = 0
                self._alive += 1
            elif message.role == "authenticate":
                self._greetings.append(message)
            elif waiting := subscriber.outstanding.get(message.origin or ""):
                delivery = waiting.popleft()
                if message.role == "ack":
                    delivery.acks += 1
                else:
                    delivery.naks += 1
            else:
                log.warning("a subscriber answered %s, which it was not sent", message.origin)
            self._changed.notify_all()
