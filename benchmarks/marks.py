"""Marks: how handlers and tasks in other processes say when they began, without a poll.

A named pipe: a write shorter than 4 kB is not divided, and the reader sleeps until it comes.
"""

from __future__ import annotations

import os
import select
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

VARIABLE = "BENCHMARK_MARKS"
_MARK = struct.Struct("=dd")
_handles: dict[int, int] = {}


def mark(since: float, now: float) -> None:
    """Say that something which was asked for at one time (s) began at another."""
    pid = os.getpid()
    if pid not in _handles:
        _handles[pid] = os.open(os.environ[VARIABLE], os.O_WRONLY)
    os.write(_handles[pid], _MARK.pack(since, now))


class Marks:
    """The reading end, in the process that measures."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        os.environ[VARIABLE] = str(path)
        # Our own writing end keeps the pipe from ending between two writers.
        self._handle = os.open(path, os.O_RDWR)
        self._left = b""

    def take(self, number: int, timeout: float = 60.0) -> list[tuple[float, float]]:
        """Wait for so many marks; return (asked for, began) of each, in seconds.

        Raises
        ------
        TimeoutError
            If they do not come in time (s).
        """
        deadline = time.monotonic() + timeout
        while len(self._left) < number * _MARK.size:
            if not select.select([self._handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"{len(self._left) // _MARK.size} of {number} marks came "
                                   f"within {timeout:.0f} s")
            self._left += os.read(self._handle, 65536)
        mine, self._left = self._left[:number * _MARK.size], self._left[number * _MARK.size:]
        return list(_MARK.iter_unpack(mine))

    def close(self) -> None:
        """Close it."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
