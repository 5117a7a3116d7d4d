"""Batches in the ledger: jobs that are about many notices at once."""

from __future__ import annotations

from sqlalchemy import Connection, select

from .models import jobs

REACH = 100_000
"""How far the first notice of a batch can lie before another one of it."""


def holds(connection: Connection, handler: str, number: int) -> bool:
    """Tell whether a notice is among those of one of a handler's jobs.

    A batch is named by its first notice, and all come from one transaction, so that the
    job is one of those named last before the notice.
    """
    rows = connection.execute(
        select(jobs.c.notice_id, jobs.c.args)
        .where(jobs.c.notice_id <= number, jobs.c.notice_id > number - REACH,
               jobs.c.handler == handler,
               # What a replay did before the listener came to it is not to be missed live.
               jobs.c.replay.is_(None))
        .order_by(jobs.c.notice_id.desc()).limit(20))
    return any(row.notice_id == number or number in row.args for row in rows)
