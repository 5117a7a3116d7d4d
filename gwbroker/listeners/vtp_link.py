"""One TCP connection that carries VOEvent frames, with its buffers and deadlines."""

from __future__ import annotations

import select
import socket
import time

from ..errors import TransportError
from ..streams.transport import HEADER, Decoder, encode

CHUNK = 64 * 1024
MAX_OUTGOING = 1024 * 1024


class Link:
    """A connected, non-blocking socket; the caller gives it time by calling `step`.

    Time counts against a deadline only while the link is listening: neither a slow
    ledger nor a pause for lack of room can make the peer look silent.

    Parameters
    ----------
    sock : socket.socket
        The connected socket; the link owns it from here on.
    limit : int
        Longest document that is accepted, in bytes.
    silence : float
        Longest time without a byte from the peer, in seconds.
    packet_timeout : float
        Longest time from the first byte of a document to its last, in seconds.

    Attributes
    ----------
    opened, spoke : float
        Times, on the monotonic clock, of the connection and of the last document that was
        understood; who understands it sets the latter.
    open : bool
        Whether the peer can still be answered.
    """

    def __init__(
        self, sock: socket.socket, limit: int, silence: float, packet_timeout: float
    ) -> None:
        self.opened = time.monotonic()
        self.spoke = self.opened
        self.open = True
        self._socket = sock
        self._decoder = Decoder(limit)
        self._outgoing = bytearray()
        self._silence = silence
        self._packet_timeout = packet_timeout
        self._quiet = self._pending = self._stuck = 0.0

    def next(self) -> bytes | None:
        """Return the next document that has arrived completely, if there is one.

        Raises
        ------
        TransportError
            If the peer announces a document that is too long.
        """
        payload = self._decoder.next()
        if payload is not None:
            self._pending = 0.0
        return payload

    def send(self, payload: bytes) -> bool:
        """Queue a document for the peer; tell whether it can still be sent."""
        if self.open:
            self._outgoing += encode(payload)
            self._write()
        return self.open

    def step(self, wait: float, reading: bool = True) -> None:
        """Wait for the network for a while, and move the bytes that can be moved.

        Parameters
        ----------
        wait : float
            Longest time to wait, in seconds.
        reading : bool
            Whether there is room for more documents; if not, the bytes stay in the
            network, and the peer feels it.

        Raises
        ------
        TransportError
            If the connection is over: closed, broken, silent or too slow.
        """
        reading = reading and len(self._outgoing) <= MAX_OUTGOING
        before = time.monotonic()
        events = (select.POLLIN if reading else 0) | (select.POLLOUT if self._outgoing else 0)
        if events:
            poller = select.poll()
            poller.register(self._socket, events)
            poller.poll(max(0.0, wait) * 1000)
        else:
            # Polling for nothing would return at once, again and again, from a dead socket.
            time.sleep(wait)
        wrote = self._write()
        arrived = self._read() if reading else 0
        self._watch(time.monotonic() - before, reading, arrived, wrote)

    def flush(self, timeout: float) -> None:
        """Send what is queued, as far as the peer takes it in that time (seconds)."""
        end = time.monotonic() + timeout
        while self.open and self._outgoing and time.monotonic() < end:
            poller = select.poll()
            poller.register(self._socket, select.POLLOUT)
            poller.poll(max(0.0, end - time.monotonic()) * 1000)
            self._write()

    def close(self) -> None:
        """Close the connection."""
        self.open = False
        self._outgoing.clear()
        self._socket.close()

    def _read(self) -> int:
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as e:
            raise TransportError(f"the connection broke: {e.strerror or e}") from None
        if not data:
            inside = f" in the middle of a message ({self._progress()})" if self._decoder else ""
            raise TransportError(f"the peer closed the connection{inside}")
        self._decoder.feed(data)
        return len(data)

    def _write(self) -> int:
        if not self._outgoing:
            return 0
        try:
            sent = self._socket.send(memoryview(self._outgoing)[:CHUNK].tobytes())
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            # The peer hears nothing any more, but what it said before may still be on
            # its way to us: reading goes on until it ends.
            self.open = False
            self._outgoing.clear()
            return 0
        del self._outgoing[:sent]
        return sent

    def _watch(self, elapsed: float, reading: bool, arrived: int, wrote: int) -> None:
        self._stuck = 0.0 if wrote or not self._outgoing else self._stuck + elapsed
        if self._stuck > self._silence:
            raise TransportError(f"the peer took no byte for {self._silence:g} s")
        if not reading:
            return
        self._quiet = 0.0 if arrived else self._quiet + elapsed
        if self._quiet > self._silence:
            raise TransportError(f"the peer said nothing for {self._silence:g} s")
        self._pending = self._pending + elapsed if self._decoder else 0.0
        if self._pending > self._packet_timeout:
            raise TransportError(
                f"a message did not arrive within {self._packet_timeout:g} s ({self._progress()})"
            )

    def _progress(self) -> str:
        wanted = self._decoder.wanted
        return f"{max(0, len(self._decoder) - HEADER.size)} B of {wanted or 'an unknown number'}"
