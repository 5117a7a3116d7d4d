"""Supervisor: the processes of one machine, restarted when they die, stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import SupervisorError
from .process import die_with_parent

COLOURS = (36, 32, 33, 35, 34, 31, 96, 92)
SHORT_RUN = 10.0
PAUSE_MAX = 30.0


@dataclass
class Process:
    """One process to be kept running.

    Parameters
    ----------
    name : str
        What its log lines begin with.
    command : sequence of str
        How it is started.
    stop_last : bool
        Whether it goes after the others, because they need it.
    """

    name: str
    command: Sequence[str]
    stop_last: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    child: subprocess.Popen[str] | None = None
    started: float = 0.0
    failures: int = 0
    restart_at: float = 0.0


class Supervisor:
    """Starts processes, restarts those that die, and stops all.

    A process that ends at once with exit code 2 is wrongly set up: that stops everything.

    Parameters
    ----------
    write : callable
        Takes one finished line of log.
    colour : bool
        Whether the names of processes are coloured.
    """

    def __init__(self, write: Callable[[str], object], colour: bool = False) -> None:
        self.processes: list[Process] = []
        self._write = write
        self._colour = colour
        self._lock = threading.Lock()
        self._readers: list[threading.Thread] = []
        self.stopping = False

    def add(self, name: str, command: Sequence[str], *, stop_last: bool = False) -> Process:
        """Start a process and keep it running."""
        process = Process(name, command, stop_last)
        self.processes.append(process)
        self._start(process)
        return process

    def say(self, name: str, line: str) -> None:
        """Write a line as a process of this name."""
        width = max((len(p.name) for p in self.processes), default=0)
        prefix = f"{name:<{width}} │ "
        if self._colour:
            index = next((i for i, p in enumerate(self.processes) if p.name == name), 0)
            prefix = f"\x1b[{COLOURS[index % len(COLOURS)]}m{prefix}\x1b[0m"
        with self._lock:
            self._write(prefix + line)

    def _start(self, process: Process) -> None:
        process.child = subprocess.Popen(
            process.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **process.environment},
            preexec_fn=_die_with_parent if sys.platform == "linux" else None)
        process.started = time.monotonic()
        process.restart_at = 0.0
        reader = threading.Thread(target=self._read, args=(process, process.child), daemon=True)
        reader.start()
        self._readers.append(reader)

    def _read(self, process: Process, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        with child.stdout as lines:
            for line in lines:
                self.say(process.name, line.rstrip("\n"))

    def check(self) -> None:
        """Restart what has died; to be called often."""
        now = time.monotonic()
        for process in self.processes:
            if process.restart_at and now >= process.restart_at and not self.stopping:
                self._start(process)
            elif process.child is not None and not process.restart_at \
                    and process.child.poll() is not None:
                self._died(process, now)

    def _died(self, process: Process, now: float) -> None:
        assert process.child is not None
        short = now - process.started < SHORT_RUN
        if process.child.returncode == 2 and short:
            # Our commands say so when a setting or a handler is wrong: no restart mends that.
            raise SupervisorError(f"{process.name} cannot start, for the reason that it gives "
                                  "above")
        process.failures = process.failures + 1 if short else 0
        wait = min(0.5 * 2.0 ** process.failures, PAUSE_MAX) if process.failures > 1 else 0.0
        process.restart_at = now + wait
        self.say(process.name, f"ended with {_status(process.child.returncode)}; "
                 f"starting it again{f' in {wait:.0f} s' if wait else ''}")

    def watch(self, until: Callable[[], bool]) -> None:
        """Keep everything running until a condition holds."""
        while not until():
            self.check()
            time.sleep(0.1)

    def stop(self, patience: float = 15.0) -> None:
        """Stop everything: politely first, then by force; servers last."""
        self.stopping = True
        for last in (False, True):
            group = [p for p in self.processes if p.stop_last is last and p.child is not None]
            self._stop_group(group, patience)
        for reader in self._readers:
            reader.join(timeout=2)

    def _stop_group(self, group: list[Process], patience: float) -> None:
        for process in group:
            _send(process, signal.SIGTERM)
        deadline = time.monotonic() + patience
        for process in group:
            assert process.child is not None
            try:
                process.child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(process.name, f"did not stop within {patience:.0f} s, so it is killed")
                _send(process, signal.SIGKILL)
                process.child.wait(5)

    def kill(self, name: str) -> None:
        """Kill one process as `kill -9` would."""
        for process in self.processes:
            if process.name == name:
                _send(process, signal.SIGKILL)
                return
        raise SupervisorError(f"there is no process {name!r}")


def _send(process: Process, number: int) -> None:
    if process.child is not None and process.child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.child.send_signal(number)


def _status(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _die_with_parent() -> None:
    # Should the supervisor itself be killed, nothing may stay behind; SIGTERM lets
    # workers end their work.
    die_with_parent(signal.SIGTERM)
