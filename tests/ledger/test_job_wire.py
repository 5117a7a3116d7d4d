"""What the wire loses is found and sent again."""

from __future__ import annotations

import time

import pytest

from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import LOST_AFTER, Sendable

from .jobs_by_hand import add_one, change, claim, finish, job, lost

pytestmark = pytest.mark.usefixtures("ledger")


def test_a_job_sent_to_an_empty_queue_is_lost_after_a_few_seconds():
    number = add_one()
    assert lost("general") == []
    change(number, sent=time.time() - LOST_AFTER - 1)
    assert lost("general") == [number]
    assert lost("openmp") == []


def test_a_job_on_a_queue_with_a_backlog_is_sent_again_only_after_growing_minutes():
    number = add_one()
    change(number, sent=time.time() - 50)
    assert lost() == []
    change(number, sent=time.time() - 70)
    assert lost() == [number]
    change(number, sends=2)
    assert lost() == []
    change(number, sent=time.time() - 130)
    assert lost() == [number]


def test_a_job_that_is_never_taken_from_an_empty_queue_is_sent_less_often():
    number = add_one()
    change(number, sent=time.time() - LOST_AFTER - 1, sends=4)
    assert lost("general") == []
    change(number, sent=time.time() - 61)
    assert lost("general") == [number]
    with read() as connection:
        (row,) = rows.stuck(connection)
    assert (row["handler"], row["number"], row["sends"]) == ("h", 1, 4)


def test_sending_again_counts_and_starts_the_clock_anew():
    number = add_one()
    change(number, sent=time.time() - 20)
    with write() as connection:
        rows.mark_sent(connection, rows.lost(connection, ["general"]))
    assert job(number)["sends"] == 2
    assert lost("general") == []


def test_a_job_that_did_not_reach_the_wire_is_due_at_once():
    number = add_one()
    with write() as connection:
        rows.unsent(connection, [number])
        assert [s.id for s in rows.due(connection)] == [number]


def test_a_running_or_finished_job_is_never_sent_again():
    number = add_one()
    claim(number)
    change(number, sent=time.time() - 1000, due=time.time() - 1000)
    with write() as connection:
        assert (rows.lost(connection, ["general"]), rows.due(connection)) == ([], [])
        rows.mark_sent(connection, [Sendable(number, "h", "general")])
        rows.unsent(connection, [number])
    assert job(number)["state"] == "running"
    finish(number)
    with write() as connection:
        rows.mark_sent(connection, [Sendable(number, "h", "general")])
    assert job(number)["state"] == "done"


def test_unfinished_jobs_are_counted_by_queue_and_state():
    claim(add_one())
    add_one(queue="openmp")
    finish(add_one())
    done = add_one()
    claim(done)
    finish(done)
    with read() as connection:
        assert rows.counts(connection) == {
            "general": {"running": 1, "sent": 1}, "openmp": {"sent": 1}}
        assert rows.unfinished(connection) == 3
