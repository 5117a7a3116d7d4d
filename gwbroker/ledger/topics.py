"""How each topic fares: what its readers write every few seconds, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from .engine import clock
from .models import jobs, topics
from .sendable import UNFINISHED
from .storable import storable

MISSING = "it is not there yet, or this account may not see it"
"""The problem of a topic that is waited for, which is none."""

CURRENT = 90.0
"""Seconds after which what a reader wrote of lag and problem says nothing any more."""

MANY_LIVE, MANY_OLD = 50, 2000
"""Jobs of live and of old messages from which on a backlog is not read for a while."""


@dataclass(frozen=True)
class Progress:
    """What a reader has to say of one topic: new counts, and how it is now."""

    topic: str
    seen: int
    kept: int
    last_seen: float | None
    lag: int | None
    problem: str | None


def note(connection: Connection, source: str, progress: Iterable[Progress]) -> None:
    """Add counts and replace states; call it in a transaction that writes.

    Parameters
    ----------
    connection : Connection
        To the ledger.
    source : str
        The reader: ``kafka.gcn``, or ``kafka.gcn.2`` for the second of a cluster.
    progress : iterable of Progress
        One for each topic that changed.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(topics)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["source", "topic"],
        set_={"seen": topics.c.seen + new.seen, "kept": topics.c.kept + new.kept,
              "last_seen": func.coalesce(new.last_seen, topics.c.last_seen),
              "lag": new.lag, "problem": new.problem, "updated": new.updated})
    now = _now(connection)
    rows = [{"source": source, "topic": p.topic, "seen": p.seen, "kept": p.kept,
             "last_seen": p.last_seen, "lag": p.lag, "problem": storable(p.problem),
             "updated": now} for p in progress]
    if rows:
        connection.execute(statement, rows)


def listing(connection: Connection) -> list[dict[str, Any]]:
    """Return every row as a plain dictionary, with ``age``: seconds since it was written."""
    now = _now(connection)
    query = select(topics).order_by(topics.c.source, topics.c.topic)
    return [{**row, "age": now - row["updated"]} for row in connection.execute(query).mappings()]


def known(connection: Connection, source: str) -> set[str]:
    """Return the topics of a cluster, as ``kafka.gcn``, of which any of its readers has read."""
    return set(connection.execute(select(topics.c.topic).where(
        or_(topics.c.source == source, topics.c.source.startswith(f"{source}.", autoescape=True)),
        topics.c.seen > 0)).scalars())


def _now(connection: Connection) -> float:
    now = clock(connection)
    return float(now if isinstance(now, float) else connection.execute(select(now)).scalar_one())


def crowded(connection: Connection) -> bool:
    """Tell whether so many jobs wait that those of more messages would hold up live ones.

    That is so from `MANY_LIVE` jobs on the wire to the general workers, for many messages at
    once may all be new, and from `MANY_OLD` unfinished ones of old messages.
    """
    live = select(jobs.c.id).where(
        jobs.c.priority == 0, jobs.c.state == "sent", jobs.c.queue == "general", UNFINISHED)
    old = select(jobs.c.id).where(jobs.c.priority == 1, UNFINISHED)
    return any(
        connection.execute(query.offset(most - 1).limit(1)).first() is not None
        for query, most in ((live, MANY_LIVE), (old, MANY_OLD)))
