"""Durable calls: run, retried with growing pauses, buried with a readable error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import update

from gwbroker import callees, jobs
from gwbroker.conf import MiB, settings
from gwbroker.errors import HandlerError, NoticeError, UnknownTask
from gwbroker.intake import accept
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.models import jobs as table
from gwbroker.notice import Notice

from .servers import Broker

Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def _alone(handlers: Install, ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has handlers of its own, both kinds of ledger, and no wire."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()


def task(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Make a function a task named ``mine``."""
    return jobs.task(**{"name": "mine", **options})(function)


def row(number: int = 1) -> dict[str, Any]:
    """Return a job's row."""
    with read() as connection:
        return rows.listing(connection, numbers=[number])[0]


def run(number: int = 1) -> dict[str, Any]:
    """Run a job as a worker does, as if it were due now; return its row."""
    with write() as connection:
        connection.execute(update(table).where(table.c.id == number).values(due=0.0))
    jobs.run(number)
    return row(number)


def test_a_task_is_called_with_its_arguments_and_done():
    calls: list[tuple[Any, ...]] = []
    function = task(lambda *args: calls.append(args))
    jobs.submit(function, 1, "two", None)
    assert run()["state"] == "done"
    assert calls == [(1, "two", None)]
    assert run()["attempts"] == 1, "a message that comes twice does no harm"


def test_a_function_stays_a_function():
    assert task(lambda a: a + 1)(1) == 2


def test_a_handler_is_called_with_its_notice(handlers: Install):
    handlers('from gwbroker.streams import kafka\nCALLS = []\n'
             '@kafka.handler("t")\ndef on_t(notice): CALLS.append(notice)\n')
    (kept,) = accept([Notice(b"x", source="kafka.local", topic="t", partition=0, offset=5)])
    assert run()["state"] == "done"
    import sys

    (notice,) = sys.modules["mine"].CALLS
    assert (notice.id, notice.payload, notice.offset) == (kept.id, b"x", 5)


def test_a_failure_is_tried_again_after_growing_pauses_and_then_buried():
    task(lambda: 1 / 0, retries=3, backoff=10.0)
    jobs.submit("mine")
    pauses = []
    for attempt in (1, 2, 3):
        before = run()
        assert (before["state"], before["attempts"]) == ("pending", attempt)
        pauses.append(before["due"] - before["started"])
    for pause, longest in zip(pauses, (10, 20, 40), strict=True):
        assert longest / 2 - 0.1 <= pause <= longest + 1
    dead = run()
    assert (dead["state"], dead["attempts"]) == ("dead", 4)
    assert dead["error"] == "ZeroDivisionError: division by zero"
    assert "test_jobs.py" in dead["traceback"]


def test_the_pause_has_jitter_and_an_end():
    callee = jobs.Callee("x", print, backoff=2.0)
    assert len({callee.pause(1) for _ in range(10)}) > 5
    assert all(callee.pause(n) <= callees.LONGEST_PAUSE for n in (1, 20, 5000))


def test_a_job_that_succeeds_at_the_second_try_is_done_without_error():
    outcomes = iter([ValueError("not yet"), None])

    def function() -> None:
        outcome = next(outcomes)
        if outcome:
            raise outcome

    task(function)
    jobs.submit("mine")
    assert run()["error"] == "ValueError: not yet"
    done = run()
    assert (done["state"], done["error"], done["attempts"]) == ("done", None, 2)


def test_a_notice_error_dies_at_once_because_the_bytes_will_not_change():
    def function() -> None:
        raise NoticeError("event.far", -1, "is negative")

    task(function, retries=5)
    jobs.submit("mine")
    dead = run()
    assert (dead["state"], dead["attempts"]) == ("dead", 1)
    assert dead["error"] == "event.far: is negative (found -1)"


@pytest.mark.parametrize(("error", "words"), [
    (SystemExit(3), "SystemExit: 3"), (RecursionError("deep"), "RecursionError"),
    (SoftTimeLimitExceeded(), "longer than its time limit of 300 s"),
    (MemoryError(), "more memory than a job may have (4096 MiB"),
    (GeneratorExit(), "GeneratorExit"), (Exception("ünïcode \x00 \ud800"), "ünïcode \\x00"),
    (Exception("x" * (8 << 20)), "8388619 characters"),
])
def test_whatever_a_handler_raises_is_its_own_jobs_error(error: BaseException, words: str):
    def function() -> None:
        raise error

    task(function, retries=0)
    jobs.submit("mine")
    dead = run()
    assert dead["state"] == "dead"
    assert words in dead["error"]


def test_an_unknown_handler_is_named_with_what_was_perhaps_meant():
    task(lambda: None)
    with pytest.raises(UnknownTask, match=r"did you mean mine\?"):
        jobs.submit("mina")
    jobs.submit("mine")
    del jobs.callees["mine"]
    waiting = run()
    assert "no handler or task named 'mine' is installed on this host" in waiting["error"]
    assert waiting["state"] == "pending", "it may be installed soon"


def test_a_job_whose_process_disappeared_is_tried_again_with_that_error():
    task(lambda: None, retries=1)
    jobs.submit("mine")
    for state in ("pending", "dead"):
        with write() as connection:
            connection.execute(update(table).values(due=0.0))
            assert rows.claim(connection, 1, "somebody who dies")
            # Suspected long ago, and no sign of life since.
            connection.execute(update(table).values(lease_until=-1.0))
        jobs.sweep([])
        assert row()["state"] == state
        assert "disappeared" in row()["error"]


def test_a_dead_job_that_is_retried_runs_again():
    task(lambda: None)
    jobs.submit("mine")
    with write() as connection:
        rows.claim(connection, 1, "me")
        rows.bury(connection, 1, "me", "hopeless", None)
    jobs.retry([1])
    assert run()["state"] == "done"


def test_one_key_is_submitted_once_and_a_delay_is_kept():
    task(lambda: None)
    for _ in range(2):
        jobs.submit("mine", key="k", delay=60)
    with read() as connection:
        (job,) = rows.listing(connection)
    assert job["state"] == "pending"
    assert 55 < job["due"] - job["created"] <= 60
    jobs.run(job["id"])
    assert row()["state"] == "pending", "it is not due"


def test_jobs_submitted_in_a_transaction_that_fails_are_not_submitted():
    task(lambda: None)

    def fail() -> None:
        with jobs.outbox() as box:
            box.submit("mine")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with read() as connection:
        assert rows.listing(connection) == []


@pytest.mark.parametrize("options", [
    {"priority": 1}, {"queue": "fast"}, {"retries": -1}, {"time_limit": 0}])
def test_a_bad_option_of_a_task_is_refused(options: dict[str, Any]):
    with pytest.raises(HandlerError):
        task(lambda: None, **options)


def test_one_name_for_two_tasks_is_refused():
    task(lambda: None)
    with pytest.raises(HandlerError, match="the name is taken"):
        task(lambda: 1)


def test_the_log_of_a_dead_job_names_it(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.ERROR)
    task(lambda: 1 / 0, retries=0)
    jobs.submit("mine")
    run()
    assert "job 1 (mine) is dead after 1 attempts: ZeroDivisionError" in caplog.text


LIMITED = '''
import time
from gwbroker import calls
from gwbroker.streams import kafka

@kafka.handler("slow", time_limit=1, retries=0)
def slow(notice):
    time.sleep(60)

@kafka.handler("big", retries=0)
def big(notice):
    bytearray(1 << 40)
    bytearray(600 << 20)

@kafka.handler("growing", retries=0)
def growing(notice):
    held = []
    while True:
        held.append(bytearray(8 << 20))

@kafka.handler("crash", retries=0)
def crash(notice):
    import os
    os.abort()

@kafka.handler("deaf", time_limit=1, retries=0)
def deaf(notice):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@kafka.handler("fine")
def fine(notice):
    pass

# What does not stop at its time limit is killed so much later.
calls.GRACE = 2.0
'''


@pytest.mark.slow
@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_time_and_memory_of_a_job_are_limited_and_the_others_go_on(
    handlers: Install, environment: pytest.MonkeyPatch, broker: Broker,
):
    environment.setenv("GWBROKER_MAX_MEMORY", str(512 * MiB))
    handlers(LIMITED)
    assert settings().max_memory == 512 * MiB
    broker.redis()
    broker.worker("general", "-c", "2")
    broker.beat()
    accept([Notice(topic.encode(), topic=topic)
            for topic in ("slow", "big", "growing", "crash", "deaf", *["fine"] * 3)])

    def states() -> dict[str, tuple[str, str | None]]:
        with read() as connection:
            return {j["handler"]: (j["state"], j["error"]) for j in rows.listing(connection)}

    broker.wait(lambda: {state for state, _ in states().values()} <= {"done", "dead"}, 50,
                "all jobs are done or dead")
    found = states()
    assert found["mine.slow"] == ("dead", "stopped: it ran longer than its time limit of 1 s")
    assert found["mine.fine"] == ("done", None)
    for handler in ("mine.big", "mine.growing"):
        assert found[handler][0] == "dead"
        assert "more memory than a job may have (512 MiB" in str(found[handler][1])
    for handler in ("mine.crash", "mine.deaf"):
        assert found[handler][0] == "dead"
        assert "disappeared" in str(found[handler][1])
