"""Pruning: old notices leave the ledger step by step, without holding up what arrives.

First the bytes of an old notice go to the archive, and its finished jobs are forgotten; the
row stays, so that a copy is recognised. Much later the row goes as well.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select, text, update

from ..errors import LedgerError
from . import archive
from .archive import Entry
from .engine import LOCK_PRUNE, engine, read, write
from .faults import translated
from .models import event_notices, jobs, notices, payloads, products

ROWS, SIZE = 500, 8 << 20
"""Notices and bytes that go in one transaction, and into one archive."""

_FACTS = ("source", "topic", "partition", "offset", "received", "sent", "identifier", "headers")
_wanted = exists().where(jobs.c.notice_id == notices.c.id, jobs.c.state != "done")


@dataclass(frozen=True)
class Pruned:
    """What a run did, or would do."""

    notices: int = 0
    bytes: int = 0
    jobs: int = 0
    files: int = 0
    forgotten: int = 0


Report = Callable[[Pruned], None]


@contextmanager
def alone() -> Iterator[None]:
    """Let one run at a time prune a ledger; the lock goes with the process.

    Raises
    ------
    LedgerError
        If another one runs.
    """
    made = engine()
    busy = LedgerError("another `gwbroker ledger prune` runs; wait for its end")
    if made.dialect.name == "postgresql":
        with translated(), made.connect().execution_options(
                isolation_level="AUTOCOMMIT") as connection:
            if not connection.execute(
                    text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_PRUNE}).scalar():
                raise busy
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_PRUNE})
        return
    place = archive.folder() / ".lock"
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise LedgerError(f"the archive {place.parent} cannot be written: {e.strerror}; "
                          "nothing was deleted") from e
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield
    finally:
        os.close(handle)


def prune(
    before: float, forget_before: float | None = None, dry_run: bool = False,
    report: Report = lambda _: None,
) -> Pruned:
    """Archive what arrived before a time; forget what arrived before an earlier one.

    Notices with jobs that are not done stay whole. It may be killed at any moment, and
    goes on where it was when it is called again.

    Parameters
    ----------
    before : float
        Time of the ledger before which bytes are archived and finished jobs deleted.
    forget_before : float, optional
        Time before which archived notices are deleted, unless something refers to them.
    dry_run : bool
        Only count.
    report : callable
        Called with what was done so far.

    Raises
    ------
    LedgerError
        If another run is at work, or an archive cannot be written.
    """
    if dry_run:
        return _would(before, forget_before)
    with alone():
        archive.sweep()
        done, last = Pruned(), 0
        while True:
            began = time.monotonic()
            with read() as connection:
                entries = _next(connection, before, last)
            if not entries:
                break
            name = archive.store(entries, entries[0].facts["received"])
            done = _add(done, _drop(entries, name))
            last = entries[-1].id
            report(done)
            # Those who wait for the only writer of SQLite get their turn.
            time.sleep(min(0.25, (time.monotonic() - began) / 4))
        highest: int | None = None
        while forget_before is not None:
            gone, highest = _forget(forget_before, highest)
            done = replace(done, forgotten=done.forgotten + gone)
            report(done)
            if highest is None:
                break
    return done


def _old(before: float) -> tuple[Any, ...]:
    return notices.c.received < before, notices.c.archive.is_(None), ~_wanted


def _next(connection: Connection, before: float, last: int) -> list[Entry]:
    sizes = connection.execute(
        select(notices.c.id, notices.c.size)
        .join_from(payloads, notices, notices.c.id == payloads.c.notice_id)
        .where(payloads.c.notice_id > last, *_old(before))
        .order_by(payloads.c.notice_id).limit(ROWS)).all()
    chosen: list[int] = []
    total = 0
    for number, size in sizes:
        if chosen and total + size > SIZE:
            break
        chosen.append(number)
        total += size
    rows = connection.execute(
        select(*notices.c["id", "digest"], *(notices.c[name] for name in _FACTS), payloads.c.body)
        .join(payloads, payloads.c.notice_id == notices.c.id)
        .where(notices.c.id.in_(chosen)).order_by(notices.c.id)).mappings()
    return [Entry(row["id"], bytes(row["digest"]), bytes(row["body"]),
                  {name: row[name] for name in _FACTS}) for row in rows]


def _drop(entries: Sequence[Entry], name: str) -> Pruned:
    """Delete the bytes that are in an archive now, but not of notices wanted again meanwhile."""
    with write() as connection:
        numbers = list(connection.execute(
            update(notices).values(archive=name)
            .where(notices.c.id.in_([entry.id for entry in entries]),
                   notices.c.archive.is_(None), ~_wanted)
            .returning(notices.c.id)).scalars())
        connection.execute(delete(payloads).where(payloads.c.notice_id.in_(numbers)))
        gone = connection.execute(delete(jobs).where(
            jobs.c.notice_id.in_(numbers), jobs.c.state == "done")).rowcount
    sizes = {entry.id: len(entry.payload) for entry in entries}
    return Pruned(len(numbers), sum(sizes[n] for n in numbers), gone, 1)


def _add(one: Pruned, other: Pruned) -> Pruned:
    return replace(one, notices=one.notices + other.notices, bytes=one.bytes + other.bytes,
                   jobs=one.jobs + other.jobs, files=one.files + other.files)


def _forgettable(before: float) -> tuple[Any, ...]:
    other = notices.alias("other")
    return (
        notices.c.received < before,
        # What has bytes here still was wanted, or is younger than the other age.
        (notices.c.archive.is_not(None) | notices.c.duplicate_of.is_not(None)),
        ~exists().where(payloads.c.notice_id == notices.c.id),
        ~exists().where(jobs.c.notice_id == notices.c.id),
        ~exists().where(event_notices.c.notice_id == notices.c.id),
        ~exists().where(products.c.notice_id == notices.c.id),
        ~exists().where(other.c.duplicate_of == notices.c.id),
        ~exists().where(other.c.revision_of == notices.c.id),
        # The newest row stays, because new numbers follow on it.
        notices.c.id < select(func.max(notices.c.id)).scalar_subquery(),
    )


def _forget(before: float, highest: int | None) -> tuple[int, int | None]:
    """Delete some rows, from the newest down, so that copies go before their originals."""
    below = () if highest is None else (notices.c.id < highest,)
    with read() as connection:
        window = list(connection.execute(
            select(notices.c.id).where(notices.c.received < before, *below)
            .order_by(notices.c.id.desc()).limit(ROWS)).scalars())
    if not window:
        return 0, None
    with write() as connection:
        statement = delete(notices).where(notices.c.id.in_(window), *_forgettable(before))
        # Again, because what only a copy or a revision held is free once that is gone.
        gone = 0
        while found := connection.execute(statement).rowcount:
            gone += found
    return gone, window[-1]


def _would(before: float, forget_before: float | None) -> Pruned:
    with read() as connection:
        old = (select(notices.c.id, notices.c.size)
               .join_from(payloads, notices, notices.c.id == payloads.c.notice_id)
               .where(*_old(before)).subquery())
        count, size = connection.execute(
            select(func.count(), func.coalesce(func.sum(old.c.size), 0)).select_from(old)).one()
        finished = connection.execute(select(func.count()).select_from(jobs).where(
            jobs.c.state == "done", jobs.c.notice_id.in_(select(old.c.id)))).scalar_one()
        forgotten = 0 if forget_before is None else connection.execute(
            select(func.count()).select_from(notices)
            .where(*_forgettable(forget_before))).scalar_one()
    return Pruned(int(count), int(size), int(finished), 0, int(forgotten))
