"""Connection: one client of a server of VOEvent frames."""

from __future__ import annotations

import socket
import time
from collections import deque
from itertools import islice

from ..streams.transport import Decoder

CHUNK = 64 * 1024
SENT_AT_ONCE = 64
"""Most frames handed to the system in one call."""


class Connection:
    """One client: its socket, what arrived of its next document, and what it has not taken.

    Attributes
    ----------
    peer : str
        Address of its host, without the port.
    due : float
        When it is closed unless something happens before, on the monotonic clock.
    served : float
        When its documents were read last, on the same clock.
    closing : bool
        Whether it is closed as soon as it has taken what is on its way.
    open : bool
        Whether it is connected.
    held : int
        How many documents of it wait for an answer; the server's subclass counts them.
    """

    def __init__(self, sock: socket.socket, peer: str, port: int, limit: int) -> None:
        self.sock = sock
        self.peer = peer
        self.name = f"{peer}:{port}"
        self.decoder = Decoder(limit)
        self.opened = self.served = time.monotonic()
        self.due = float("inf")
        self.closing = False
        self.open = True
        self.outgoing: deque[bytes | memoryview] = deque()
        self.unsent = 0
        self.writing = False
        self.held = 0

    def receive(self) -> bytes | None:
        """Return what has arrived: None if that is nothing, no bytes at the end."""
        try:
            return self.sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def flush(self) -> None:
        """Hand the system as much of what is on its way as it takes.

        Raises
        ------
        OSError
            If the connection is broken.
        """
        outgoing = self.outgoing
        while outgoing:
            try:
                sent = self.sock.sendmsg(list(islice(outgoing, SENT_AT_ONCE)))
            except (BlockingIOError, InterruptedError):
                return
            self.unsent -= sent
            while sent:
                first = outgoing.popleft()
                if len(first) > sent:
                    outgoing.appendleft(memoryview(first)[sent:])
                    break
                sent -= len(first)
