"""Listeners run for ever, each once, and come back, whatever is killed."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from gwbroker.conf import settings
from gwbroker.embedded.kafka import MockKafka
from gwbroker.embedded.vtp import VOEventServer
from gwbroker.ledger import leases

from .servers import PATIENCE, Broker, running

BACK = 10.0
"""Seconds within which a listener has to run again, as the issue promises; see `PATIENCE`."""

CLOSED = 5.0
"""Seconds within which listeners close at SIGTERM, as docs/howto/hosts.rst promises."""

LISTENERS = '''
import os, time
from pathlib import Path
from gwbroker.listeners.listener import Listener, app

FOLDER = Path({folder!r})

def note(name, word):
    with open(FOLDER / name, "a") as file:
        file.write(f"{{os.getpid()}} {{time.time()}} {{word}}\\n")

@app.task(base=Listener, bind=True, name="gwbroker.listeners.test.steady", shared=False)
def steady(self):
    """Says every 0.1 s that it runs."""
    note("steady", "start")
    while not self.is_aborted():
        note("steady", "beat")
        time.sleep(0.1)
    note("steady", "stop")

@app.task(base=Listener, bind=True, name="gwbroker.listeners.test.broken", shared=False)
def broken(self):
    """Fails at once."""
    note("broken", "start")
    raise RuntimeError("it always fails")
'''

KAFKA, VTP = "gwbroker.listeners.kafka.local", "gwbroker.listeners.vtp.local"
STEADY, BROKEN = "gwbroker.listeners.test.steady", "gwbroker.listeners.test.broken"


@dataclass(frozen=True)
class Note:
    """One line that a listener wrote."""

    pid: int
    time: float
    word: str


@dataclass
class Stage:
    """A broker with two real listeners, a steady one that keeps a diary, and a broken one."""

    broker: Broker
    folder: Path
    vtp: VOEventServer

    def notes(self, name: str) -> list[Note]:
        """Return what a listener wrote."""
        path = self.folder / name
        rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [Note(int(row[0]), float(row[1]), row[2]) for row in rows if len(row) == 3]

    def holders(self) -> dict[str, tuple[str, int]]:
        """Return who holds the lease of each listener that runs; not of the broken one."""
        return {row["name"]: (row["holder"], row["pid"]) for row in leases.listing()
                if row["held"] and row["name"] != BROKEN}

    def all_back(self, before: dict[str, tuple[str, int]], since: float) -> bool:
        """Tell whether each listener has another lease than before, and the steady one writes."""
        now = self.holders()
        return all(name in now and now[name] != before.get(name)
                   for name in (KAFKA, VTP, STEADY)) \
            and any(n.pid == now[STEADY][1] and n.time > since for n in self.notes("steady"))

    def wait_all(self, before: dict[str, tuple[str, int]], seconds: float = BACK) -> None:
        """Wait until all listeners are back, and the steady one writes again."""
        began = time.time()
        self.broker.wait(
            lambda: self.all_back(before, began), seconds, "the listeners run again")

    def overlaps(self) -> list[tuple[Note, Note]]:
        """Return where one copy of the steady listener wrote while another ran."""
        runs: dict[int, list[Note]] = {}
        for note in self.notes("steady"):
            runs.setdefault(note.pid, []).append(note)
        spans = sorted(
            ((run[0], run[-1]) for run in runs.values()), key=lambda span: span[0].time)
        return [(first[1], second[0]) for first, second in itertools.pairwise(spans)
                if second[0].time < first[1].time]


@pytest.fixture
def stage(home: Path, environment: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Everything running, with a worker that has a process for each listener and two more."""
    (home / "handlers").mkdir()
    (home / "handlers" / "listening.py").write_text(LISTENERS.format(folder=str(home)))
    environment.setenv("GWBROKER_HANDLERS", str(home / "handlers"))
    with MockKafka() as kafka, VOEventServer(interval=1.0) as vtp:
        environment.setenv("GWBROKER_KAFKA", (
            f'{{"local": {{"bootstrap_servers": "{kafka.bootstrap_servers}"}}}}'))
        environment.setenv("GWBROKER_VTP", f'{{"local": {{"address": "{vtp.host}:{vtp.port}"}}}}')
        settings.cache_clear()
        broker = Broker(home)
        with running(broker):
            broker.redis()
            broker.worker("general", "-c", "6")
            broker.beat()
            made = Stage(broker, home, vtp)
            # From nothing, which nobody promised to be quick.
            made.wait_all({}, 90)
            yield made
            assert made.overlaps() == []


def test_each_listener_is_back_within_seconds_after_its_process_is_killed(stage: Stage):
    before = stage.holders()
    for name in (KAFKA, VTP, STEADY):
        os.kill(before[name][1], signal.SIGKILL)
    stage.wait_all(before)
    assert stage.broker.pid("general"), "the worker itself goes on"


def test_each_listener_is_back_within_seconds_after_the_worker_is_killed(stage: Stage):
    before = stage.holders()
    stage.broker.supervisor.kill("general")
    stage.wait_all(before)
    # Children of a killed worker die with it; otherwise two copies would have run.
    assert stage.vtp.wait_subscribed()
    assert stage.vtp.subscribers == 1


def test_a_flushed_redis_stops_no_listener_and_starts_no_second_copy(stage: Stage):
    before = stage.holders()
    with redis.Redis(unix_socket_path=str(settings().redis_socket)) as client:
        for _ in range(3):
            client.flushall()
            stage.broker.run(1.5)
    assert stage.holders() == before
    assert len({note.pid for note in stage.notes("steady")}) == 1
    began = time.time()
    stage.broker.wait(lambda: stage.notes("steady")[-1].time > began, BACK, "it still writes")


def test_listeners_outlive_a_redis_that_is_killed_and_beat_starts_them_again_later(stage: Stage):
    stage.broker.supervisor.kill("redis")
    stage.broker.run(3)
    before = stage.holders()
    for name in (KAFKA, VTP, STEADY):
        os.kill(before[name][1], signal.SIGKILL)
    stage.wait_all(before)


def test_a_listener_that_fails_at_once_comes_back_with_growing_pauses(stage: Stage):
    stage.broker.wait(lambda: len(stage.notes("broken")) >= 4, 30, "four tries")
    times = [note.time for note in stage.notes("broken")]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    # 1, 2, 4 s, each of the longer ones less up to a quarter; Beat adds up to a second.
    assert pauses[0] >= 0.95
    assert pauses[1] >= 1.45
    assert pauses[2] >= 2.95
    (row,) = [row for row in leases.listing() if row["name"] == BROKEN]
    assert row["error"] == "RuntimeError: it always fails"
    assert row["failures"] >= 3


def test_sigterm_drains_and_closes_within_five_seconds(stage: Stage):
    assert stage.vtp.wait_subscribed()
    worker = stage.broker.pid("general")
    began = time.monotonic()
    stage.broker.supervisor.stopping = True
    os.kill(worker, signal.SIGTERM)
    child = next(p.child for p in stage.broker.supervisor.processes if p.name == "general")
    child.wait(60)
    assert time.monotonic() - began < CLOSED * PATIENCE
    assert stage.notes("steady")[-1].word == "stop"
    rows = {row["name"]: row for row in leases.listing()}
    assert {rows[name]["state"] for name in (KAFKA, VTP, STEADY)} == {"stopped"}
    assert not stage.holders()
    # So the next worker need not wait for a lease to run out.
    assert all(rows[name]["not_before"] <= time.time() for name in (KAFKA, VTP, STEADY))
