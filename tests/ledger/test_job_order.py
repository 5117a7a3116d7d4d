"""Jobs about one source run one at a time, in order."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gwbroker.ledger import claims
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write

from .jobs_by_hand import add_one, claim, finish, job

pytestmark = pytest.mark.usefixtures("ledger")


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


@pytest.mark.parametrize("ledger", ["postgresql"], indirect=True)
def test_a_job_whose_predecessor_ends_while_it_is_claimed_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (add_one(queue="events", serial="S1") for _ in range(2))
    claim(first)
    wait = claims._WAIT

    def late(*args: object, **values: object) -> object:
        # PostgreSQL lets the other worker commit between our two statements.
        thread = threading.Thread(target=finish, args=(first,))
        thread.start()
        thread.join()
        return wait(*args, **values)

    monkeypatch.setattr(claims, "_WAIT", late)
    assert claim(second) is not None
