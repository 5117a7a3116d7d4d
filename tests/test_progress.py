"""Progress: how far a running job is, for people who look; never the job's problem."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from click.testing import CliRunner

from gwbroker import callees, jobs
from gwbroker import progress as module
from gwbroker.cli.jobs import jobs as command
from gwbroker.conf import settings
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import engine, read

from . import servers
from .ports import free_port


@pytest.fixture
def alone(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger of each kind, no wire, and callees of the test's own."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    monkeypatch.setattr(callees, "callees", callees.callees)
    jobs.stay_here()
    monkeypatch.setattr(module, "PAUSE", 0.05)
    yield
    # The thread may be about to end what the test has seen.
    pool = engine(durable=False).pool
    servers.poll(lambda: not getattr(pool, "checkedout", int)(), 10, "no thread uses the ledger")
    callees.callees.pop("mine", None)


def row(number: int = 1) -> dict[str, Any]:
    with read() as connection:
        return rows.listing(connection, numbers=[number])[0]


def seen(condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the ledger has such progress of the job that runs; return its row."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = row()
        if condition(found["progress"] or {}):
            return found
        time.sleep(0.02)
    raise AssertionError(row())


@pytest.mark.usefixtures("alone")
def test_the_ledger_and_the_command_show_how_far_a_running_job_is() -> None:
    shown = []

    def work() -> None:
        jobs.progress(3, 8, "volume")
        assert seen(lambda p: p.get("done") == 3)["progress"] == {
            "done": 3, "total": 8, "note": "volume"}
        shown.append(CliRunner().invoke(command).output)
        shown.append(CliRunner().invoke(command, ["show", "1"]).output)
        for number in range(4, 2000):
            jobs.progress(number, None, "galaxies\0\ud800 " + "x" * 500)
        last = seen(lambda p: p.get("done") == 1999)["progress"]
        assert last["total"] is None
        assert last["note"].startswith("galaxies")
        assert len(last["note"]) < 220

    jobs.task(name="mine")(work)
    jobs.submit("mine")
    jobs.run(1)
    assert (row()["state"], row()["progress"], row()["error"]) == ("done", None, None)
    assert all("3 of 8, volume" in text for text in shown)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("values", [
    (float("nan"), 8), (1, float("inf")), (-1e300, 0), (0, 0),
    ("three", None), (10**400, [8]), (np.float32(0.5), np.array([1, 2])), (1j, np.int64(8))])
def test_numbers_that_make_no_sense_hurt_no_job(values: tuple[Any, Any]) -> None:
    def work() -> None:
        jobs.progress(*values)
        assert seen(bool)

    jobs.task(name="mine")(work)
    jobs.submit("mine")
    jobs.run(1)
    assert row()["state"] == "done", row()


@pytest.mark.usefixtures("alone")
def test_a_job_in_its_own_transaction_can_say_how_far_it_is() -> None:
    def work() -> None:
        with jobs.transaction():
            for number in range(5):
                jobs.progress(number, 5)
                time.sleep(0.1)

    jobs.task(name="mine")(work)
    jobs.submit("mine")
    jobs.run(1)
    assert row()["state"] == "done", row()


@pytest.mark.usefixtures("alone")
def test_a_process_that_can_start_no_thread_does_its_job_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teller = module._Teller()
    monkeypatch.setattr(module, "_teller", teller)

    def none_left(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    def work() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(module.threading.Thread, "start", none_left)
            jobs.progress(1, 2)
        jobs.progress(2, 2)
        assert seen(lambda p: p.get("done") == 2)

    jobs.task(name="mine")(work)
    jobs.submit("mine")
    jobs.run(1)
    assert row()["state"] == "done", row()


def test_outside_of_a_job_it_does_nothing() -> None:
    jobs.progress(1, 2, "nobody asks")


@pytest.mark.parametrize(("progress", "says"), [
    (None, ""), ({}, ""), ({"done": 3, "total": 8, "note": "volume"}, "3 of 8, volume"),
    ({"done": 2.5, "total": None, "note": ""}, "2.5"),
    ({"done": None, "total": 8, "note": "galaxies"}, "galaxies"),
])
def test_progress_is_said_in_a_few_words(progress: Any, says: str) -> None:
    assert rows.how_far(progress) == says


HANDLERS = '''
import os, time
from pathlib import Path
from gwbroker import jobs

@jobs.task(queue="openmp", name="slow")
def slow(place):
    Path(place).write_text(f"{jobs.threads()} {os.environ['OMP_NUM_THREADS']}")
    while not Path(place + ".end").exists():
        jobs.progress(3, 8, "volume")
        time.sleep(0.05)
'''


@pytest.fixture
def slow(
    broker: servers.Broker, handlers: Callable[[str], Path], home: Path,
    environment: pytest.MonkeyPatch,
) -> Callable[[int], Path]:
    """A function that starts an OpenMP worker with so many cores and lets it run a slow job."""
    from gwbroker import dispatch
    from gwbroker.app import app

    handlers(HANDLERS)
    dispatch.load()

    def start(cores: int) -> Path:
        environment.setenv("OMP_NUM_THREADS", str(cores))
        broker.redis()
        broker.worker("openmp", "-Q", "openmp")
        jobs.submit("slow", str(home / "said"))
        # This process's app was made for another home.
        with app.connection_for_write(settings().redis_url) as connection:
            jobs._publish(app.amqp.Producer(connection), rows.Sendable(1, "slow", "openmp"))
        broker.wait(lambda: row()["progress"], 40, "the ledger says how far the job is")
        return home / "said"

    return start


@pytest.mark.parametrize("cores", [1, 2])
def test_a_job_on_an_openmp_worker_sees_the_cores_that_it_was_given(
    broker: servers.Broker, slow: Callable[[int], Path], cores: int,
) -> None:
    said = slow(cores)
    assert said.read_text() == f"{cores} {cores}"
    assert row()["progress"] == {"done": 3, "total": 8, "note": "volume"}
    said.with_name("said.end").touch()
    broker.wait(lambda: row()["state"] == "done", 20, "the job ends")
    assert row()["progress"] is None


def test_flower_shows_how_far_a_running_job_is(
    broker: servers.Broker, slow: Callable[[int], Path], environment: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    environment.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    environment.setenv("GWBROKER_FLOWER_PORT", str(port))
    said = slow(1)
    broker.add("flower", [*servers.GWBROKER, "flower", "--logging=warning"])

    def shown() -> list[tuple[str, str, str]]:
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/tasks", timeout=10) as answer:
                found = json.loads(answer.read())
        except (URLError, ConnectionError, TimeoutError):
            return []
        return [(task["name"], task["state"], task["result"]) for task in found.values()]

    broker.wait(lambda: ("slow", "PROGRESS", "3 of 8, volume") in shown(), 40, "Flower shows it")
    said.with_name("said.end").touch()
