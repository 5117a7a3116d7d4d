"""Claims: who runs a job, whether it is alive, and how the job ended."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    case,
    exists,
    null,
    or_,
    select,
    text,
    update,
)

from ..errors import LedgerError, LedgerUnavailable
from ..notice import Notice
from . import notices as notice_rows
from .engine import clock, lock
from .models import jobs
from .prepared import Prepared
from .sendable import BLOCKED, COLUMNS, UNFINISHED, Sendable, is_due, mark_sent
from .storable import storable

log = logging.getLogger(__name__)

LEASE = 9.0
"""Seconds for which a running job is taken to be alive after its last sign of life."""


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
    priority: int = 0
    replay: str | None = None
    key: str | None = None


_number: BindParameter[int] = bindparam("number")
_claimant: BindParameter[str] = bindparam("worker")
_mine = (jobs.c.id == _number, jobs.c.claimant == _claimant, jobs.c.state == "running")
_CLAIM = Prepared(lambda now, _: update(jobs).where(
    jobs.c.id == _number, text("jobs.state IN ('pending', 'sent', 'waiting')"),
    # What is on the wire was due when it was sent, whatever the clock says now.
    or_(jobs.c.due <= now + 0.5, text("jobs.state = 'sent'")), ~BLOCKED,
).values(
    state="running", attempts=jobs.c.attempts + 1, started=now, claimant=_claimant,
    lease_until=now + LEASE, finished=null(), progress=null(),
).returning(*jobs.c["id", "handler", "queue", "args", "attempts", "notice_id", "serial",
                    "priority", "replay", "key"]))
_WAIT = Prepared(lambda *_: update(jobs).where(
    jobs.c.id == _number, jobs.c.state == "sent", jobs.c.serial.is_not(None), BLOCKED,
).values(state="waiting"))
_RENEW = Prepared(lambda now, _: update(jobs).where(*_mine).values(lease_until=now + LEASE))
_FINISH = Prepared(lambda now, _: update(jobs).where(*_mine).values(
    state="done", finished=now, error=bindparam("note"), traceback=null(), lease_until=null(),
    progress=null()))
_SUCCESSOR = Prepared(lambda *_: select(*COLUMNS).where(
    jobs.c.serial == bindparam("subject"), jobs.c.state == "waiting", UNFINISHED,
).order_by(jobs.c.id).limit(1))

_other = jobs.alias("other")
_AWAITED = exists().where(
    _other.c.serial == jobs.c.serial, text("other.state = 'waiting'"), _other.c.priority == 0,
    _other.c.id > jobs.c.id).correlate(jobs)


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
    if row is None and not _WAIT(connection, number=number).rowcount:
        # On PostgreSQL, what it had to wait for may have ended between the two statements.
        row = _CLAIM(connection, number=number, worker=claimant).first()
    if row is None:
        return None
    args = json.loads(row.args) if isinstance(row.args, str) else row.args
    try:
        notice = notice_rows.load(connection, row.notice_id) if row.notice_id else None
    except LedgerUnavailable:
        raise
    except LedgerError as e:
        # Its bytes are in an archive file that is gone or damaged: it would come for ever.
        log.error("job %d (%s) is dead: %s", number, row.handler, e)
        bury(connection, number, claimant, str(e), None)
        return None
    if notice is not None and row.replay is not None:
        notice = replace(notice, replay=row.replay)
    return Claim(row.id, row.handler, row.queue, tuple(args), row.attempts, claimant, notice,
                 row.serial, row.priority, row.replay, row.key)


def clear_the_way(connection: Connection, number: int) -> list[Sendable]:
    """Make live what a live job of the same event waits for; return what is to be sent.

    Call it in the transaction in which the job could not be claimed.
    """
    waiting = connection.execute(select(jobs.c.serial).where(
        jobs.c.id == number, jobs.c.state == "waiting", jobs.c.priority == 0)).first()
    if waiting is None:
        return []
    ready = jobs.c.state.in_(("pending", "sent")) & is_due(connection)
    raised = connection.execute(update(jobs).where(
        jobs.c.serial == waiting.serial, UNFINISHED, jobs.c.id < number, jobs.c.priority > 0,
        jobs.c.state != "running",
    ).values(priority=0, state=case((ready, "waiting"), else_=jobs.c.state))).rowcount
    # The others follow on it; one that runs sends the next itself.
    return successor(connection, waiting.serial) if raised else []


def renew(connection: Connection, number: int, claimant: str) -> bool:
    """Give a sign of life for a running job; return whether it is still ours."""
    return _RENEW(connection, number=number, worker=claimant).rowcount == 1


def tell(connection: Connection, number: int, claimant: str, progress: dict[str, Any]) -> bool:
    """Note how far a running job is; return whether it is still the claimant's."""
    return connection.execute(
        update(jobs).where(jobs.c.id == number, jobs.c.claimant == claimant,
                           jobs.c.state == "running").values(progress=progress)).rowcount == 1


def _close(connection: Connection, number: int, claimant: str | None, **values: Any) -> bool:
    condition = [jobs.c.id == number, jobs.c.state == "running"]
    if claimant is not None:
        condition.append(jobs.c.claimant == claimant)
    return connection.execute(
        update(jobs).where(*condition).values(lease_until=None, progress=null(), **values)
    ).rowcount == 1


def finish(connection: Connection, number: int, claimant: str, note: str | None = None) -> bool:
    """Note that a job is done, and why it was if not by itself; false if it was not ours."""
    return _FINISH(connection, number=number, worker=claimant, note=note).rowcount == 1


def retry_later(
    connection: Connection, number: int, claimant: str | None, delay: float, error: str,
    traceback: str | None,
) -> bool:
    """Note that a try failed and when the next is due; false if the job was no longer ours.

    If a live job of its event waits for it, it is live itself from now on.
    """
    return _close(connection, number, claimant, state="pending", error=storable(error),
                  traceback=storable(traceback), sends=0, due=clock(connection) + delay,
                  priority=case((_AWAITED, 0), else_=jobs.c.priority))


def put_off(connection: Connection, number: int, claimant: str, delay: float) -> bool:
    """Note that a job has not begun after all, and when it is due; false if it was not ours.

    It stays the same job: however often it is put off, there is one row, and no try is lost.
    """
    return _close(connection, number, claimant, state="pending", sends=0,
                  attempts=jobs.c.attempts - 1, due=clock(connection) + delay)


def bury(
    connection: Connection, number: int, claimant: str | None, error: str,
    traceback: str | None,
) -> bool:
    """Note that a job is dead; false if it was no longer ours."""
    return _close(connection, number, claimant, state="dead", error=storable(error),
                  traceback=storable(traceback), finished=clock(connection))


def successor(connection: Connection, serial: str | None) -> list[Sendable]:
    """Return the job that waited for a finished one with this serial, if any."""
    if serial is None:
        return []
    row = _SUCCESSOR(connection, subject=serial).first()
    return mark_sent(connection, [Sendable(*row)]) if row else []
