"""A job runs once, in order, and is never forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gwbroker.errors import NotFound
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import LEASE, LOST_AFTER, Claim, Draft, Sendable
from gwbroker.ledger.models import jobs

pytestmark = pytest.mark.usefixtures("ledger")

CLAIM_ALL = """
import sys
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import write
for number in range(1, int(sys.argv[1]) + 1):
    with write(durable=False) as connection:
        if rows.claim(connection, number, sys.argv[2]):
            print(number)
"""


def add(*drafts: Draft) -> list[Sendable]:
    """Write jobs in a transaction of their own."""
    with write() as connection:
        return rows.add(connection, drafts)


def add_one(**values: Any) -> int:
    """Write one job; return its number."""
    (made,) = add(Draft(values.pop("handler", "h"), values.pop("queue", "general"), **values))
    return made.id


def claim(number: int, claimant: str = "me") -> Claim | None:
    """Try to claim a job."""
    with write(durable=False) as connection:
        return rows.claim(connection, number, claimant)


def job(number: int) -> dict[str, Any]:
    """Return a job's row."""
    with read() as connection:
        return rows.listing(connection, numbers=[number])[0]


def change(number: int, **values: Any) -> None:
    """Change a job's row, as time or a crash would."""
    with write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == number).values(**values))


def finish(number: int, claimant: str = "me") -> bool:
    """Note that a job is done."""
    with write() as connection:
        return rows.finish(connection, number, claimant)


def lost(*empty: str) -> list[int]:
    """Return the numbers of jobs that were lost on the wire."""
    with read() as connection:
        return [s.id for s in rows.lost(connection, empty)]


def test_a_job_goes_from_sent_to_running_to_done():
    number = add_one(args=(1, "two", {"three": None}))
    assert (job(number)["state"], job(number)["attempts"]) == ("sent", 0)
    claimed = claim(number)
    assert claimed is not None
    assert (claimed.handler, claimed.args, claimed.attempts) == ("h", (1, "two", {"three": None}),
                                                                 1)
    assert job(number)["state"] == "running"
    assert finish(number)
    row = job(number)
    assert (row["state"], row["error"], row["attempts"]) == ("done", None, 1)
    assert row["created"] <= row["started"] <= row["finished"]
    assert claim(number) is None


def test_a_key_seen_before_adds_nothing_in_one_batch_or_two():
    assert len(add(Draft("h", "general", key="k"), Draft("h", "general", key="k"))) == 1
    added = add(Draft("other", "general", key="k"), Draft("h", "general", key="l"))
    assert added == [Sendable(_last(), "h", "general")]


def _last() -> int:
    with read() as connection:
        return rows.listing(connection, limit=1)[0]["id"]


def test_jobs_without_a_key_are_never_the_same():
    assert len(add(Draft("h", "general"), Draft("h", "general"))) == 2


def test_the_same_key_written_by_two_at_once_adds_one_job():
    barrier = threading.Barrier(4)

    def submit(_: int) -> int:
        barrier.wait()
        return len(add(Draft("h", "general", key="k")))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(submit, range(4))) == 1


def test_a_job_is_claimed_once_by_many_threads():
    numbers = [add_one() for _ in range(5)]
    barrier = threading.Barrier(8)

    def try_all(index: int) -> list[int]:
        barrier.wait()
        return [n for n in numbers if claim(n, f"thread {index}")]

    with ThreadPoolExecutor(8) as pool:
        claimed = Counter(n for found in pool.map(try_all, range(8)) for n in found)
    assert claimed == Counter(numbers)
    assert all(job(n)["attempts"] == 1 for n in numbers)


def test_a_job_is_claimed_once_by_several_processes():
    add(*(Draft("h", "general") for _ in range(40)))
    running = [subprocess.Popen(
        [sys.executable, "-c", CLAIM_ALL, "40", f"process {i}"], stdout=subprocess.PIPE,
        text=True, env=dict(os.environ), cwd=Path(__file__).parents[2]) for i in range(3)]
    found = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert sorted(int(n) for numbers in found for n in numbers) == list(range(1, 41))


def test_a_job_is_not_claimed_before_it_is_due():
    with write() as connection:
        assert rows.add(connection, [Draft("h", "general", delay=60)]) == []
        assert rows.due(connection) == []
    number = _last()
    assert job(number)["state"] == "pending"
    assert claim(number) is None
    change(number, due=time.time() - 1)
    with read() as connection:
        assert [s.id for s in rows.due(connection)] == [number]
    assert claim(number) is not None


def test_a_draft_with_an_error_is_dead_from_the_start_and_can_be_revived():
    with write() as connection:
        assert rows.add(connection, [Draft("h", "general", error="unreadable")]) == []
    number = _last()
    assert (job(number)["state"], job(number)["error"]) == ("dead", "unreadable")
    with write() as connection:
        assert [s.id for s in rows.revive(connection, [number])] == [number]
    assert claim(number) is not None


def test_a_running_job_without_sign_of_life_is_an_orphan():
    number = add_one()
    claim(number)
    with read() as connection:
        assert rows.orphans(connection) == []
    with write() as connection:
        assert rows.renew(connection, number, "me")
        assert not rows.renew(connection, number, "another")
    change(number, lease_until=time.time() - 0.1)
    with read() as connection:
        (orphan,) = rows.orphans(connection)
    assert (orphan["id"], orphan["claimant"]) == (number, "me")


def test_a_clock_set_back_makes_no_job_run_for_ever():
    number = add_one()
    claim(number)
    change(number, lease_until=time.time() + 3600)
    with read() as connection:
        assert [o["id"] for o in rows.orphans(connection)] == [number]


def test_the_outcome_of_one_who_lost_the_job_does_not_count():
    number = add_one()
    claim(number, "slow")
    with write() as connection:
        assert rows.retry_later(connection, number, "slow", 0.0, "it disappeared", None)
    assert claim(number, "second")
    assert not finish(number, "slow")
    with write() as connection:
        assert not rows.bury(connection, number, "slow", "late", None)
        assert not rows.retry_later(connection, number, "slow", 0.0, "late", None)
    assert job(number)["state"] == "running"
    assert finish(number, "second")
    assert job(number)["attempts"] == 2


def test_a_failed_job_waits_for_its_next_try_with_the_error():
    number = add_one()
    claim(number)
    with write() as connection:
        rows.retry_later(connection, number, "me", 30.0, "it broke", "Traceback...")
    row = job(number)
    assert (row["state"], row["error"], row["traceback"]) == ("pending", "it broke",
                                                             "Traceback...")
    assert 25 < row["due"] - time.time() < 31
    assert claim(number) is None


def test_success_clears_the_error_of_earlier_tries():
    number = add_one()
    claim(number)
    with write() as connection:
        rows.retry_later(connection, number, "me", 0.0, "it broke", "Traceback...")
    claim(number)
    finish(number)
    assert (job(number)["error"], job(number)["traceback"]) == (None, None)


def test_a_buried_job_can_be_given_another_life():
    number = add_one()
    claim(number)
    with write() as connection:
        assert rows.bury(connection, number, "me", "hopeless", "Traceback...")
    row = job(number)
    assert (row["state"], row["error"], row["traceback"]) == ("dead", "hopeless", "Traceback...")
    assert claim(number) is None
    with write() as connection:
        assert [s.id for s in rows.revive(connection, [number])] == [number]
    assert (job(number)["state"], job(number)["attempts"]) == ("sent", 0)


def test_only_dead_jobs_are_revived_and_the_error_names_the_others():
    number = add_one()
    with pytest.raises(NotFound, match=f"no dead job {number}, 999"), write() as connection:
        rows.revive(connection, [number, 999])


def test_jobs_of_one_serial_run_one_at_a_time_in_order():
    first, second, third = (add_one(queue="events", serial="S1") for _ in range(3))
    other = add_one(queue="events", serial="S2")
    assert claim(second) is None
    assert job(second)["state"] == "waiting"
    assert claim(first) is not None
    assert claim(second) is None
    assert claim(third) is None
    assert claim(other) is not None
    finish(first)
    with write() as connection:
        assert [s.id for s in rows.successor(connection, "S1")] == [second]
    assert claim(third) is None
    assert claim(second) is not None


def test_a_serial_is_blocked_by_an_earlier_job_that_waits_for_its_retry():
    first, second = (add_one(queue="events", serial="S1") for _ in range(2))
    claim(first)
    with write() as connection:
        rows.retry_later(connection, first, "me", 60.0, "it broke", None)
    assert claim(second) is None


def test_a_dead_job_does_not_block_its_serial():
    first, second = (add_one(queue="events", serial="S1") for _ in range(2))
    claim(first)
    with write() as connection:
        rows.bury(connection, first, "me", "hopeless", None)
    assert claim(second) is not None


def test_a_job_revived_while_a_later_one_runs_waits_for_it():
    first, second = (add_one(queue="events", serial="S1") for _ in range(2))
    claim(first)
    with write() as connection:
        rows.bury(connection, first, "me", "hopeless", None)
    claim(second)
    with write() as connection:
        rows.revive(connection, [first])
    assert claim(first) is None
    finish(second)
    assert claim(first) is not None


def test_two_event_workers_never_run_the_same_serial_at_the_same_time():
    numbers = [add_one(queue="events", serial=f"S{i % 3}") for i in range(30)]
    running: Counter[int] = Counter()
    most: Counter[int] = Counter()
    order: list[int] = []
    guard = threading.Lock()

    def work(index: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            left = False
            for position, number in enumerate(numbers):
                if claim(number, f"worker {index}"):
                    serial = position % 3
                    with guard:
                        running[serial] += 1
                        most[serial] = max(most[serial], running[serial])
                        order.append(number)
                    with guard:
                        running[serial] -= 1
                    finish(number, f"worker {index}")
                left = left or number not in order
            if not left:
                return

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert sorted(order) == numbers
    assert most == {0: 1, 1: 1, 2: 1}
    for serial in range(3):
        mine = [n for n in order if numbers.index(n) % 3 == serial]
        assert mine == sorted(mine)


def test_the_sweep_finds_a_job_whose_predecessor_ended_without_a_word():
    first, second = (add_one(queue="events", serial="S1") for _ in range(2))
    claim(first)
    claim(second)
    finish(first)
    with read() as connection:
        assert [s.id for s in rows.unblocked(connection)] == [second]


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


def test_a_lease_is_longer_than_three_signs_of_life():
    number = add_one()
    claim(number)
    assert LEASE - 2 < job(number)["lease_until"] - time.time() <= LEASE
