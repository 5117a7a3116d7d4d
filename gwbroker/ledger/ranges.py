"""Ranges of notices: those of a source or topic between two times or offsets, or the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from . import notices as rows
from .engine import read
from .models import jobs, notices
from .sendable import UNFINISHED

PAGE, PAGE_BYTES = 200, 16 * 1024 * 1024
"""Most notices, and most bytes if there is more than one, that are taken at a time."""


@dataclass(frozen=True)
class Range:
    """Which messages, whether in the ledger or in Kafka; what is None bounds nothing.

    Parameters
    ----------
    source : str, optional
        As ``kafka.gcn``.
    topics : tuple of str
        Any of these; empty: all.
    since, until : datetime, optional
        From, and up to but not including: by Kafka's time, else by that of arrival.
    partition : int, optional
        Of the topic.
    first, end : int, optional
        Offsets: from, and up to but not including.
    last : int, optional
        Only the newest so many of these.
    """

    source: str | None = None
    topics: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    partition: int | None = None
    first: int | None = None
    end: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Page:
    """Notices taken at a time: ``(id, root)`` of each, root being the first with its bytes."""

    numbers: tuple[tuple[int, int], ...]


def _conditions(chosen: Range) -> list[ColumnElement[bool]]:
    when = func.coalesce(notices.c.sent, notices.c.received)
    found: list[ColumnElement[bool]] = []
    if chosen.source is not None:
        found.append(notices.c.source == chosen.source)
    if chosen.topics:
        found.append(notices.c.topic.in_(chosen.topics))
    if chosen.since is not None:
        found.append(when >= chosen.since.timestamp())
    if chosen.until is not None:
        found.append(when < chosen.until.timestamp())
    if chosen.partition is not None:
        found.append(notices.c.partition == chosen.partition)
    if chosen.first is not None:
        found.append(notices.c.offset >= chosen.first)
    if chosen.end is not None:
        found.append(notices.c.offset < chosen.end)
    return found


def bounds(connection: Connection, chosen: Range) -> tuple[int, int, int]:
    """Return the lowest and the highest number of the notices of a range, and how many they are."""
    inner = select(notices.c.id).where(*_conditions(chosen)).order_by(notices.c.id.desc())
    if chosen.last is not None:
        inner = inner.limit(chosen.last)
    found = inner.subquery()
    low, high, number = connection.execute(
        select(func.min(found.c.id), func.max(found.c.id), func.count())).one()
    return low or 0, high or 0, number


def pages(chosen: Range, low: int, high: int) -> Iterator[Page]:
    """Yield the notices of a range between two numbers, each page in a view of its own."""
    after = low - 1
    while True:
        with read() as connection:
            found = connection.execute(
                select(notices.c.id, func.coalesce(notices.c.duplicate_of, notices.c.id),
                       notices.c.size)
                .where(notices.c.id > after, notices.c.id <= high, *_conditions(chosen))
                .order_by(notices.c.id).limit(PAGE)).all()
        if not found:
            return
        numbers: list[tuple[int, int]] = []
        size = 0
        for number, root, length in found:
            size += length
            if numbers and size > PAGE_BYTES:
                break
            numbers.append((number, root))
        after = numbers[-1][0]
        yield Page(tuple(numbers))


def roots(connection: Connection, digests: list[bytes]) -> dict[bytes, int]:
    """Return the first notices with these bytes (SHA-256) that the ledger has."""
    found: dict[bytes, int] = {}
    for chunk in rows.chunks(digests):
        for digest, number in connection.execute(
            select(notices.c.digest, func.min(notices.c.id))
            .where(notices.c.digest.in_(chunk), notices.c.duplicate_of.is_(None))
            .group_by(notices.c.digest),
        ):
            found[bytes(digest)] = number
    return found


def left(connection: Connection, label: str, limit: int = 500) -> list[Row[Any]]:
    """Return the oldest jobs of a replay that are not finished: ``id``, ``due``, ``state``."""
    return list(connection.execute(
        select(*jobs.c["id", "due", "state"]).where(jobs.c.replay == label, UNFINISHED)
        .order_by(jobs.c.id).limit(limit)))


def tally(connection: Connection, label: str) -> dict[str, dict[str, int]]:
    """Return how many jobs a replay has, by handler and state."""
    found: dict[str, dict[str, int]] = {}
    query = (select(jobs.c.handler, jobs.c.state, func.count()).where(jobs.c.replay == label)
             .group_by(jobs.c.handler, jobs.c.state).order_by(jobs.c.handler))
    for handler, state, number in connection.execute(query):
        found.setdefault(handler, {})[state] = number
    return found
