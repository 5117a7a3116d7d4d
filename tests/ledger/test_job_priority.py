"""Jobs of old messages wait until nothing live does, and hold up nothing live."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import update

from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import LOST_AFTER, PORTION, Draft, Sendable
from gwbroker.ledger.models import jobs

from .jobs_by_hand import add, add_one, change, claim, finish, job, last

pytestmark = pytest.mark.usefixtures("ledger")


def add_old(**values: object) -> int:
    """Write one job of an old message; return its number."""
    assert add(Draft("h", values.pop("queue", "general"), priority=1, **values)) == []
    return last()


def next_old() -> list[Sendable]:
    """Let the sweep take the next portion."""
    with write() as connection:
        return rows.mark_sent(connection, rows.next_old(connection))


def cannot_claim(number: int) -> list[Sendable]:
    """Do what a worker does that finds a job blocked; return what it sends."""
    with write() as connection:
        assert rows.claim(connection, number, "me") is None
        return rows.clear_the_way(connection, number)


def test_an_old_job_is_not_sent_at_once_but_by_the_sweep_to_its_own_list():
    number = add_old()
    assert job(number)["state"] == "pending"
    with read() as connection:
        assert rows.due(connection) == []
        assert rows.backlog(connection) == 1
    assert next_old() == [Sendable(number, "h", "general", 1)]
    assert claim(number).priority == 1
    finish(number)
    with read() as connection:
        assert rows.backlog(connection) == 0


def test_the_wire_holds_a_portion_of_each_queue_and_no_backlog():
    add(*(Draft("h", "general", priority=1) for _ in range(PORTION + 50)),
        *(Draft("h", "openmp", priority=1) for _ in range(3)))
    sent = next_old()
    assert [s.queue for s in sent].count("general") == PORTION
    assert [s.queue for s in sent].count("openmp") == 3
    assert [s.id for s in sent[:PORTION]] == list(range(1, PORTION + 1)), "the oldest first"
    assert next_old() == [], "nothing has started yet"
    for number in range(1, 11):
        claim(number)
    assert [s.id for s in next_old()] == list(range(PORTION + 1, PORTION + 11))


def test_an_old_job_is_lost_only_if_the_old_list_is_empty():
    number = add_old()
    next_old()
    change(number, sent=time.time() - LOST_AFTER - 1)
    with read() as connection:
        assert rows.lost(connection, ["general"]) == []
        assert [s.id for s in rows.lost(connection, [], ["general"])] == [number]
        assert [s.id for s in rows.lost(connection, ["general"], ["general"])] == [number]


def test_an_old_job_that_failed_is_fed_again_when_it_is_due():
    number = add_old()
    next_old()
    claim(number)
    with write() as connection:
        rows.retry_later(connection, number, "me", 60.0, "it broke", None)
    assert next_old() == []
    change(number, due=time.time() - 1)
    assert [s.id for s in next_old()] == [number]


def test_a_portion_of_jobs_that_wait_for_one_that_failed_does_not_hold_it_up():
    add(*(Draft("h", "events", serial="S1", priority=1) for _ in range(PORTION + 20)))
    first, *others = next_old()
    assert claim(first.id) is not None
    for other in others:
        assert claim(other.id) is None
    with write() as connection:
        rows.retry_later(connection, first.id, "me", 60.0, "it broke", None)
    next_old()
    add_old(queue="events", serial="S2")
    assert [s.id for s in next_old()] == [last()], "nor another event"
    change(first.id, due=time.time() - 1)
    assert [s.id for s in next_old()] == [first.id]


def test_old_jobs_of_other_events_do_not_block_a_live_one():
    add(*(Draft("h", "events", serial=f"S{i}", priority=1) for i in range(30)))
    next_old()
    assert claim(add_one(queue="events", serial="live")) is not None


def test_a_live_job_raises_the_old_ones_of_its_event_that_are_before_it():
    first, second, later = (add_old(queue="events", serial="S1") for _ in range(3))
    other = add_old(queue="events", serial="S2")
    live = add_one(queue="events", serial="S1")
    change(later, due=time.time() + 60)
    assert cannot_claim(live) == [Sendable(first, "h", "events", 0)]
    assert job(live)["state"] == "waiting"
    assert [job(n)["priority"] for n in (first, second, later, other)] == [0, 0, 0, 1]
    assert [job(n)["state"] for n in (first, second, later)] == ["sent", "waiting", "pending"]
    assert cannot_claim(live) == [], "once is enough"
    for number, following in ((first, second), (second, live)):
        assert claim(number) is not None
        finish(number)
        with write() as connection:
            assert [s.id for s in rows.successor(connection, "S1")] == [following]
    assert claim(live) is None, "it keeps the order also if one waits for its next try"
    change(later, due=time.time() - 1)
    assert claim(later) is not None
    finish(later)
    assert claim(live) is not None


def test_an_old_job_raised_while_it_waits_on_the_wire_is_sent_to_the_live_list():
    old = add_old(queue="events", serial="S1")
    next_old()
    live = add_one(queue="events", serial="S1")
    assert cannot_claim(live) == [Sendable(old, "h", "events", 0)]


def test_an_old_job_that_runs_is_not_sent_again_by_the_live_one_that_waits_for_it():
    old = add_old(queue="events", serial="S1")
    next_old()
    claim(old)
    live = add_one(queue="events", serial="S1")
    assert cannot_claim(live) == []
    assert claim(live) is None
    assert finish(old)
    assert claim(live) is not None


def test_an_old_job_that_fails_while_a_live_one_waits_for_it_is_tried_again_as_a_live_one():
    old, later, unasked = (add_old(queue="events", serial=s) for s in ("S1", "S1", "S2"))
    next_old()
    claim(old)
    claim(unasked)
    live = add_one(queue="events", serial="S1")
    cannot_claim(live)
    with write() as connection:
        for number in (old, unasked):
            rows.retry_later(connection, number, "me", 60.0, "it broke", None)
    assert [job(n)["priority"] for n in (old, later, unasked)] == [0, 0, 1]


def test_an_old_job_that_waits_for_a_live_one_raises_nothing():
    before = add_old(queue="events", serial="S1")
    live = add_one(queue="events", serial="S1")
    change(live, priority=1)
    assert cannot_claim(live) == []
    assert job(before)["priority"] == 1


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_with_forty_thousand_old_jobs_a_sweep_looks_at_few_of_them():
    for _ in range(8):
        add(*(Draft("h", "general", priority=1) for _ in range(5000)))
    live = add_one()
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with write() as connection:
        # As if everything had waited on the wire for an hour.
        connection.execute(update(jobs).values(created=time.time() - 3600))
    next_old()
    with read() as connection:
        driver = connection.connection.driver_connection
        driver.set_progress_handler(count, 100)
        try:
            sendable = (rows.due(connection) + rows.next_old(connection)
                        + rows.lost(connection, ["general"]) + rows.unblocked(connection))
            rows.overdue(connection)
        finally:
            driver.set_progress_handler(None, 0)
        assert rows.backlog(connection) == 40_000
    assert sendable == [], "nothing is sent twice"
    # Counting them takes ten steps of SQLite's machine for each; there is no more than that.
    assert steps * 100 < 15 * 40_000
    assert claim(live) is not None
