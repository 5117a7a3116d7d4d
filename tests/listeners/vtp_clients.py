"""Authors, subscribers and our two servers in threads, for the tests of the VOEvent broker."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Self

from gwbroker.errors import LedgerUnavailable
from gwbroker.listeners.vtp_broadcaster import Broadcaster
from gwbroker.listeners.vtp_feed import Feed
from gwbroker.listeners.vtp_receiver import Receiver
from gwbroker.listeners.vtp_server import Server
from gwbroker.notice import Notice
from gwbroker.streams import transport
from gwbroker.streams.transport import Decoder, Transport, encode, parse

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def packet(ivorn: str, text: str = "", version: str = "2.0") -> bytes:
    """Return a VOEvent that the receiver takes."""
    return (
        f'<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v{version}" version="{version}" '
        f'role="test" ivorn="{ivorn}"><Who><AuthorIVORN>ivo://test.example/me</AuthorIVORN>'
        f"<Date>2026-01-01T00:00:00</Date></Who><What><Description>{text}</Description></What>"
        f"</v:VOEvent>").encode()


class Client:
    """A client that sends what it is told to, and hears what comes."""

    def __init__(self, address: tuple[str, int], source: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection(address, timeout=30, source_address=(source, 0))
        self.decoder = Decoder(1 << 30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *documents: bytes) -> None:
        """Send documents, each in a frame."""
        self.sock.sendall(b"".join(encode(each) for each in documents))

    def hear(self, timeout: float = 30.0) -> bytes | None:
        """Return the next document; None when the server has hung up."""
        self.sock.settimeout(timeout)
        while (payload := self.decoder.next()) is None:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.decoder.feed(data)
        return payload

    def answer(self) -> Transport:
        """Return the next document as a message of the protocol."""
        message = parse(self.hear() or b"")
        assert isinstance(message, Transport)
        return message

    def silent(self, seconds: float) -> bool:
        """Tell whether nothing comes for a while, and the connection stays."""
        try:
            self.hear(seconds)
        except TimeoutError:
            return True
        return False


class Subscriber(Client):
    """A subscriber that answers like a good one, unless told not to."""

    def __init__(
        self, address: tuple[str, int], *filters: str, source: str = "127.0.0.1",
    ) -> None:
        super().__init__(address, source)
        try:
            question = self.answer()
        except BaseException:
            self.sock.close()
            raise
        assert question.role == "authenticate"
        self.send(question.answer("ivo://test.example/subscriber", filters).to_xml())

    def event(self, acked: bool = True, timeout: float = 30.0) -> bytes | None:
        """Return the next packet, acknowledged; None when the server has hung up."""
        while (payload := self.hear(timeout)) is not None:
            message = parse(payload)
            if not isinstance(message, Transport):
                if acked:
                    self.send(transport.ack(message.ivorn or "", "ivo://test.example/s").to_xml())
                return payload
            if message.role == "iamalive":
                self.send(message.answer("ivo://test.example/s").to_xml())
        return None

    def refusal(self) -> str:
        """Return why a filter is left out."""
        while True:
            message = self.answer()
            if message.role == "nak":
                return message.result or ""

    def refused(self) -> bool:
        """Tell whether the server hangs up, whatever it sends before."""
        while self.hear() is not None:
            pass
        return True


class Running:
    """A server in a thread."""

    def __init__(self, make: Callable[[Callable[[], bool]], Server]) -> None:
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        self.server = make(self.stopping.is_set)
        self._open = threading.Event()
        self.server.opened = self._open.set
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.server.run()  # type: ignore[attr-defined]
        except BaseException as e:
            self.error = e
        finally:
            self._open.set()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.server.address

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._open.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert self.error is None, self.error

    def stop(self) -> None:
        """Stop it."""
        self.stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


class Receiving(Running):
    """A receiver whose ledger is a list, which can be away, or take its time."""

    def __init__(self, **options: object) -> None:
        self.notices: list[Notice] = []
        self.batches: list[int] = []
        self.away = False
        self.at_work = threading.Event()
        self.at_work.set()
        super().__init__(lambda stop: Receiver(
            ("127.0.0.1", 0), self._accept, self._known, stop, "ivo://test.example/broker",
            **{"whitelist": LOOPBACK, **options}))  # type: ignore[arg-type]

    def _accept(self, notices: list[Notice]) -> None:
        if self.away:
            raise LedgerUnavailable("the ledger is away")
        assert self.at_work.wait(30)
        self.notices += notices
        self.batches.append(len(notices))

    def _known(self, identifiers: object) -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = {}
        for notice in self.notices:
            message = parse(notice.payload)
            found.setdefault(getattr(message, "ivorn", ""), set()).add(notice.digest)
        return {key: value for key, value in found.items() if key in identifiers}  # type: ignore[operator]


class Broadcasting(Running):
    """A broadcaster on the ledger of the test."""

    def __init__(self, *, max_age: float = 3600, **options: object) -> None:
        super().__init__(lambda stop: Broadcaster(
            ("127.0.0.1", 0), Feed("vtp_broadcaster", ("vtp_receiver",), max_age), stop,
            "ivo://test.example/broker",
            **{"whitelist": LOOPBACK, "max_per_peer": 100, **options}))  # type: ignore[arg-type]
