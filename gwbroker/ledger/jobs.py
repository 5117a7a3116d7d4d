"""Jobs in the ledger: one call each of a handler or task, until it is done or dead."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import NotFound
from ..notice import Notice
from . import notices as notice_rows
from .engine import clock, lock
from .models import jobs
from .notices import chunks
from .prepared import Prepared
from .storable import storable

LEASE = 9.0
"""Seconds for which a running job is taken to be alive after its last sign of life."""

SUSPICION = LEASE / 3
"""Seconds more that a suspected job has for a sign of life; its worker gives one in a quarter."""

LOST_AFTER = 5.0
"""Seconds after which a job sent to an empty queue is taken to be lost on the wire."""

# Written out, because SQLite uses a partial index only for a condition without parameters.
_UNFINISHED = text("jobs.state IN ('pending', 'sent', 'running', 'waiting')")
_EARLIER = text("earlier.state IN ('pending', 'sent', 'running', 'waiting')")

_earlier = jobs.alias("earlier")
_blocked = exists().where(
    _earlier.c.serial == jobs.c.serial, _EARLIER,
    # Order, and mutual exclusion even where a lower number was committed late.
    or_(_earlier.c.id < jobs.c.id,
        and_(_earlier.c.state == "running", _earlier.c.id != jobs.c.id)),
).correlate(jobs)


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


@dataclass(frozen=True)
class Sendable:
    """What the wire needs to know of a job."""

    id: int
    handler: str
    queue: str


@dataclass(frozen=True)
class Claim:
    """A job that this process now runs, with its notice."""

    id: int
    handler: str
    queue: str
    args: tuple[Any, ...]
    attempts: int
    claimant: str
    notice: Notice | None = field(default=None, repr=False)
    serial: str | None = None


def add(connection: Connection, drafts: Sequence[Draft]) -> list[Sendable]:
    """Write jobs; return those to be sent now. A key seen before adds nothing."""
    if not drafts:
        return []
    now = clock(connection)
    taken: set[str] = set()
    for chunk in chunks(d.key for d in drafts if d.key is not None):
        if len(chunk) == 1:
            if _TAKEN(connection, wanted=chunk[0]).first():
                taken.add(chunk[0])
        else:
            taken.update(connection.execute(
                select(jobs.c.key).where(jobs.c.key.in_(chunk))).scalars())
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
    if connection.dialect.name == "sqlite" and len(rows) == 1:
        number = _INSERT(connection, **{**rows[0], "args": json.dumps(rows[0]["args"])}).scalar()
        return [Sendable(int(number), fresh[0].handler, fresh[0].queue)] \
            if rows[0]["state"] == "sent" and number is not None else []
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(jobs).returning(jobs.c.id, jobs.c.handler, jobs.c.queue,
                                               jobs.c.state)
    if taken and connection.dialect.name == "postgresql":
        # Another host may write the same key between our look and our insert.
        statement = statement.on_conflict_do_nothing(index_elements=["key"])
    return [Sendable(row.id, row.handler, row.queue)
            for row in connection.execute(statement, rows) if row.state == "sent"]


_WRITTEN = frozenset(("notice_id", "handler", "queue", "args", "key", "serial", "state",
                      "attempts", "sends", "error", "created", "due", "sent", "finished"))


def _row(draft: Draft, now: float) -> dict[str, Any]:
    # A job is written as sent, because it is sent right after the commit; if that
    # fails, or this process dies in between, the sweep finds it on no queue.
    state = "dead" if draft.error else "pending" if draft.delay else "sent"
    return {
        "notice_id": draft.notice_id, "handler": draft.handler, "queue": draft.queue,
        "args": list(draft.args), "key": draft.key, "serial": draft.serial, "state": state,
        "attempts": 0, "sends": 1 if state == "sent" else 0, "error": storable(draft.error),
        "created": now, "due": now + draft.delay, "sent": now if state == "sent" else None,
        "finished": now if draft.error else None,
    }


_number: BindParameter[int] = bindparam("number")
_claimant: BindParameter[str] = bindparam("worker")
_mine = (jobs.c.id == _number, jobs.c.claimant == _claimant, jobs.c.state == "running")
_CLAIM = Prepared(lambda now, _: update(jobs).where(
    jobs.c.id == _number, text("jobs.state IN ('pending', 'sent', 'waiting')"),
    jobs.c.due <= now + 0.5, ~_blocked,
).values(
    state="running", attempts=jobs.c.attempts + 1, started=now, claimant=_claimant,
    lease_until=now + LEASE, finished=null(),
).returning(*jobs.c["id", "handler", "queue", "args", "attempts", "notice_id", "serial"]))
_WAIT = Prepared(lambda *_: update(jobs).where(
    jobs.c.id == _number, jobs.c.state == "sent", jobs.c.serial.is_not(None), _blocked,
).values(state="waiting"))
_RENEW = Prepared(lambda now, _: update(jobs).where(*_mine).values(lease_until=now + LEASE))
_FINISH = Prepared(lambda now, _: update(jobs).where(*_mine).values(
    state="done", finished=now, error=null(), traceback=null(), lease_until=null()))
_TAKEN = Prepared(lambda *_: select(jobs.c.id).where(jobs.c.key == bindparam("wanted")))
_INSERT = Prepared(lambda *_: insert(jobs).values(
    {c.name: bindparam(c.name) for c in jobs.c if c.name in _WRITTEN}).returning(jobs.c.id))
_SUCCESSOR = Prepared(lambda *_: select(jobs.c.id, jobs.c.handler, jobs.c.queue).where(
    jobs.c.serial == bindparam("subject"), jobs.c.state == "waiting", _UNFINISHED,
).order_by(jobs.c.id).limit(1))


def claim(connection: Connection, number: int, claimant: str) -> Claim | None:
    """Take a job for running; None if it is not there to be taken.

    Not to be taken is a job that is finished, runs elsewhere, is not due yet,
    or must wait for an earlier one of its event.
    """
    if connection.dialect.name == "postgresql":
        serial = connection.execute(
            select(jobs.c.serial).where(jobs.c.id == number)).scalar_one_or_none()
        if serial is not None:
            lock(connection, serial)
    row = _CLAIM(connection, number=number, worker=claimant).first()
    if row is None:
        _WAIT(connection, number=number)
        return None
    args = json.loads(row.args) if isinstance(row.args, str) else row.args
    notice = notice_rows.load(connection, row.notice_id) if row.notice_id else None
    return Claim(row.id, row.handler, row.queue, tuple(args), row.attempts, claimant, notice,
                 row.serial)


def renew(connection: Connection, number: int, claimant: str) -> bool:
    """Give a sign of life for a running job; return whether it is still ours."""
    return _RENEW(connection, number=number, worker=claimant).rowcount == 1


def _close(connection: Connection, number: int, claimant: str | None, **values: Any) -> bool:
    condition = [jobs.c.id == number, jobs.c.state == "running"]
    if claimant is not None:
        condition.append(jobs.c.claimant == claimant)
    return connection.execute(
        update(jobs).where(*condition).values(lease_until=None, **values)).rowcount == 1


def finish(connection: Connection, number: int, claimant: str) -> bool:
    """Note that a job is done; false if it was no longer ours."""
    return _FINISH(connection, number=number, worker=claimant).rowcount == 1


def retry_later(
    connection: Connection, number: int, claimant: str | None, delay: float, error: str,
    traceback: str | None,
) -> bool:
    """Note that a try failed and when the next is due; false if the job was no longer ours."""
    return _close(connection, number, claimant, state="pending", error=storable(error),
                  traceback=storable(traceback), sends=0, due=clock(connection) + delay)


def bury(
    connection: Connection, number: int, claimant: str | None, error: str,
    traceback: str | None,
) -> bool:
    """Note that a job is dead; false if it was no longer ours."""
    return _close(connection, number, claimant, state="dead", error=storable(error),
                  traceback=storable(traceback), finished=clock(connection))


def unblocked(connection: Connection, limit: int = 100) -> list[Sendable]:
    """Return jobs that waited for an earlier one of their event and need not any more."""
    query = (select(jobs.c.id, jobs.c.handler, jobs.c.queue)
             .where(jobs.c.state == "waiting", _UNFINISHED, ~_blocked)
             .order_by(jobs.c.id).limit(limit))
    return [Sendable(*row) for row in connection.execute(query)]


def successor(connection: Connection, serial: str | None) -> list[Sendable]:
    """Return the job that waited for a finished one with this serial, if any."""
    if serial is None:
        return []
    row = _SUCCESSOR(connection, subject=serial).first()
    return mark_sent(connection, [Sendable(row.id, row.handler, row.queue)]) if row else []


def mark_sent(connection: Connection, sendable: list[Sendable]) -> list[Sendable]:
    """Note that jobs go to the wire now; return them."""
    if sendable:
        connection.execute(
            update(jobs).where(jobs.c.id.in_([s.id for s in sendable]), _UNFINISHED,
                               jobs.c.state != "running")
            .values(state="sent", sent=clock(connection), sends=jobs.c.sends + 1))
    return sendable


def unsent(connection: Connection, numbers: Collection[int]) -> None:
    """Note that jobs did not reach the wire after all; the sweep sends them again."""
    connection.execute(update(jobs).where(jobs.c.id.in_(list(numbers)), jobs.c.state == "sent")
                       .values(state="pending"))


def due(connection: Connection, limit: int = 500) -> list[Sendable]:
    """Return jobs that should have been sent by now."""
    query = (select(jobs.c.id, jobs.c.handler, jobs.c.queue)
             .where(jobs.c.state == "pending", _UNFINISHED, jobs.c.due <= clock(connection))
             .order_by(jobs.c.due).limit(limit))
    return [Sendable(*row) for row in connection.execute(query)]


def lost(connection: Connection, empty_queues: Iterable[str], limit: int = 500) -> list[Sendable]:
    """Return jobs that were sent and never started.

    On a queue that is empty a job sent a few seconds ago is gone; on one with a
    backlog it may just wait, so it is sent again only after a minute, then two, four...
    """
    now = clock(connection)
    least = "least" if connection.dialect.name == "postgresql" else "min"
    patience: ColumnElement[float] = literal_column(f"30.0 * (1 << {least}(jobs.sends, 6))")
    query = (select(jobs.c.id, jobs.c.handler, jobs.c.queue)
             .where(jobs.c.state == "sent", _UNFINISHED,
                    or_(and_(jobs.c.queue.in_(list(empty_queues)),
                             jobs.c.sent < now - LOST_AFTER,
                             or_(jobs.c.sends < 4, jobs.c.sent < now - 60)),
                        jobs.c.sent < now - patience))
             .order_by(jobs.c.id).limit(limit))
    return [Sendable(*row) for row in connection.execute(query)]


def overdue(connection: Connection) -> bool:
    """Tell whether there are running jobs whose worker gave no sign of life in time."""
    now = clock(connection)
    return connection.execute(select(jobs.c.id).where(
        jobs.c.state == "running", _UNFINISHED,
        # An end far in the future means that the clock was set back since.
        or_(jobs.c.lease_until < now, jobs.c.lease_until > now + 2 * LEASE),
    ).limit(1)).first() is not None


def orphans(connection: Connection) -> list[dict[str, Any]]:
    """Return running jobs whose worker is gone; call it in a transaction that writes.

    One whose lease has run out is first only suspected, by a negative end of the lease: after
    a suspended machine, a step of the clock or a ledger that was locked all leases have run
    out at once, and a worker that is alive renews within the time of grace.
    """
    now = clock(connection)
    if connection.dialect.name == "postgresql":
        now = connection.execute(select(now)).scalar_one()
    now = float(now)
    running = (jobs.c.state == "running", _UNFINISHED)
    query = select(*jobs.c["id", "handler", "attempts", "claimant"]).where(
        *running, jobs.c.lease_until < 0, jobs.c.lease_until > -(now - SUSPICION),
    ).with_for_update(skip_locked=True)
    found = [dict(row) for row in connection.execute(query).mappings()]
    connection.execute(update(jobs).where(
        *running, jobs.c.lease_until >= 0,
        or_(jobs.c.lease_until < now, jobs.c.lease_until > now + 2 * LEASE),
    ).values(lease_until=-now))
    return found


def revive(connection: Connection, numbers: Sequence[int]) -> list[Sendable]:
    """Make dead jobs pending again, with a fresh count of attempts; return them for sending.

    Raises
    ------
    NotFound
        If one of them is not there, or not dead.
    """
    found = connection.execute(
        update(jobs).where(jobs.c.id.in_(numbers), jobs.c.state == "dead")
        .values(state="pending", attempts=0, sends=0, finished=None, due=clock(connection))
        .returning(jobs.c.id, jobs.c.handler, jobs.c.queue)).all()
    missing = set(numbers) - {row.id for row in found}
    if missing:
        raise NotFound("dead job", ", ".join(map(str, sorted(missing))))
    return mark_sent(connection, [Sendable(*row) for row in found])


def listing(
    connection: Connection, *, state: str | None = None, notice: int | None = None,
    handler: str | None = None, numbers: Sequence[int] | None = None, limit: int = 100,
) -> list[dict[str, Any]]:
    """Return the newest jobs, oldest of them first, as plain dictionaries."""
    query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(jobs.c.state == state)
    if notice is not None:
        query = query.where(jobs.c.notice_id == notice)
    if handler is not None:
        query = query.where(jobs.c.handler == handler)
    if numbers is not None:
        query = query.where(jobs.c.id.in_(numbers))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row["notice"] = row.pop("notice_id")
    return rows[::-1]


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Return the number of unfinished and dead jobs by queue and state."""
    result: dict[str, dict[str, int]] = {}
    for condition in (_UNFINISHED, text("jobs.state = 'dead'")):
        query = (select(jobs.c.queue, jobs.c.state, func.count())
                 .where(condition).group_by(jobs.c.queue, jobs.c.state))
        for queue, state, number in connection.execute(query):
            result.setdefault(queue, {})[state] = number
    return result


def unfinished(connection: Connection, notices: Sequence[int] | None = None) -> int:
    """Return how many jobs are not finished, of some notices or of all."""
    query = select(func.count()).select_from(jobs).where(_UNFINISHED)
    if notices is not None:
        query = query.where(jobs.c.notice_id.in_(notices))
    return int(connection.execute(query).scalar_one())




def stuck(connection: Connection) -> list[dict[str, Any]]:
    """Return handlers whose jobs were sent several times and never started."""
    query = (select(jobs.c.handler, jobs.c.queue, func.count().label("number"),
                    func.max(jobs.c.sends).label("sends"))
             .where(jobs.c.state == "sent", jobs.c.attempts == 0, jobs.c.sends >= 4, _UNFINISHED)
             .group_by(jobs.c.handler, jobs.c.queue))
    return [dict(row) for row in connection.execute(query).mappings()]
