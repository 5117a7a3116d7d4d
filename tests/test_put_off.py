"""A job that puts itself off stays the same job, and loses no try."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import update

from gwbroker import callees, jobs, running
from gwbroker.errors import JobLost, NoJob
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.models import jobs as table

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def alone(ledger: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ledger of each kind, no wire, and a task of the test's own."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()
    yield
    callees.callees.pop("mine", None)


def submit(work: Callable[[], None]) -> int:
    jobs.task(name="mine", retries=0)(work)
    jobs.submit("mine", urgent=False)
    with read() as connection:
        return int(rows.listing(connection)[-1]["id"])


def come(number: int) -> dict[str, object]:
    """Let the time come at which a job is due, run it, and return its row."""
    with write() as connection:
        connection.execute(update(table).values(due=table.c.created))
    jobs.run(number)
    with read() as connection:
        (found,) = rows.listing(connection)
        assert 0 <= rows.age(connection, number) < 60
    return found


def test_however_often_it_is_put_off_it_is_one_job_with_all_its_tries() -> None:
    begun: list[int] = []

    def work() -> None:
        begun.append(1)
        if len(begun) < 4:
            running.put_off(30)

    number = submit(work)
    for _ in range(3):
        row = come(number)
        assert (row["state"], row["attempts"], row["sends"], row["error"]) == (
            "pending", 0, 0, None)
        assert 25 < float(str(row["due"])) - float(str(row["created"])) < 60
        assert row["claimant"] is None or row["lease_until"] is None
        # Not yet.
        jobs.run(number)
    assert len(begun) == 3
    assert come(number)["state"] == "done"


def test_what_goes_wrong_after_it_was_put_off_ends_no_job() -> None:
    def work() -> None:
        running.put_off(30)
        with pytest.raises(NoJob):
            running.put_off(30)
        raise RuntimeError("too late")

    assert come(submit(work))["state"] == "pending"


def test_a_job_that_another_worker_has_is_not_put_off() -> None:
    def work() -> None:
        with write() as connection:
            connection.execute(update(table).values(claimant="another"))
        with pytest.raises(JobLost):
            running.put_off(30)

    assert come(submit(work))["state"] == "running"


def test_outside_of_a_job_there_is_nothing_to_put_off() -> None:
    with pytest.raises(NoJob):
        running.put_off(30)
