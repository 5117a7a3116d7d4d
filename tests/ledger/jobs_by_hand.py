"""What a worker, time or a crash does to a job, one step at a time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Claim, Draft, Sendable
from gwbroker.ledger.models import jobs


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


def last() -> int:
    """Return the number of the newest job."""
    with read() as connection:
        return rows.listing(connection, limit=1)[0]["id"]
