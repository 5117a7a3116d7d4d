"""Processes for the tests: waiting for them, and servers that do not outlive us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from gwbroker.process import die_with_parent

CI = bool(os.environ.get("CI"))
PATIENCE = float(os.environ.get("TESTS_PATIENCE") or (4 if CI else 1))
"""By what the longest time that a test allows is multiplied.

Where that is a number that users are promised, as the 10 s for a listener's return, a healthy
machine is held to it. CI's may have a third of a core, or stand still for seconds. No test waits
longer for what must not happen.
"""

GWBROKER = [sys.executable, "-m", "gwbroker"]


class Absent(Exception):
    """A server is not installed on this machine."""


def poll(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds, for so many seconds times `PATIENCE`.

    Raises
    ------
    AssertionError
        If it does not in time.
    """
    deadline = time.monotonic() + PATIENCE * seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE * seconds:g} s: {what}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def of_session(leader: int) -> list[int]:
    """Return the processes, zombies apart, of a session; what a test started is one each."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = place.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(place.parent.name))
    return found


class _Server:
    """A server process, from `start` to `stop`."""

    _child: subprocess.Popen[bytes] | None = None

    def _spawn(self, command: list[str], **options: object) -> None:
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent, **options)  # type: ignore[call-overload]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it; harmless if that has been done."""
        self.end(signal.SIGINT)

    def end(self, number: signal.Signals = signal.SIGKILL, patience: float = 15.0) -> None:
        """End its process by a signal, and leave its data; harmless if it has ended."""
        if self._child is not None:
            self._child.send_signal(number)
            try:
                self._child.wait(patience)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait(patience)
            self._child = None

    @property
    def pid(self) -> int:
        """Its process; 0 while it is down."""
        return self._child.pid if self._child is not None and self._child.poll() is None else 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
