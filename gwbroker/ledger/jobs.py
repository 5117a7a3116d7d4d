"""Jobs in the ledger: one call each of a handler or task, until it is done or dead."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql

from ..errors import NotFound
from .claims import (
    LEASE,
    Claim,
    bury,
    claim,
    clear_the_way,
    finish,
    put_off,
    renew,
    retry_later,
    successor,
    tell,
)
from .engine import clock
from .models import jobs
from .notices import chunks
from .prepared import Prepared, PreparedLists
from .sendable import COLUMNS, EITHER, UNFINISHED, Sendable, is_due, mark_sent, unsent
from .storable import storable
from .sweeping import (
    LOST_AFTER,
    PORTION,
    SUSPICION,
    due,
    lost,
    next_old,
    orphans,
    overdue,
    unblocked,
)

__all__ = [
    "LEASE", "LOST_AFTER", "PORTION", "SUSPICION", "Claim", "Draft", "Sendable", "add", "age",
    "awaited", "backlog", "bury", "busy", "claim", "clear_the_way", "counts", "dead", "dismiss",
    "due", "finish", "how_far", "listing", "lost", "mark_sent", "next_old", "orphans", "overdue",
    "put_off", "renew", "retry_later", "revive", "stuck", "successor", "tell", "unblocked",
    "unfinished", "unsent",
]


@dataclass(frozen=True)
class Draft:
    """A job to be written."""

    handler: str
    queue: str
    notice_id: int | None = None
    args: tuple[Any, ...] = ()
    key: str | None = None
    serial: str | None = None
    delay: float = 0.0
    error: str | None = None
    """If it is set the job is dead from the start, with this reason."""
    priority: int = 0
    """0: live; 1: of an old message, which waits until nothing live does."""
    replay: str | None = None


def add(connection: Connection, drafts: Sequence[Draft]) -> list[Sendable]:
    """Write jobs; return those to be sent now. A key seen before adds nothing."""
    if not drafts:
        return []
    now = clock(connection)
    taken: set[str] = set()
    for chunk in chunks(d.key for d in drafts if d.key is not None):
        taken.update(row[0] for row in _TAKEN(connection, wanted=chunk))
    fresh = []
    for draft in drafts:
        if draft.key is None or draft.key not in taken:
            fresh.append(draft)
            if draft.key is not None:
                taken.add(draft.key)
    if not fresh:
        return []
    if connection.dialect.name == "postgresql":
        now = connection.execute(select(now)).scalar_one()
    rows = [_row(draft, float(now)) for draft in fresh]
    if connection.dialect.name == "sqlite":
        # No round trip: one after the other is quicker than one statement for all.
        numbers = [_INSERT(connection, **{**row, "args": json.dumps(row["args"])}).scalar()
                   for row in rows]
        return [Sendable(int(number), draft.handler, draft.queue)
                for number, draft, row in zip(numbers, fresh, rows, strict=True)
                if row["state"] == "sent" and number is not None]
    insertion = postgresql.insert(jobs)
    if taken:
        # Another host may write the same key between our look and our insert.
        insertion = insertion.on_conflict_do_nothing(index_elements=["key"])
    added = connection.execute(insertion.returning(*COLUMNS, jobs.c.state), rows)
    return [Sendable(row.id, row.handler, row.queue) for row in added if row.state == "sent"]


def _row(draft: Draft, now: float) -> dict[str, Any]:
    # A live job is written as sent, because it is sent right after the commit; if that
    # fails, or this process dies in between, the sweep finds it on no queue.
    state = "dead" if draft.error else "pending" if draft.delay or draft.priority else "sent"
    return {
        "notice_id": draft.notice_id, "handler": draft.handler, "queue": draft.queue,
        "args": list(draft.args), "key": draft.key, "serial": draft.serial, "state": state,
        "attempts": 0, "sends": 1 if state == "sent" else 0, "error": storable(draft.error),
        "created": now, "due": now + draft.delay, "sent": now if state == "sent" else None,
        "finished": now if draft.error else None, "priority": draft.priority,
        "replay": draft.replay,
    }


_WRITTEN = frozenset(_row(Draft("", ""), 0.0))
_TAKEN = PreparedLists(lambda values: select(jobs.c.key).where(jobs.c.key.in_(values("wanted"))))
_INSERT = Prepared(lambda *_: insert(jobs).values(
    {c.name: bindparam(c.name) for c in jobs.c if c.name in _WRITTEN}).returning(jobs.c.id))


def revive(connection: Connection, numbers: Sequence[int]) -> list[Sendable]:
    """Make dead jobs pending again, with a fresh count of attempts; return them for sending.

    Raises
    ------
    NotFound
        If one of them is not there, or not dead.
    """
    found = [Sendable(*row) for row in connection.execute(
        update(jobs).where(jobs.c.id.in_(numbers), jobs.c.state == "dead")
        .values(state="pending", attempts=0, sends=0, finished=None, due=clock(connection))
        .returning(*COLUMNS))]
    missing = set(numbers) - {row.id for row in found}
    if missing:
        raise NotFound("dead job", ", ".join(map(str, sorted(missing))))
    return mark_sent(connection, found)


def dismiss(connection: Connection, numbers: Sequence[int]) -> None:
    """Let dead jobs be done as they are: nobody will retry them; what was wrong stays in them.

    Raises
    ------
    NotFound
        If one of them is not there, or not dead.
    """
    found = set(connection.execute(
        update(jobs).where(jobs.c.id.in_(numbers), jobs.c.state == "dead")
        .values(state="done", error=literal("dismissed: ") + func.coalesce(jobs.c.error, ""))
        .returning(jobs.c.id)).scalars())
    missing = set(numbers) - found
    if missing:
        raise NotFound("dead job", ", ".join(map(str, sorted(missing))))


def listing(
    connection: Connection, *, state: str | None = None, notice: int | None = None,
    handler: str | None = None, numbers: Sequence[int] | None = None, replay: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return the newest jobs, oldest of them first, as plain dictionaries."""
    query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    wanted = {"state": state, "notice_id": notice, "handler": handler, "replay": replay}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(jobs.c[name] == value)
    if numbers is not None:
        query = query.where(jobs.c.id.in_(numbers))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row["notice"] = row.pop("notice_id")
    return rows[::-1]


def how_far(progress: Mapping[str, Any] | None) -> str:
    """Return the progress of a job as people read it: ``3 of 8, volume``."""
    if not progress:
        return ""
    done, total, note = (progress.get(name) for name in ("done", "total", "note"))
    parts = [] if done is None else [f"{done:g}" + ("" if total is None else f" of {total:g}")]
    return ", ".join(parts + ([str(note)] if note else []))


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Return the number of unfinished and dead jobs by queue and state."""
    result: dict[str, dict[str, int]] = {}
    for condition in (UNFINISHED, text("jobs.state = 'dead'")):
        query = (select(jobs.c.queue, jobs.c.state, func.count())
                 .where(condition).group_by(jobs.c.queue, jobs.c.state))
        for queue, state, number in connection.execute(query):
            result.setdefault(queue, {})[state] = number
    return result


def unfinished(
    connection: Connection, notices: Sequence[int] | None = None, replay: str | None = None,
) -> int:
    """Return how many jobs are not finished, of some notices, of a replay, or of all."""
    query = select(func.count()).select_from(jobs).where(UNFINISHED)
    if notices is not None:
        query = query.where(jobs.c.notice_id.in_(notices))
    if replay is not None:
        query = query.where(jobs.c.replay == replay)
    return int(connection.execute(query).scalar_one())


def backlog(connection: Connection) -> int:
    """Return how many jobs of old messages are not finished."""
    query = select(func.count()).select_from(jobs).where(jobs.c.priority == 1, UNFINISHED)
    return int(connection.execute(query).scalar_one())


def age(connection: Connection, number: int) -> float:
    """Return how many seconds ago a job was submitted."""
    return float(connection.execute(
        select(clock(connection) - jobs.c.created).where(jobs.c.id == number)).scalar_one())


def awaited(connection: Connection, queue: str, apart_from: Collection[str]) -> bool:
    """Tell whether a job of other handlers or tasks than these waits on a queue."""
    return connection.execute(select(jobs.c.id).where(
        EITHER, jobs.c.state.in_(("sent", "pending")), jobs.c.queue == queue,
        jobs.c.handler.not_in(list(apart_from)), UNFINISHED, is_due(connection),
    ).limit(1)).first() is not None


def busy(
    connection: Connection, queue: str, seconds: float, apart_from: Collection[str],
) -> bool:
    """Tell whether a job of other handlers or tasks has ended on a queue in the last seconds."""
    newest = (select(jobs.c.handler, jobs.c.queue, jobs.c.finished)
              .order_by(jobs.c.id.desc()).limit(200).subquery())
    return connection.execute(select(newest.c.finished).where(
        newest.c.queue == queue, newest.c.handler.not_in(list(apart_from)),
        newest.c.finished > clock(connection) - seconds).limit(1)).first() is not None


def dead(connection: Connection) -> list[dict[str, Any]]:
    """Return handlers and tasks with dead jobs: how many, the newest's number and error."""
    condition = text("jobs.state = 'dead'")
    query = (select(func.count().label("number"), func.max(jobs.c.id).label("newest"))
             .where(condition).group_by(jobs.c.handler).subquery())
    return [dict(row) for row in connection.execute(
        select(jobs.c.handler, query.c.number, query.c.newest, jobs.c.error)
        .join(query, query.c.newest == jobs.c.id).order_by(jobs.c.id.desc())).mappings()]


def stuck(connection: Connection) -> list[dict[str, Any]]:
    """Return handlers whose jobs were sent several times and never started."""
    query = (select(jobs.c.handler, jobs.c.queue, func.count().label("number"),
                    func.max(jobs.c.sends).label("sends"))
             .where(EITHER, jobs.c.state == "sent", jobs.c.attempts == 0, jobs.c.sends >= 4,
                    UNFINISHED)
             .group_by(jobs.c.handler, jobs.c.queue))
    return [dict(row) for row in connection.execute(query).mappings()]
