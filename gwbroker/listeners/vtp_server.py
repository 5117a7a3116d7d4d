"""A server of VOEvent frames: every connection in one loop, each with limits of its own."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence

from ..errors import TransportError
from ..streams.transport import encode
from .quiet import QuietLog
from .vtp_connection import Connection
from .vtp_shares import Shares

log = logging.getLogger(__name__)

BACKLOG = 512
ACCEPTS = 64
"""Most connections that are taken before those that are open get their turn."""

MAX_BUFFERED = 64 * 1024 * 1024
"""Bytes of unfinished documents, of all connections together, before the largest has to go."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Server:
    """Listen on a port and talk to those who may connect; a subclass says about what.

    Nothing waits for one client: sockets do not block, what a client does not take is bounded
    by `max_unsent`, what it sends by `max_message`, before any memory is taken, and the time
    of each turn is shared among the hosts.

    Parameters
    ----------
    address : (str, int)
        Where to listen; port 0 takes a free one.
    whitelist : sequence of networks
        Who may connect; the connection of anybody else is closed at once.
    max_message : int
        Longest document that is accepted, in bytes.
    max_connections, max_per_peer : int
        Most connections, in all and from one host.
    max_unsent : int
        Most bytes that wait for a client before it is dropped.

    Attributes
    ----------
    opened : callable
        Called once the port is open.
    """

    kind = "client"

    def __init__(
        self, address: tuple[str, int], whitelist: Sequence[Network], *, max_message: int,
        max_connections: int, max_per_peer: int, max_unsent: int = 1024 * 1024,
    ) -> None:
        self.address = address
        self.whitelist = tuple(whitelist)
        self.max_message = max_message
        self.max_connections = max_connections
        self.max_per_peer = max_per_peer
        self.max_unsent = max_unsent
        self.connections: dict[int, Connection] = {}
        self.say = QuietLog(log)
        self.opened: Callable[[], object] = lambda: None
        self._listening: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._peers: Counter[str] = Counter()
        self._buffered = 0
        self._shares = Shares()

    def listen(self) -> None:
        """Open the port.

        Raises
        ------
        TransportError
            If it cannot be opened, because another program has it, for example.
        """
        host, port = self.address
        try:
            family, _, _, _, where = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            # With SO_REUSEADDR, so that a restart need not wait for old connections.
            self._listening = socket.create_server(where[:2], family=family, backlog=BACKLOG)
        except OSError as e:
            raise TransportError(
                f"cannot listen on {host}:{port}: {e.strerror or e}") from None
        self._listening.setblocking(False)
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self.address = self._listening.getsockname()[:2]
        log.info("%s: listening on %s:%d", self.kind, *self.address)
        self.opened()

    def watch(self, sock: socket.socket, call: Callable[[], object]) -> None:
        """Call a function in the loop whenever another socket can be read."""
        self._selector.register(sock, selectors.EVENT_READ, call)

    def unwatch(self, sock: socket.socket) -> None:
        """Forget a socket of `watch`."""
        self._selector.unregister(sock)

    def turn(self, wait: float) -> None:
        """Move the bytes that can be moved, after waiting for some at most so long (s)."""
        self._shares.begin()
        reading, calls = [], []
        for key, events in self._selector.select(0.0 if self._shares.behind else wait):
            connection = key.data
            if not isinstance(connection, Connection):
                calls.append(connection)
                continue
            if events & selectors.EVENT_WRITE and connection.open:
                self._write(connection)
            if events & selectors.EVENT_READ:
                reading.append(connection)
        for connection in self._shares.order(reading):
            self._read(connection)
        # New connections last, when those that have ended have made room.
        for call in sorted(calls, key=lambda each: each == self._accept):
            call()

    def expire(self) -> None:
        """Close the connections whose time is over."""
        now = time.monotonic()
        for connection in [c for c in self.connections.values() if c.due <= now]:
            self.timed_out(connection)

    def send(self, connection: Connection, payload: bytes) -> None:
        """Send a document, or drop a client that takes none."""
        self.send_frame(connection, encode(payload))

    def send_frame(self, connection: Connection, frame: bytes) -> None:
        """Send a document in its frame, whose bytes may be shared by many connections."""
        if not connection.open:
            return
        connection.outgoing.append(frame)
        connection.unsent += len(frame)
        if not connection.writing:
            self._write(connection)
        if connection.open and connection.unsent > self.max_unsent:
            self.drop(connection, f"does not read: {connection.unsent} B wait for it")

    def finish(self, connection: Connection, patience: float) -> None:
        """Close a connection once it has taken what is on its way, or after that time (s)."""
        if not connection.closing:
            connection.closing = True
            connection.due = time.monotonic() + patience
            self._write(connection)

    def drop(self, connection: Connection, why: str) -> None:
        """Close a connection that breaks the rules."""
        self.say(logging.WARNING, f"{connection.peer} {why[:12]}", "%s: dropped %s, which %s",
                 self.kind, connection.name, why)
        self.close(connection)

    def close(self, connection: Connection) -> None:
        """Close a connection; harmless if it has been done."""
        if not connection.open:
            return
        connection.open = False
        self._shares.forget(connection)
        self._buffered -= len(connection.decoder)
        del self.connections[connection.sock.fileno()]
        self._peers[connection.peer] -= 1
        if not self._peers[connection.peer]:
            del self._peers[connection.peer]
        self._selector.unregister(connection.sock)
        connection.sock.close()
        connection.outgoing.clear()
        self.left(connection)

    def shut(self) -> None:
        """Close everything."""
        for connection in tuple(self.connections.values()):
            self.close(connection)
        if self._listening is not None:
            self._listening.close()
        self._selector.close()

    def came(self, connection: Connection) -> None:
        """Take note of a client that has connected."""

    def left(self, connection: Connection) -> None:
        """Take note of a client that is gone."""

    def heard(self, connection: Connection, payload: bytes) -> None:
        """Take a document."""
        raise NotImplementedError

    def timed_out(self, connection: Connection) -> None:
        """Take note that a connection's time is over."""
        self.close(connection)

    def make_room(self) -> bool:
        """Close a connection in favour of a new one, if one deserves it; tell whether."""
        return False

    def _accept(self) -> None:
        assert self._listening is not None
        for _ in range(ACCEPTS):
            try:
                sock, where = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as e:
                if e.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise TransportError(f"cannot take connections: {e.strerror}") from None
                self.say(logging.ERROR, "full", "%s: no connection can be taken: %s", self.kind,
                         e.strerror)
                # Those that wait keep the selector awake; others must get their turn.
                time.sleep(0.02)
                return
            self._welcome(sock, where[0].partition("%")[0], where[1])

    def _welcome(self, sock: socket.socket, peer: str, port: int) -> None:
        address = ipaddress.ip_address(peer)
        # An IPv4 host on a socket for both.
        address = getattr(address, "ipv4_mapped", None) or address
        why = ""
        if self._peers[str(address)] >= self.max_per_peer \
                or len(self.connections) >= self.max_connections:
            # Some may have hung up already, unseen so far.
            for connection in tuple(self.connections.values()):
                self._read(connection)
        if not any(address in network for network in self.whitelist):
            why = "its host is not in the whitelist"
        elif self._peers[str(address)] >= self.max_per_peer:
            why = f"its host has {self.max_per_peer} connections already"
        elif len(self.connections) >= self.max_connections and not self.make_room():
            why = f"there are {self.max_connections} connections already"
        if why:
            self.say(logging.WARNING, f"refused {why[:12]}", "%s: refused %s: %s", self.kind,
                     address, why)
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = Connection(sock, str(address), port, self.max_message)
        self.connections[sock.fileno()] = connection
        self._peers[connection.peer] += 1
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self.came(connection)

    def _read(self, connection: Connection) -> None:
        if not connection.open or not self._shares.left(connection):
            return
        data: bytes | None = b""
        if not self._shares.forget(connection):
            data = connection.receive()
            if data == b"":
                self.close(connection)
        if data is None or connection.closing or not connection.open:
            return
        self._buffered += len(data)
        connection.decoder.feed(data)
        try:
            with self._shares.hear(connection):
                self._take(connection)
        except TransportError as e:
            self.drop(connection, f"breaks the protocol: {e}")
        if self._buffered > MAX_BUFFERED:
            greedy = max(self.connections.values(), key=lambda each: len(each.decoder))
            self.drop(greedy, f"fills the memory with a document of {greedy.decoder.wanted} B")

    def _take(self, connection: Connection) -> None:
        """Take the documents that have arrived whole, as long as its host has time left."""
        while connection.open and not connection.closing:
            before = len(connection.decoder)
            payload = connection.decoder.next()
            if payload is None:
                return
            self._buffered += len(connection.decoder) - before
            self.heard(connection, payload)
            if connection.open and self._shares.spent(connection):
                return

    def _write(self, connection: Connection) -> None:
        try:
            connection.flush()
        except OSError:
            self.close(connection)
            return
        left = bool(connection.outgoing)
        if left != connection.writing:
            connection.writing = left
            self._selector.modify(connection.sock, selectors.EVENT_READ | (
                selectors.EVENT_WRITE if left else 0), connection)
        if connection.closing and not left:
            # Closing at once would throw away our answer if the client is still sending.
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_WR)
