"""An effect in the ledger's database and the end of its job are one, whatever happens."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from gwbroker import jobs
from gwbroker.errors import JobLost, NoJob
from gwbroker.intake import accept
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.models import jobs as table
from gwbroker.notice import Notice

from .servers import poll


@pytest.fixture(autouse=True)
def _alone(
    handlers: Callable[[str], Path], ledger: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every test has tasks of its own, both kinds of ledger, a table for effects, no wire."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()
    with write() as connection:
        connection.execute(text("CREATE TABLE effects (job INTEGER)"))


def effect(connection: Any, number: int = 1) -> None:
    """Leave a trace of a call."""
    connection.execute(text("INSERT INTO effects VALUES (:n)"), {"n": number})


def effects() -> int:
    """Return how many traces there are."""
    with read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM effects")).scalar_one())


def row(number: int = 1) -> dict[str, Any]:
    """Return a job's row."""
    with read() as connection:
        return rows.listing(connection, numbers=[number])[0]


def task(function: Callable[..., Any], **options: Any) -> None:
    """Make a function a task named ``mine`` and submit it."""
    jobs.task(**{"name": "mine", **options})(function)
    jobs.submit("mine")


def test_the_effect_and_the_end_of_the_job_are_one_and_a_later_failure_is_only_logged(
    caplog: pytest.LogCaptureFixture,
):
    def function() -> None:
        with jobs.transaction() as connection:
            effect(connection)
        assert row()["state"] == "done"
        raise RuntimeError("too late")

    task(function)
    caplog.set_level(logging.ERROR)
    jobs.run(1)
    jobs.run(1)
    assert (row()["state"], row()["error"], row()["attempts"], effects()) == ("done", None, 1, 1)
    assert "failed after its transaction, which stands: RuntimeError: too late" in caplog.text


def test_if_the_block_fails_nothing_is_written_and_the_job_is_tried_again():
    outcomes = iter([ValueError("not yet"), None])

    def function() -> None:
        with jobs.transaction() as connection:
            effect(connection)
            problem = next(outcomes)
            if problem:
                raise problem

    task(function, backoff=0.001)
    jobs.run(1)
    assert (row()["state"], row()["error"], effects()) == ("pending", "ValueError: not yet", 0)
    jobs.run(1)
    assert (row()["state"], effects()) == ("done", 1)


def test_outside_of_a_job_and_a_second_time_it_is_refused():
    with pytest.raises(NoJob, match="inside a handler or task"), jobs.transaction():
        pass
    with pytest.raises(NoJob, match="inside a handler or task"):
        jobs.idempotency_key()

    def function() -> None:
        with jobs.transaction() as connection:
            effect(connection)
            with pytest.raises(NoJob, match="one transaction"), jobs.transaction():
                pass
        with pytest.raises(NoJob, match="one transaction"), jobs.transaction():
            pass

    task(function)
    jobs.run(1)
    assert (row()["state"], effects()) == ("done", 1)


def give_away(number: int = 1) -> None:
    """Let another worker have a job that runs."""
    with write() as connection:
        connection.execute(update(table).where(table.c.id == number).values(claimant="another"))


def test_a_job_that_was_given_to_another_meanwhile_writes_nothing():
    errors = []

    def function() -> None:
        give_away()
        try:
            with jobs.transaction() as connection:
                effect(connection)
        except JobLost as e:
            errors.append(e)
            raise

    task(function)
    jobs.run(1)
    assert (row()["state"], row()["claimant"], effects()) == ("running", "another", 0)
    assert errors[0].number == 1


def test_jobs_submitted_inside_belong_to_the_same_transaction(monkeypatch: pytest.MonkeyPatch):
    sent: list[Any] = []
    monkeypatch.setattr(jobs, "send", lambda sendable: sent.extend(sendable))
    fails = [True]

    def function() -> None:
        with jobs.transaction() as connection:
            effect(connection)
            jobs.submit("next", key="k")
            with jobs.outbox() as box:
                box.submit("next", key="l")
            if fails.pop():
                fails.append(False)
                raise ValueError
            assert sent == []
        assert len(sent) == 2

    jobs.task(name="next")(lambda: None)
    task(function, backoff=0.001)
    sent.clear()
    jobs.run(1)
    with read() as connection:
        assert len(rows.listing(connection)) == 1
    jobs.run(1)
    with read() as connection:
        assert [j["key"] for j in rows.listing(connection)] == [None, "k", "l"]
    assert effects() == 1


@pytest.mark.parametrize("lease", [1.0, -1.0], ids=["run out", "suspected"])
def test_a_job_in_its_transaction_is_not_given_away_and_holds_up_no_sweep(lease: float):
    swept = []

    def function() -> None:
        with write() as connection:
            connection.execute(update(table).values(lease_until=lease))
        with jobs.transaction() as connection:
            if connection.dialect.name == "postgresql":
                sweeper = threading.Thread(target=lambda: swept.append(jobs.sweep([])))
                sweeper.start()
                sweeper.join(10)
                assert swept == [0]
            effect(connection)

    task(function)
    jobs.run(1)
    assert (row()["state"], row()["attempts"], effects()) == ("done", 1, 1)


def test_the_next_job_of_the_event_follows(monkeypatch: pytest.MonkeyPatch):
    def function() -> None:
        with jobs.transaction() as connection:
            effect(connection)

    sent: list[Any] = []
    monkeypatch.setattr(jobs, "send", lambda sendable: sent.extend(sendable))
    jobs.task(name="mine")(function)
    for _ in range(2):
        jobs.submit("mine", serial="S1")
    jobs.run(2)
    assert row(2)["state"] == "waiting"
    sent.clear()
    jobs.run(1)
    assert [s.id for s in sent] == [2]
    jobs.run(2)
    assert (row(2)["state"], effects()) == ("done", 2)


def test_the_key_of_an_effect_is_the_same_at_each_attempt(handlers: Callable[[str], Path]):
    keys: list[str] = []

    def function() -> None:
        keys.append(jobs.idempotency_key())
        if len(keys) < 2:
            raise ValueError

    jobs.task(name="mine", backoff=0.001)(function)
    jobs.submit("mine", key="one effect")
    jobs.run(1)
    jobs.run(1)
    assert keys == ["one effect"] * 2
    keys.append("")
    jobs.submit("mine")
    jobs.run(2)
    assert keys[-1] == "mine:job:2"
    handlers('from gwbroker import jobs\nfrom gwbroker.streams import kafka\nKEYS = []\n'
             '@kafka.handler("t")\ndef on_t(n): KEYS.append(jobs.idempotency_key())\n', "keyed")
    (kept,) = accept([Notice(b"x", topic="t")])
    jobs.run(3)
    (key,) = sys.modules["keyed"].KEYS
    assert key == f"{kept.root}:keyed.on_t"


WORKER = """
import os, signal, sys
from gwbroker import jobs
from sqlalchemy import text
jobs.stay_here()
moment, signal_number = sys.argv[1], int(sys.argv[2])

def at(place):
    if place == moment:
        print(place, flush=True)
        os.kill(os.getpid(), signal_number)

@jobs.task(name="mine", backoff=0.001)
def mine():
    at("before")
    with jobs.transaction() as connection:
        connection.execute(text("INSERT INTO effects VALUES (1)"))
        at("written")
    at("after")

jobs.run(1)
"""


def worker(moment: str, number: int) -> subprocess.Popen[str]:
    """Start a process that runs job 1 and gives itself a signal at some moment."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, moment, str(number)], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env=dict(os.environ),
        cwd=Path(__file__).parents[1])


def free() -> None:
    """Take the job from a worker that is gone, as the sweep does after its lease."""
    with write() as connection:
        connection.execute(update(table).where(table.c.state == "running")
                           .values(lease_until=-1.0))
    jobs.sweep([])
    with write() as connection:
        connection.execute(update(table).where(table.c.state == "pending").values(due=0.0))


@pytest.mark.parametrize("moment", ["written", "after"])
def test_after_kill_9_at_any_moment_the_effect_is_there_exactly_once(moment: str):
    def function() -> None:
        with jobs.transaction() as connection:
            effect(connection)

    task(function, backoff=0.001)
    with worker(moment, signal.SIGKILL) as killed:
        assert killed.wait(30) == -signal.SIGKILL
    assert effects() == (1 if moment == "after" else 0)
    free()
    jobs.run(1)
    assert (row()["state"], effects()) == ("done", 1)


def test_a_process_that_slept_while_its_job_was_given_to_another_writes_nothing():
    def function() -> None:
        with jobs.transaction() as connection:
            effect(connection)

    task(function, backoff=0.001)
    with worker("before", signal.SIGSTOP) as asleep:
        assert asleep.stdout is not None
        try:
            assert asleep.stdout.readline() == "before\n"
            state = Path(f"/proc/{asleep.pid}/stat")
            poll(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", 5, "it sleeps")
            free()
            jobs.run(1)
            assert (row()["state"], row()["attempts"], effects()) == ("done", 2, 1)
        finally:
            asleep.send_signal(signal.SIGCONT)
        assert asleep.wait(30) == 0
    assert (row()["state"], effects()) == ("done", 1)
