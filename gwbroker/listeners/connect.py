"""Opening a TCP connection while somebody may want to stop."""

from __future__ import annotations

import errno
import os
import queue
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import TransportError

SLICE = 0.2
"""Longest time that passes without asking whether to stop, in seconds."""


def connect(
    address: tuple[str, int], timeout: float, give_up: Callable[[], bool]
) -> socket.socket | None:
    """Open a TCP connection without blocking for long.

    Parameters
    ----------
    address : (str, int)
        Host name or number, and port.
    timeout : float
        Time for each of the addresses that the name stands for, in seconds.
    give_up : callable
        Asked several times a second; true abandons the attempt.

    Returns
    -------
    socket.socket or None
        A connected non-blocking socket; None if the attempt was abandoned.

    Raises
    ------
    TransportError
        If no address answers.
    """
    problem = "the name stands for no address"
    for family, kind, protocol, _, where in _resolve(address, timeout, give_up):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as e:
            problem = e.strerror or str(e)
            continue
        try:
            sock.setblocking(False)
            code = _finish(sock, where, timeout, give_up)
        except BaseException:
            sock.close()
            raise
        if code == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return sock
        sock.close()
        if code is None:
            return None
        problem = os.strerror(code)
    if give_up():
        return None
    raise TransportError(f"cannot connect: {problem}")


def _finish(
    sock: socket.socket, where: Any, timeout: float, give_up: Callable[[], bool]
) -> int | None:
    """Start a connection and wait for it; return its error number, or None if abandoned."""
    code = sock.connect_ex(where)
    end = time.monotonic() + timeout
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    while code in (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK):
        if give_up():
            return None
        if poller.poll(SLICE * 1000):
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        elif time.monotonic() > end:
            return errno.ETIMEDOUT
    if code == 0:
        try:
            # A free local port may be connected to itself, and would then answer all we say.
            return errno.ECONNREFUSED if sock.getsockname() == sock.getpeername() else 0
        except OSError as e:
            return e.errno
    return code


def _resolve(
    address: tuple[str, int], timeout: float, give_up: Callable[[], bool]
) -> list[tuple[Any, ...]]:
    host, port = address
    try:
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except (OSError, UnicodeError, OverflowError):
        pass
    answers: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError, OverflowError) as e:
            answers.put(e)

    # Looking up a name can block for a minute, and nothing can interrupt it.
    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    end = time.monotonic() + timeout
    while not give_up():
        try:
            found = answers.get(timeout=SLICE)
        except queue.Empty:
            if time.monotonic() > end:
                raise TransportError(f"the name {host} was not resolved in time") from None
            continue
        if isinstance(found, Exception):
            raise TransportError(f"the name {host} cannot be resolved: {found}")
        return found
    return []
