"""What is not urgent makes way for alerts, and its turn comes all the same."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import update

from gwbroker import jobs
from gwbroker.ledger import engine, models
from gwbroker.ledger import jobs as job_rows
from gwbroker.tasks import annotations, quiet

from .stage import merger, parts, record, run_everything, unfinished

pytestmark = pytest.mark.usefixtures("alone")


def three_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put three steps in the place of the real ones; return what they write down."""
    done: list[str] = []

    def step(name: str) -> Any:
        return lambda subject, skymap: done.append(f"{name} of {subject.name}")

    monkeypatch.setattr(annotations, "STEPS", {name: step(name) for name in ("a", "b", "c")})
    return done


def begin() -> None:
    """Let a worker take the first annotation that is there."""
    (number, *_) = [j["id"] for j in unfinished() if j["handler"].endswith(".annotate")]
    jobs.run(number)


def test_what_is_made_makes_way_for_an_alert_and_goes_on_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = three_steps(monkeypatch)
    record(merger())
    run_everything("localize", "plot", "coincide")
    begin()
    record(merger("S170818b"), b"{2}")
    begin()
    assert done == ["a of S170817a"]
    assert parts() == [["a", 1, "done"], ["b", 0, "pending"], ["c", 0, "pending"]]
    run_everything("localize", "plot", "coincide", "annotate")
    assert sorted(done[1:]) == ["a of S170818b", "b of S170817a", "b of S170818b",
                                "c of S170817a", "c of S170818b"]


def test_what_is_not_urgent_waits_until_a_burst_of_alerts_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quiet, "QUIET", 60.0)
    done = three_steps(monkeypatch)
    record(merger())
    run_everything("localize", "plot", "coincide")
    begin()
    assert done == []
    # The same job waits: alerts that keep coming fill no ledger.
    assert parts() == [[step, 0, "pending"] for step in "abc"]
    with engine.read() as connection:
        assert job_rows.busy(connection, "openmp", 60.0, quiet.ENRICHMENT)
    # A minute later.
    monkeypatch.setattr(quiet, "QUIET", -1.0)
    run_everything("annotate")
    assert len(done) == 3


def older(seconds: float) -> None:
    """Let all jobs be older than they are, and due."""
    with engine.write() as connection:
        connection.execute(update(models.jobs).values(
            created=models.jobs.c.created - seconds, due=models.jobs.c.created - seconds))


def test_alerts_that_never_cease_put_nothing_off_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = three_steps(monkeypatch)
    record(merger())
    run_everything("localize", "plot", "coincide")
    pauses: list[float] = []
    for minute in range(11):
        # An alert waits whenever one looks.
        record(merger(f"S17081{minute}x"), b"%d" % minute, minutes=minute)
        begin()
        if done:
            break
        pauses.append(next(job["due"] for job in unfinished()
                           if job["handler"].endswith(".annotate")) - time.time())
        older(60)
    assert done == ["a of S170817a"]
    assert minute == 10
    assert parts()[0] == ["a", 1, "done"]
    assert len(parts()) == 3
    # It looks again less and less often, and once a minute at least.
    assert pauses[0] < 2
    assert 25 < pauses[1] < 35
    assert all(55 < pause <= quiet.PAUSE for pause in pauses[2:])
