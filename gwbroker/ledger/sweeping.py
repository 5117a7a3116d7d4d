"""Sweeping: finding the jobs that should have started, or ended, and have not."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, or_, select, update

from .claims import LEASE
from .engine import clock
from .models import jobs
from .sendable import BLOCKED, COLUMNS, EITHER, UNFINISHED, Sendable, fetch, is_due

SUSPICION = LEASE / 3
"""Seconds more that a suspected job has for a sign of life; its worker gives one in a quarter."""

LOST_AFTER = 5.0
"""Seconds after which a job sent to an empty queue is taken to be lost on the wire."""

PORTION = 200
"""Most jobs of old messages that are on the wire, or wait for one of their event, per queue.

The others stay in the ledger until the sweep, each second, sends more. So the wire holds no
backlog: nothing has to be sent again because it waited long, and a job that is raised, or a
queue that is purged, leaves no thousands of messages behind.
"""


def unblocked(connection: Connection, limit: int = 100) -> list[Sendable]:
    """Return jobs that waited for an earlier one of their event and need not any more."""
    return fetch(connection, select(*COLUMNS).where(
        EITHER, jobs.c.state == "waiting", UNFINISHED, ~BLOCKED,
    ).order_by(jobs.c.id).limit(limit))


def due(connection: Connection, limit: int = 500) -> list[Sendable]:
    """Return jobs of live messages that should have been sent by now."""
    return fetch(connection, select(*COLUMNS).where(
        jobs.c.priority == 0, jobs.c.state == "pending", UNFINISHED, is_due(connection),
    ).order_by(jobs.c.due).limit(limit))


def next_old(connection: Connection, portion: int = PORTION) -> list[Sendable]:
    """Return jobs of old messages to be sent, as many of each queue as it has room for."""
    taken: dict[str, dict[str, int]] = {}
    for queue, state, number in connection.execute(
        select(jobs.c.queue, jobs.c.state, func.count())
        .where(jobs.c.priority == 1, UNFINISHED).group_by(jobs.c.queue, jobs.c.state),
    ):
        taken.setdefault(queue, {})[state] = number
    found: list[Sendable] = []
    for queue, states in taken.items():
        room = portion - states.get("sent", 0) - states.get("waiting", 0)
        query = select(*COLUMNS).where(
            jobs.c.priority == 1, jobs.c.state == "pending", UNFINISHED,
            jobs.c.queue == queue, is_due(connection))
        if room <= 0:
            # What all of them wait for may be one that failed and is here for its next try.
            room += states.get("waiting", 0)
            query = query.where(~BLOCKED)
        if room > 0 and "pending" in states:
            found += fetch(connection, query.order_by(jobs.c.due, jobs.c.id).limit(room))
    return found


def lost(
    connection: Connection, empty: Collection[str], empty_old: Collection[str] = (),
    limit: int = 500,
) -> list[Sendable]:
    """Return jobs that were sent and never started.

    On a queue that is empty a job sent a few seconds ago is gone; on one with a
    backlog it may just wait, so it is sent again only after a minute, then two, four...

    Parameters
    ----------
    empty, empty_old : collection of str
        Queues on which nothing live, and nothing old, waits.
    """
    now = clock(connection)
    least = "least" if connection.dialect.name == "postgresql" else "min"
    patience: ColumnElement[float] = literal_column(f"30.0 * (1 << {least}(jobs.sends, 6))")
    nothing_waits = or_(and_(jobs.c.priority == 0, jobs.c.queue.in_(list(empty))),
                        and_(jobs.c.priority == 1, jobs.c.queue.in_(list(empty_old))))
    return fetch(connection, select(*COLUMNS).where(
        EITHER, jobs.c.state == "sent", UNFINISHED,
        or_(and_(nothing_waits, jobs.c.sent < now - LOST_AFTER,
                 or_(jobs.c.sends < 4, jobs.c.sent < now - 60)),
            jobs.c.sent < now - patience,
            # The clock was set back since.
            jobs.c.sent > now + 1.0),
    ).order_by(jobs.c.id).limit(limit))


def overdue(connection: Connection) -> bool:
    """Tell whether there are running jobs whose worker gave no sign of life in time."""
    now = clock(connection)
    return connection.execute(select(jobs.c.id).where(
        EITHER, jobs.c.state == "running", UNFINISHED,
        # An end far in the future means that the clock was set back since.
        or_(jobs.c.lease_until < now, jobs.c.lease_until > now + 2 * LEASE),
    ).limit(1)).first() is not None


def orphans(connection: Connection) -> list[dict[str, Any]]:
    """Return running jobs whose worker is gone; call it in a transaction that writes.

    One whose lease has run out is first only suspected, by a negative end of the lease: after
    a suspended machine, a step of the clock or a ledger that was locked all leases have run
    out at once, and a worker that is alive renews within the time of grace. One whose worker
    has a transaction open that ends it is left alone.
    """
    now = clock(connection)
    if connection.dialect.name == "postgresql":
        now = connection.execute(select(now)).scalar_one()
    now = float(now)
    running = (EITHER, jobs.c.state == "running", UNFINISHED)
    query = select(*jobs.c["id", "handler", "attempts", "claimant"]).where(
        *running, jobs.c.lease_until < 0, jobs.c.lease_until > -(now - SUSPICION),
    ).with_for_update(skip_locked=True)
    found = [dict(row) for row in connection.execute(query).mappings()]
    suspects = list(connection.execute(select(jobs.c.id).where(
        *running,
        or_(and_(jobs.c.lease_until >= 0, jobs.c.lease_until < now),
            # Or suspected later than now: the clock was set back since.
            jobs.c.lease_until > now + 2 * LEASE, jobs.c.lease_until < -(now + SUSPICION)),
    ).with_for_update(skip_locked=True)).scalars())
    if suspects:
        connection.execute(
            update(jobs).where(jobs.c.id.in_(suspects)).values(lease_until=-now))
    return found
