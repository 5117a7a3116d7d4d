"""Sendable: what the wire needs to know of a job, and which jobs are on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, text, update

from .engine import clock
from .models import jobs

# Written out, because SQLite uses a partial index only for a condition without parameters.
UNFINISHED = text("jobs.state IN ('pending', 'sent', 'running', 'waiting')")
_EARLIER = text("earlier.state IN ('pending', 'sent', 'running', 'waiting')")

_earlier = jobs.alias("earlier")
BLOCKED = exists().where(
    _earlier.c.serial == jobs.c.serial, _EARLIER,
    # Order, and mutual exclusion even where a lower number was committed late.
    or_(_earlier.c.id < jobs.c.id,
        and_(_earlier.c.state == "running", _earlier.c.id != jobs.c.id)),
).correlate(jobs)
"""Whether a job must wait for another one of its event."""

EITHER = jobs.c.priority.in_((0, 1))
"""True of every job; an index that begins with the priority can be used with it."""


def is_due(connection: Connection) -> ColumnElement[bool]:
    """Return the condition that a job may start by now."""
    # One that was never to wait does not, also if the clock was set back since.
    return or_(jobs.c.due <= clock(connection),
               and_(jobs.c.due <= jobs.c.created, jobs.c.attempts == 0))


COLUMNS = jobs.c["id", "handler", "queue", "priority"]


@dataclass(frozen=True)
class Sendable:
    """What the wire needs to know of a job."""

    id: int
    handler: str
    queue: str
    priority: int = 0


def fetch(connection: Connection, query: Select[Any]) -> list[Sendable]:
    """Return the jobs that a query for `COLUMNS` finds."""
    return [Sendable(*row) for row in connection.execute(query)]


def mark_sent(connection: Connection, sendable: list[Sendable]) -> list[Sendable]:
    """Note that jobs go to the wire now; return them."""
    if sendable:
        connection.execute(
            update(jobs).where(jobs.c.id.in_([s.id for s in sendable]), UNFINISHED,
                               jobs.c.state != "running")
            .values(state="sent", sent=clock(connection), sends=jobs.c.sends + 1))
    return sendable


def unsent(connection: Connection, numbers: Collection[int]) -> None:
    """Note that jobs did not reach the wire after all; the sweep sends them again."""
    connection.execute(update(jobs).where(jobs.c.id.in_(list(numbers)), jobs.c.state == "sent")
                       .values(state="pending"))
