"""A job runs once, and is never forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gwbroker.errors import NotFound
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import LEASE, Draft, Sendable

from .jobs_by_hand import add, add_one, change, claim, finish, job, last, lost

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
    assert added == [Sendable(last(), "h", "general")]


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
    number = last()
    assert job(number)["state"] == "pending"
    assert claim(number) is None
    change(number, due=time.time() - 1)
    with read() as connection:
        assert [s.id for s in rows.due(connection)] == [number]
    assert claim(number) is not None


def test_a_draft_with_an_error_is_dead_from_the_start_and_can_be_revived():
    with write() as connection:
        assert rows.add(connection, [Draft("h", "general", error="unreadable")]) == []
    number = last()
    assert (job(number)["state"], job(number)["error"]) == ("dead", "unreadable")
    with write() as connection:
        assert [s.id for s in rows.revive(connection, [number])] == [number]
    assert claim(number) is not None


def orphans() -> list[int]:
    with write() as connection:
        return [orphan["id"] for orphan in rows.orphans(connection)]


def later(number: int, seconds: float) -> None:
    """Let a suspicion have been raised some seconds earlier."""
    change(number, lease_until=job(number)["lease_until"] + seconds)


def test_a_running_job_without_sign_of_life_is_first_suspected_then_an_orphan():
    number = add_one()
    claim(number)
    assert orphans() == []
    with write() as connection:
        assert rows.renew(connection, number, "me")
        assert not rows.renew(connection, number, "another")
        assert not rows.overdue(connection)
    change(number, lease_until=time.time() - 0.1)
    with read() as connection:
        assert rows.overdue(connection)
    assert orphans() == []
    assert orphans() == []
    later(number, rows.SUSPICION + 0.1)
    assert orphans() == [number]


def test_a_suspected_job_that_gives_a_sign_of_life_is_not_given_away():
    number = add_one()
    claim(number)
    # As after a suspended machine: all leases have run out at once.
    change(number, lease_until=time.time() - 3600)
    assert orphans() == []
    with write() as connection:
        assert rows.renew(connection, number, "me")
    assert orphans() == []
    assert job(number)["lease_until"] > time.time()


def test_a_clock_set_back_makes_no_job_run_for_ever():
    number = add_one()
    claim(number)
    change(number, lease_until=time.time() + 3600)
    assert orphans() == []
    later(number, rows.SUSPICION + 0.1)
    assert orphans() == [number]


def test_a_clock_set_back_after_a_job_was_suspected_makes_it_no_less_an_orphan():
    number = add_one()
    claim(number)
    change(number, lease_until=-time.time() - 3600)
    assert orphans() == []
    later(number, rows.SUSPICION + 0.1)
    assert orphans() == [number]


def test_a_clock_set_back_holds_up_no_job_that_was_not_to_wait():
    ahead = time.time() + 3600
    for number in (add_one(), add_one()):
        change(number, created=ahead, due=ahead, sent=ahead)
    assert lost() == [1, 2], "nobody can tell for how long it waited on the wire"
    assert claim(1) is not None
    with write() as connection:
        rows.unsent(connection, [2])
        assert [s.id for s in rows.due(connection)] == [2]
        rows.retry_later(connection, 1, "me", 60.0, "it broke", None)
        assert [s.id for s in rows.due(connection)] == [2], "a pause is a pause"


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


def test_a_lease_is_longer_than_three_signs_of_life():
    number = add_one()
    claim(number)
    assert LEASE - 2 < job(number)["lease_until"] - time.time() <= LEASE
