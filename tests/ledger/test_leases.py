"""A lease has one holder, runs out, and is given again after growing pauses."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import update

from gwbroker.ledger import leases
from gwbroker.ledger.engine import write
from gwbroker.ledger.leases import FORGIVEN, LENGTH, PAUSE_MAX, pause
from gwbroker.ledger.models import leases as table

pytestmark = pytest.mark.usefixtures("ledger")


def row() -> dict[str, Any]:
    """Return the row of the lease."""
    (found,) = leases.listing()
    return found


def change(**values: Any) -> None:
    """Change the row, as time or a crash would."""
    with write() as connection:
        connection.execute(update(table).values(**values))


def test_a_lease_is_given_to_one_and_refused_to_others():
    assert leases.acquire("a", "one") is None
    refused = leases.acquire("a", "two")
    assert refused is not None
    assert 0 < refused.wait <= LENGTH
    assert "one" in refused.reason
    assert leases.acquire("b", "two") is None


def test_who_holds_a_lease_may_take_it_again():
    leases.acquire("a", "one")
    assert leases.acquire("a", "one") is None


def test_of_many_at_once_one_gets_the_lease():
    barrier = threading.Barrier(6)

    def ask(index: int) -> bool:
        barrier.wait()
        return leases.acquire("a", f"holder {index}") is None

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, range(6))) == 1


def test_a_lease_is_renewed_by_its_holder_alone():
    leases.acquire("a", "one")
    change(until=time.time() + 1)
    assert not leases.renew("a", "two")
    assert leases.renew("a", "one")
    assert row()["until"] - time.time() > LENGTH - 1


def test_a_lease_that_ran_out_goes_to_the_next_without_a_pause_the_first_time():
    leases.acquire("a", "one")
    change(until=time.time() - 0.1, started=time.time() - 100)
    assert leases.acquire("a", "two") is None
    assert not leases.renew("a", "one")
    assert row()["failures"] == 1


def lose(times: int) -> None:
    """Lose the lease so often, each time after a few seconds."""
    for number in range(times):
        assert leases.acquire("a", f"holder-{number}") is None
        change(until=time.time() - 0.1, started=time.time() - 6)


def test_a_lease_lost_a_few_times_in_a_row_is_given_again_at_once():
    lose(FORGIVEN)
    assert leases.acquire("a", "next") is None
    assert row()["failures"] == FORGIVEN


def test_a_lease_lost_again_and_again_costs_a_pause():
    lose(FORGIVEN + 1)
    refused = leases.acquire("a", "next")
    assert refused is not None
    assert f"{FORGIVEN + 1} times" in refused.reason
    change(not_before=time.time() - 0.1)
    assert leases.acquire("a", "next") is None


def test_pauses_grow_from_one_second_to_sixty():
    for failures, longest in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (20, 60), (5000, 60)):
        waits = [pause(failures) for _ in range(50)]
        assert max(1.0, 0.75 * longest) <= min(waits) <= max(waits) <= longest
    assert pause(0) == 0.0


def test_a_failure_is_remembered_and_the_next_start_is_put_off():
    pauses = []
    for _ in range(4):
        change(not_before=0.0)
        assert leases.acquire("a", "one") is None
        pauses.append(leases.release("a", "one", "it broke"))
        assert leases.acquire("a", "two") is not None
    assert pauses == sorted(pauses)
    assert pauses[0] == 1.0
    assert pauses[3] >= 6.0
    assert (row()["state"], row()["error"], row()["failures"]) == ("failed", "it broke", 4)


def test_a_run_that_lasted_is_not_part_of_a_series_of_failures():
    leases.acquire("a", "one")
    change(failures=7, started=time.time() - 40)
    assert leases.release("a", "one", "it broke") == 1.0
    assert row()["failures"] == 1


def test_a_run_that_works_forgets_the_failures_before_it():
    leases.acquire("a", "one")
    change(failures=7, error="it broke")
    leases.healthy("a", "two")
    assert row()["failures"] == 7
    leases.healthy("a", "one")
    assert (row()["failures"], row()["error"]) == (0, None)


def test_a_stop_on_request_costs_no_pause():
    leases.acquire("a", "one")
    assert leases.release("a", "one") == 0.0
    assert (row()["state"], row()["held"]) == ("stopped", False)
    assert leases.acquire("a", "two") is None


def test_a_release_by_one_who_lost_the_lease_changes_nothing():
    leases.acquire("a", "one")
    change(until=time.time() - 0.1)
    leases.acquire("a", "two")
    assert leases.release("a", "one", "late") == 0.0
    assert (row()["holder"], row()["held"]) == ("two", True)


@pytest.mark.parametrize("column", ["until", "not_before"])
def test_a_clock_set_back_keeps_nobody_out_for_ever(column: str):
    leases.acquire("a", "one")
    if column == "not_before":
        leases.release("a", "one")
    change(**{column: time.time() + 1000 * PAUSE_MAX})
    deadline = time.monotonic() + 10
    while leases.acquire("a", "two") is not None:
        assert time.monotonic() < deadline
        change(not_before=0.0) if column == "until" else None


def test_how_a_listener_fares_is_shown_while_it_holds_the_lease():
    leases.acquire("a", "one")
    leases.say("a", "one", "trouble", "no answer")
    leases.say("a", "two", "fine", None)
    assert (row()["state"], row()["error"], row()["held"]) == ("trouble", "no answer", True)
