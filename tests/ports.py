"""Ports of this machine for the tests: free ones, and one at which nobody listens."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path


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


def listened(pid: int) -> set[int]:
    """Return the ports at which a process listens, and not somebody else."""
    mine = set()
    with contextlib.suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                mine.add(os.readlink(each))
    found = set()
    for family in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                # 0A is LISTEN; the sixth of the rest is the inode.
                if state == "0A" and f"socket:[{rest[5]}]" in mine:
                    found.add(int(local.rpartition(":")[2], 16))
    return found
