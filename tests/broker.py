"""A broker's real processes, for the tests."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gwbroker.embedded import redis
from gwbroker.supervisor import Process, Supervisor

from .processes import GWBROKER, PATIENCE, children, of_session


class Broker:
    """The real processes of a broker, kept running while the test waits for something.

    The settings come from the environment of the test, which its processes inherit.

    Parameters
    ----------
    home : Path
        Where their state is, and ``log``.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lines: list[str] = []
        self.sessions: set[int] = set()
        self._log = (home / "log").open("a", buffering=1)
        self.supervisor = Supervisor(self._write)

    def _write(self, line: str) -> None:
        self.lines.append(line)
        print(f"{time.time():.2f} {line}", file=self._log)

    def redis(self) -> None:
        """Start the embedded Redis of the settings, and wait until it answers."""
        from gwbroker.conf import settings

        self.add("redis", redis.command(settings().redis_socket, self.home / "run"),
                 stop_last=True)
        self.wait(lambda: redis.answers(settings().redis_url), 10, "Redis answers")

    def add(self, name: str, command: list[str], *, stop_last: bool = False) -> Process:
        """Start a process of any kind and keep it running."""
        return self.supervisor.add(name, command, stop_last=stop_last)

    def worker(self, name: str, *arguments: str) -> Process:
        """Start a worker and keep it running."""
        return self.add(name, [*GWBROKER, "worker", *arguments])

    def beat(self) -> Process:
        """Start Beat and keep it running."""
        return self.add("beat", [*GWBROKER, "beat"])

    def start(self, *general: str) -> None:
        """Start Redis, the three workers and Beat."""
        self.redis()
        self.worker("general", *general)
        self.worker("openmp", "-Q", "openmp")
        self.worker("events", "-Q", "events")
        self.beat()

    def pid(self, name: str) -> int:
        """Return the pid of a process; 0 while it is down."""
        child = next(p.child for p in self.supervisor.processes if p.name == name)
        return child.pid if child is not None and child.poll() is None else 0

    def children(self, name: str) -> list[int]:
        """Return the pids of a worker's children."""
        pid = self.pid(name)
        return children(pid) if pid else []

    def turn(self) -> None:
        """Restart what has died; called all the time while something is waited for."""
        self.supervisor.check()
        self.sessions.update(p.child.pid for p in self.supervisor.processes if p.child)

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Keep everything running until a condition holds, for so long times `PATIENCE`.

        Raises
        ------
        AssertionError
            If it does not in time; the end of the log comes with it.
        """
        deadline = time.monotonic() + PATIENCE * seconds
        while not condition():
            self.turn()
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(
                    [f"not within {PATIENCE * seconds:g} s: {what}; the log ends:",
                     *self.lines[-60:]]))
            time.sleep(0.05)

    def run(self, seconds: float) -> None:
        """Keep everything running for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, seconds + 5, "the time is over")

    def stop(self) -> None:
        """Stop everything.

        Raises
        ------
        AssertionError
            If anything is left over; it is killed.
        """
        self.turn()
        self.supervisor.stop()
        left = [pid for leader in self.sessions for pid in of_session(leader)]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._log.close()
        assert not left, f"processes {left} outlived their supervisor"


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """Stop a broker at the end."""
    try:
        yield broker
    finally:
        broker.stop()
