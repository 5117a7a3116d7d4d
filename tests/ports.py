"""Ports of this machine for the tests: free ones, and one at which nobody listens."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator


def free_port() -> int:
    """Return a port that nobody listens on, below those that the system gives to clients."""
    while True:
        # Not the generator that a test may have seeded.
        port = random.SystemRandom().randint(15000, 29999)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port that refuses whoever connects; nobody else gets it meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
