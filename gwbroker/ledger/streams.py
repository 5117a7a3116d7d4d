"""What each stream brought, when it last did, and how it fares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select

from . import topics
from .models import streams


@dataclass(frozen=True)
class StreamState:
    """How one topic of one source fares.

    Parameters
    ----------
    source, topic : str
        Which one.
    state : str
        ``read``; ``missing``, if it is not there yet; ``failing``, with its problem; ``not
        read``, if no listener has said anything of it lately; ``heard``, for what is no Kafka.
    kept, seen : int
        Messages in the ledger, and all that were read.
    lag : int, optional
        How many wait in Kafka.
    last : float, optional
        When the last message came, in seconds since 1970.
    problem : str, optional
        Why it cannot be read.
    """

    source: str
    topic: str
    state: str
    kept: int = 0
    seen: int = 0
    lag: int | None = None
    last: float | None = None
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def listing(connection: Connection) -> list[dict[str, Any]]:
    """Return every (source, topic) that brought something, as plain dictionaries."""
    return [dict(row) for row in connection.execute(
        select(streams).order_by(streams.c.source, streams.c.topic)).mappings()]


def overview(connection: Connection, readers: Mapping[str, str]) -> list[StreamState]:
    """Return how every topic fares that was read, or is to be.

    Parameters
    ----------
    connection : Connection
        To the ledger.
    readers : mapping of str to str
        The source of each reader that is configured now: ``kafka.gcn.2`` reads ``kafka.gcn``.
    """
    arrived = {(row["source"], row["topic"]): row for row in listing(connection)}
    told: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in topics.listing(connection):
        # Of a reader that there is no more only the counts say anything.
        source = readers.get(row["source"]) or _source(row["source"], readers.values())
        current = row["source"] in readers and row["age"] < topics.CURRENT
        told.setdefault((source, row["topic"]), []).append({**row, "current": current})
    return [_state(place, arrived.get(place), told.get(place, []))
            for place in sorted({*arrived, *told})]


def _source(reader: str, sources: Iterable[str]) -> str:
    head, _, number = reader.rpartition(".")
    return head if number.isdigit() and head in set(sources) else reader


def _state(
    place: tuple[str, str], arrived: dict[str, Any] | None, told: list[dict[str, Any]],
) -> StreamState:
    current = [row for row in told if row["current"]]
    problems = [row["problem"] for row in current if row["problem"]]
    failing = [problem for problem in problems if problem != topics.MISSING]
    if failing:
        state = "failing"
    elif problems:
        state = "missing"
    elif current:
        state = "read"
    else:
        state = "not read" if place[0].startswith("kafka.") else "heard"
    kept = arrived["count"] if arrived else 0
    lags = [row["lag"] for row in current if row["lag"] is not None]
    moments = [row["last_seen"] for row in told if row["last_seen"] is not None]
    if arrived:
        moments.append(arrived["last_received"])
    return StreamState(
        *place, state, kept, max(kept, sum(row["seen"] for row in told)),
        sum(lags) if lags else None, max(moments, default=None), failing[0] if failing else None)
