"""What a process asks of the system: to die with its parent, and not to eat all memory."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Loaded here, because between fork and exec nothing should be imported.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def cores() -> int:
    """Return the cores that this process may use: OMP_NUM_THREADS, or its affinity."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and asked.isascii() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") \
        else os.cpu_count() or 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Let the kernel signal this process when its parent dies, however it dies (Linux).

    Otherwise the children of a killed worker would finish, unseen, what others begin again.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number))


def limit_memory(more: int) -> None:
    """Let this process allocate so many bytes more than it has now, then raise MemoryError."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            pages = int(f.read().split()[0])
    except OSError:
        pages = 0
    limit = pages * resource.getpagesize() + more
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
