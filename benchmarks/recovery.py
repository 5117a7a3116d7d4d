"""How long from a fault to the next handled alert?

Alerts come all the time. The clock starts with the kill, or, where a server is stopped, when it
answers again; it ends when a handler begins with an alert that arrived after that. Redis, Kafka
and PostgreSQL are real, and restarted as a crash would end them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from .handlers import TOPIC
from .result import Bound, Result
from .scene import GWBROKER, Scene

if TYPE_CHECKING:
    from tests.kafka_server import Kafka
    from tests.servers import PostgreSQL, Redis

BOUND = 15.0
PERIOD = 0.02
"""Seconds between two alerts."""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    from tests.kafka_server import Kafka
    from tests.servers import PostgreSQL, Redis

    repeats = 2 if quick else 5
    with Scene() as scene, PostgreSQL() as postgresql, Kafka() as kafka:
        (scene.home / "run").mkdir()
        with Redis(scene.home / "run" / "redis.sock") as redis:
            postgresql._do("CREATE DATABASE ledger")
            os.environ["GWBROKER_DATABASE_URL"] = postgresql.url("ledger")
            os.environ["GWBROKER_BROKER_URL"] = redis.url
            kafka.create_topic(TOPIC, 4)
            scene.kafka(kafka.bootstrap_servers)
            with _alerts(kafka.bootstrap_servers):
                faults = _Faults(scene, kafka, postgresql, redis)
                faults.start("a")
                yield from _servers_andchildren(faults, repeats)
                yield from _hosts(faults, repeats)


def _servers_andchildren(faults: _Faults, repeats: int) -> Iterator[Result]:
    for what, fault in (
        ("listener's process killed", faults.kill_listener),
        ("worker killed, with the listener", faults.kill_worker),
        ("Redis killed and restarted", faults.restart_redis),
        ("Kafka killed and restarted", faults.restart_kafka),
        ("PostgreSQL stopped at once and restarted", faults.restart_postgresql),
    ):
        yield faults.result(what, fault, repeats)


def _hosts(faults: _Faults, repeats: int) -> Iterator[Result]:
    yield faults.result("host with the listener and Beat gone", faults.lose_host, repeats,
                        "another host has a worker and a Beat")


class _Faults:
    """The broker, and what is done to it; each fault returns the time (s) that counts."""

    def __init__(self, scene: Scene, kafka: Kafka, postgresql: PostgreSQL, redis: Redis) -> None:
        self.scene = scene
        self.kafka, self.postgresql, self.redis = kafka, postgresql, redis

    def start(self, host: str) -> None:
        """Start a worker and a Beat as on a host of their own."""
        home = self.scene.home / f"host-{host}"
        for name, command in (
            ("worker", ["worker", "--concurrency", "3", "--hostname", f"general@{host}"]),
            ("beat", ["beat", "--loglevel", "WARNING"]),
        ):
            self.scene.add(f"{name}-{host}",
                           ["env", f"GWBROKER_HOME={home}", *GWBROKER, *command])

    def result(
        self, what: str, fault: Callable[[], float], repeats: int, note: str = "",
    ) -> Result:
        """Measure one fault several times, the broker at rest in between."""
        times = []
        for _ in range(repeats):
            self._handled_after(time.time())
            self._rest(2.0)
            self._forgive()
            times.append(self._handled_after(fault()))
        return Result(
            "recovery", f"{what}, longest of {repeats}", max(times), "s",
            bounds=(Bound("value", "<=", BOUND),),
            note="; ".join(filter(None, [f"median {median(times):.1f} s", note])))

    def _handled_after(self, since: float) -> float:
        """Return how long after a time (s) the first alert that arrived after it began."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            self.scene.supervisor.check()
            with contextlib.suppress(TimeoutError):
                (arrived, began), = self.scene.marks.take(1, timeout=0.02)
                if arrived >= since:
                    return began - since
        raise TimeoutError("\n".join(["nothing was handled; the log ends:",
                                      *list(self.scene.log)[-40:]]))

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.scene.supervisor.check()
            with contextlib.suppress(TimeoutError):
                self.scene.marks.take(1, timeout=0.02)

    def _forgive(self) -> None:
        """Let the listeners have run for long: a second failure within 30 s costs a pause."""
        from gwbroker.ledger import leases

        self._listener()
        for row in leases.listing():
            if row["held"]:
                leases.healthy(row["name"], row["holder"])

    def _listener(self) -> int:
        """Return the process of the Kafka listener."""
        from gwbroker.ledger import leases

        found: list[int] = []

        def look() -> bool:
            found[:] = [row["pid"] for row in leases.listing()
                        if row["held"] and ".kafka." in row["name"]]
            return bool(found) and Path(f"/proc/{found[0]}").exists()
        self.scene.wait(look, 60, "a listener runs")
        return found[0]

    def _process(self, name: str) -> int:
        child = next(p.child for p in self.scene.supervisor.processes if p.name == name)
        assert child is not None
        return child.pid

    def kill_listener(self) -> float:
        """Kill the process that listens, as the memory killer does."""
        pid = self._listener()
        os.kill(pid, signal.SIGKILL)
        return time.time()

    def kill_worker(self) -> float:
        """Kill the main process of the only worker; its supervisor starts it again."""
        os.kill(self._process("worker-a"), signal.SIGKILL)
        return time.time()

    def restart_redis(self) -> float:
        """Kill Redis, and start it a second later."""
        self.redis.end()
        self._rest(1.0)
        self.redis.start()
        return time.time()

    def restart_kafka(self) -> float:
        """Kill Kafka, and start it."""
        self.kafka.kill()
        self.kafka.start()
        return time.time()

    def restart_postgresql(self) -> float:
        """Stop PostgreSQL as a crash does, and start it a second later."""
        self.postgresql.end(signal.SIGQUIT)
        self._rest(1.0)
        self.postgresql.launch()
        return time.time()

    def lose_host(self) -> float:
        """Kill at once all that runs on the host with the listener; another host goes on."""
        from tests.servers import children

        names = {p.name for p in self.scene.supervisor.processes}
        for host in "ab":
            if f"worker-{host}" not in names:
                self.start(host)
        pids = {host: self._process(f"worker-{host}") for host in "ab"}
        self.scene.wait(
            lambda: all(len(children(pid)) == 3 for pid in pids.values()), 60, "both hosts run")
        self._rest(2.0)
        listener = self._listener()
        lost = next(host for host, pid in pids.items() if listener in children(pid))
        gone = [self._process(f"worker-{lost}"), *children(pids[lost]),
                self._process(f"beat-{lost}")]
        processes = self.scene.supervisor.processes
        processes[:] = [p for p in processes if not p.name.endswith(f"-{lost}")]
        for pid in gone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return time.time()


@contextlib.contextmanager
def _alerts(servers: str) -> Iterator[None]:
    """Publish alerts all the time."""
    from confluent_kafka import Producer

    end = threading.Event()

    def publish() -> None:
        producer = Producer({
            "bootstrap.servers": servers, "linger.ms": 0, "message.timeout.ms": 0,
            "reconnect.backoff.max.ms": 200, "log_level": 0, "error_cb": lambda error: None})
        number = 0
        while not end.wait(PERIOD):
            number += 1
            producer.produce(TOPIC, json.dumps({"number": number}).encode())
            producer.poll(0)

    thread = threading.Thread(target=publish, name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
