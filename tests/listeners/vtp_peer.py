"""A scripted broker and a client in a thread, for the tests of the VOEvent client."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from gwbroker.errors import TransportError
from gwbroker.listeners.vtp_client import VTPClient
from gwbroker.notice import Notice
from gwbroker.streams import transport
from gwbroker.streams.transport import Transport, encode, parse

ALIVE = transport.iamalive("ivo://broker/x").to_xml()


def event(ivorn: str) -> bytes:
    """Return a small VOEvent."""
    return (
        f"<v:VOEvent xmlns:v='http://www.ivoa.net/xml/VOEvent/v2.0' role='test' version='2.0' "
        f"ivorn='{ivorn}'/>"
    ).encode()


class Conversation:
    """The broker's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.decoder = transport.Decoder()

    def send(self, *documents: bytes) -> None:
        """Send documents, each in a frame."""
        self.sock.sendall(b"".join(encode(each) for each in documents))

    def hear(self) -> Transport | None:
        """Return the client's next message; None when it has hung up."""
        while (payload := self.decoder.next()) is None:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.decoder.feed(data)
        message = parse(payload)
        assert isinstance(message, Transport)
        return message

    def wait_end(self) -> None:
        """Read until the client hangs up."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass


class Peer:
    """A broker that runs a script for each connection, and remembers when each came."""

    def __init__(self, script: Callable[[Conversation], None]) -> None:
        self.script = script
        self.times: list[float] = []
        self.errors: list[BaseException] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = self.listening.getsockname()[:2]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone does not wake a thread that waits for a connection.
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        assert not self.errors, self.errors

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.times.append(time.monotonic())
            self._open.append(sock)
            thread = threading.Thread(target=self._talk, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, sock: socket.socket) -> None:
        with sock:
            try:
                self.script(Conversation(sock))
            except (AssertionError, TransportError) as e:
                self.errors.append(e)
            except OSError:
                pass  # The client hung up in the middle of the script, which it may.


class Listening:
    """A client that runs in a thread and remembers what it kept."""

    def __init__(self, *addresses: tuple[str, int], accept=None, **options) -> None:
        self.notices: list[Notice] = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.outage: Exception | None = None
        self.attempts = 0
        self.client = VTPClient(
            addresses, accept or self._accept, self.stopping.is_set, "vtp.test", "ivo://me/x",
            **{"backoff": (0.05, 0.2), "on_state": self._on_state, **options},
        )
        self.states = [self.client.state]
        self._thread = threading.Thread(target=self.client.run, daemon=True)

    def _accept(self, notices: list[Notice]) -> None:
        self.attempts += 1
        if self.outage is not None:
            raise self.outage
        with self.changed:
            self.notices += notices
            self.changed.notify_all()

    def _on_state(self, state) -> None:
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Wait for something to become true after the client kept a packet or changed state."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def wait_error(self, text: str, timeout: float = 30.0) -> bool:
        """Wait until an error was reported, which the next success makes forgotten."""
        return self.wait(
            lambda: any(text in (state.last_error or "") for state in self.states), timeout)

    def wait_lost(self, since: int) -> bool:
        """Wait until the connection was lost after so many states; there may be a new one."""
        return self.wait(lambda: any(not state.connected for state in self.states[since:]))

    def wait_kept(self, n: int) -> list[bytes]:
        """Wait until so many packets are kept; return them."""
        assert self.wait(lambda: len(self.notices) >= n), self.client.state
        return [each.payload for each in self.notices]

    def __enter__(self) -> Listening:
        self._thread.start()
        return self

    def stop(self) -> float:
        """Stop the client; return how long that took, in seconds."""
        start = time.monotonic()
        self.stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return time.monotonic() - start

    def __exit__(self, *_: object) -> None:
        self.stop()
