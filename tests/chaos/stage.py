"""Stage: the servers and the broker's processes on two hosts."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import psycopg
import redis
from confluent_kafka import KafkaException

from gwbroker.embedded.vtp import VOEventServer
from gwbroker.errors import SupervisorError
from gwbroker.supervisor import Process, Supervisor

from ..kafka_server import Kafka
from ..ports import free_port
from ..servers import GWBROKER, PostgreSQL, Redis, children
from .enclosure import Enclosure
from .plan import LATE, TOPICS

DISK = 1500
"""Size of the ledger's disk in MB, where there is one."""

WORKERS = {
    # A job's child more than cores would only wait; the listener has one to itself.
    "general-a": ("a", ["--concurrency", "4"]), "general-b": ("b", ["--concurrency", "4"]),
    "openmp-a": ("a", ["-Q", "openmp"]),
    "events-a": ("a", ["-Q", "events"]), "events-b": ("b", ["-Q", "events"]),
}
EFFECTS = """CREATE TABLE chaos_effects (
    id bigserial PRIMARY KEY, handler text NOT NULL, number bigint NOT NULL, subject text,
    place int, host text, pid int, began timestamptz NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp())"""


class ReachableKafka(Kafka):
    """Kafka whose door without a password is reached by other hosts too."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def _choose_ports(self) -> None:
        super()._choose_ports()
        plain, scram, _, control = self._ports
        others = f"SCRAM://127.0.0.1:{scram},CONTROLLER://127.0.0.1:{control}"
        self._options |= {
            "listeners": f"PLAIN://0.0.0.0:{plain},{others}",
            "advertised.listeners": f"PLAIN://{self._address}:{plain},{others}",
            "offsets.topic.num.partitions": 1,
        }
        self.bootstrap_servers = f"{self._address}:{plain}"


def clock_library() -> Path | None:
    """Return libfaketime's library, None if it is not installed."""
    package = importlib.util.find_spec("libfaketime")
    if package is None or not package.submodule_search_locations:
        return None
    found = list(Path(package.submodule_search_locations[0]).rglob("libfaketime.so.1"))
    return found[0] if found else None


class Stage:
    """All that runs, with the means to disturb it.

    Parameters
    ----------
    home : Path
        A folder for everything; it has to be short, for the sockets in it.
    enclosure : Enclosure
        The hosts.
    """

    def __init__(self, home: Path, enclosure: Enclosure) -> None:
        self.home = home
        self.enclosure = enclosure
        (home / "r").mkdir(mode=0o700)
        (home / "disk").mkdir()
        (home / "handlers").mkdir()
        self._log = (home / "broker.log").open("a", buffering=1)
        self.supervisor = Supervisor(self._write)
        ports = (6379, 5432) if enclosure.real else (free_port(), free_port())
        self.redis = Redis(home / "r" / "redis.sock", (enclosure.address, ports[0]))
        self.small_disk = enclosure.disk(home / "disk", DISK)
        self.postgresql = PostgreSQL(
            (enclosure.address, ports[1]), home / "disk",
            {"max_wal_size": "96MB", "min_wal_size": "32MB", "max_connections": "120",
             "shared_buffers": "64MB", "log_min_messages": "warning"})
        self.kafka = self._make_kafka()
        self.vtp = VOEventServer(host=enclosure.address, backlog="unacked", interval=5.0)
        self.clock = clock_library()
        self.notes: list[str] = []

    def _make_kafka(self) -> Kafka:
        return ReachableKafka(self.enclosure.address)

    def _write(self, line: str) -> None:
        print(f"{time.time():.3f} {line}", file=self._log)

    def say(self, line: str) -> None:
        """Write a line of our own among those of the processes."""
        self._write(f"CHAOS     │ {line}")

    def open(self) -> None:
        """Start everything."""
        self.redis.start()
        self.postgresql.start()
        self.kafka.start()
        for topic, partitions in TOPICS.items():
            if topic != LATE:
                self.kafka.create_topic(topic, partitions)
        self.vtp.start()
        shutil.copy(Path(__file__).with_name("user_handlers.py"), self.home / "handlers")
        self.step_clock(0.0)
        with psycopg.connect(self.postgresql.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE ledger")
        with self.database() as connection:
            connection.execute(EFFECTS)
        for name, (host, arguments) in WORKERS.items():
            self.run(name, host, "worker", *arguments)
        self.run("beat-a", "a", "beat", "--loglevel", "WARNING")

    def make_late(self) -> None:
        """Make the topic that nobody has seen yet."""
        self.kafka.create_topic(LATE, TOPICS[LATE])

    def database(self, seconds: int = 5) -> psycopg.Connection[tuple[object, ...]]:
        """Connect to the ledger's database."""
        return psycopg.connect(self.postgresql.url("ledger"), autocommit=True,
                               connect_timeout=seconds)

    def run(self, name: str, host: str, *arguments: str) -> Process:
        """Start a process of gwbroker's on a host, and keep it running."""
        values = {
            "GWBROKER_HOME": str(self.home / f"home-{host}"),
            "GWBROKER_CONFIG": os.devnull,
            "GWBROKER_BROKER_URL": self.redis.url,
            "GWBROKER_DATABASE_URL": self.postgresql.distant_url("ledger"),
            "GWBROKER_HANDLERS": str(self.home / "handlers"),
            "GWBROKER_KAFKA": json.dumps({"chaos": {
                "bootstrap_servers": self.kafka.bootstrap_servers, "refresh": 2.0,
                "topic_prefixes": ["chaos.", "gcn.notices.chaos."]}}),
            "GWBROKER_VTP": json.dumps({"chaos": {
                "address": f"{self.vtp.host}:{self.vtp.port}", "silence": 20.0}}),
            "CHAOS_SINK": str(self.home / "sink"),
        }
        if host == "b" and self.clock is not None:
            values |= {"LD_PRELOAD": str(self.clock), "FAKETIME_CACHE_DURATION": "1",
                       "FAKETIME_TIMESTAMP_FILE": str(self.home / "clock"),
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        command = [*self.enclosure.prefix(host), "env", *(f"{k}={v}" for k, v in values.items()),
                   *GWBROKER, *arguments]
        return self.supervisor.add(name, command)

    def remove(self, name: str) -> None:
        """Stop one process of the broker's, and do not start it again."""
        found = next(p for p in self.supervisor.processes if p.name == name)
        self.supervisor.processes.remove(found)
        if found.child is not None and found.child.poll() is None:
            found.child.send_signal(signal.SIGCONT)
            found.child.terminate()

    def step_clock(self, seconds: float) -> None:
        """Let the clock of host B be wrong by so much."""
        place = self.home / "clock.new"
        place.write_text(f"{seconds:+.0f}\n")
        place.rename(self.home / "clock")

    def turn(self) -> None:
        """Restart what has died; to be called often."""
        try:
            self.supervisor.check()
        except SupervisorError as e:
            # A person would read the reason and start it again.
            self.notes.append(str(e))
            self.say(f"the supervisor gave up: {e}")

    def pid(self, name: str) -> int:
        """Return the pid of a process; 0 while it is down."""
        for process in self.supervisor.processes:
            if process.name == name and process.child and process.child.poll() is None:
                return process.child.pid
        return 0

    def family(self, name: str) -> list[int]:
        """Return the pids of a process and of its children."""
        pid = self.pid(name)
        return [pid, *children(pid)] if pid else []

    def listeners(self) -> list[tuple[str, int]]:
        """Return (name, pid) of each listener's process, as the ledger knows them."""
        with contextlib.suppress(psycopg.Error), self.database(2) as connection:
            rows = connection.execute("SELECT name, pid FROM leases WHERE holder IS NOT NULL "
                                      "AND name LIKE 'gwbroker.listeners.%'").fetchall()
            known = {pid for name in WORKERS for pid in self.family(name)}
            return [(str(name), int(str(pid))) for name, pid in rows if pid in known]
        return []

    def flush_redis(self) -> None:
        """Let Redis forget everything."""
        with redis.Redis.from_url(self.redis.url, socket_timeout=5) as client:
            client.flushall()

    def backend(self, dice: random.Random) -> int:
        """Return the pid of one of PostgreSQL's processes that serve the broker; 0 if none."""
        with self.database() as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = 'ledger' "
                "AND pid <> pg_backend_pid()").fetchall()
        return int(str(dice.choice(rows)[0])) if rows else 0

    def close(self) -> None:
        """Stop everything; the folder stays."""
        for process in self.supervisor.processes:
            for pid in self.family(process.name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.supervisor.stop(patience=8)
        self.vtp.stop()
        for server in (self.kafka, self.postgresql, self.redis):
            with contextlib.suppress(OSError, KafkaException):
                server.stop()
        self._log.close()
