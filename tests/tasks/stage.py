"""What the tests of tasks have in common: a way to record reports, and to run every job."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from gwbroker import jobs
from gwbroker.ledger import engine, events
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.notice import Notice
from gwbroker.report import Cone, Report
from gwbroker.tasks import events as event_tasks

T0 = datetime(2017, 8, 17, 12, 41, 4, 430000, tzinfo=UTC)


def unfinished() -> list[dict[str, Any]]:
    """Return the jobs that are there to be run, the urgent ones first, as workers take them."""
    with engine.read() as connection:
        left = [job for job in job_rows.listing(connection, limit=1000)
                if job["state"] not in ("done", "dead")]
    return sorted(left, key=lambda job: (job["priority"], job["id"]))


def run_everything(*only: str) -> None:
    """Run every job there is in this process; or only those of tasks with these names."""
    deadline = time.monotonic() + 120
    while left := [job for job in unfinished()
                   if not only or job["handler"].rpartition(".")[2] in only]:
        assert time.monotonic() < deadline, left
        jobs.run(left[0]["id"])


NUMBERS = ("localize", "coincide", "assess")
"""The tasks that draw nothing."""


def run_again() -> None:
    """Call all tasks that were done once more, the last one first."""
    with engine.read() as connection:
        done = job_rows.listing(connection, state="done", limit=1000)
    for job in reversed(done):
        jobs.callees[job["handler"]].function(*job["args"])


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return an event without the times at which it and its products were changed."""
    kept = {k: v for k, v in row.items() if k != "updated"}
    return {**kept, "products": [{k: v for k, v in p.items() if k != "made"}
                                 for p in row["products"]]}


def event(name: str) -> dict[str, Any]:
    """Return an event with its products."""
    with engine.read() as connection:
        number = events.search(connection, name)
        assert number is not None, name
        return events.listing(connection, number=number)[0]


def dead() -> list[str]:
    """Return what is wrong with dead jobs."""
    with engine.read() as connection:
        return [job["error"] for job in job_rows.listing(connection, state="dead")]


def parts() -> list[list[Any]]:
    """Return the steps that jobs of `annotate` are for, how often each was begun, their states."""
    with engine.read() as connection:
        return [[*j["args"][3:], j["attempts"], j["state"]] for j in job_rows.listing(connection)
                if j["handler"].endswith(".annotate")]


def record(report: Report, payload: bytes = b"{}", minutes: float | None = None,
           topic: str = "other.topic") -> int:
    """Let a notice with a report come; return the number of its event."""
    from dataclasses import replace

    if minutes is not None:
        report = replace(report, issued=T0 + timedelta(minutes=minutes))
    notice = Notice(payload, topic=topic)
    with engine.write() as connection:
        (kept,) = notice_rows.keep(connection, [notice], [None])
    return event_tasks.record(notice.with_id(kept.id), report)


def merger(name: str = "S170817a", **values: Any) -> Report:
    """Return a report of a merger at T0."""
    return Report(**{
        "kind": "gw", "name": name, "identifiers": (f"gw:{name}",), "t0": T0,
        "facts": {"far_hz": 4e-13, "group": "CBC", "search": "AllSky"},
        "localization": Cone(197.45, -23.38, 3.0, 0.9, "a test"), **values})


def burst(name: str = "GRB 170817A", seconds: float = 2.04, **values: Any) -> Report:
    """Return a report of a burst so many seconds after T0."""
    return Report(**{
        "kind": "grb", "name": name, "identifiers": ("fermi:524666471",),
        "t0": T0 + timedelta(seconds=seconds),
        "localization": Cone(190.0, -30.0, 15.0, 0.68, "a test"), **values})
