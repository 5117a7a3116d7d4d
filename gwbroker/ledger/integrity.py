"""Integrity: is everything in the ledger, and beside it, as it was written?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, text
from sqlalchemy.exc import DBAPIError

from . import archive
from .engine import read, snapshot
from .faults import RESTORE, explain
from .models import STATES, UNFINISHED, jobs, metadata, notices, payloads, products

PORTION = 200
MANY = 20
"""Problems of one kind that are told one by one."""

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong: the check that found it, the culprit and the remedy."""

    check: str
    text: str


@dataclass(frozen=True)
class Plan:
    """What to look at.

    ``products`` is the folder of the products, ``known`` the names that jobs may call;
    ``sample`` limits payloads, archives and products to so many each, chosen at random.
    """

    products: Path
    known: Collection[str]
    sample: int | None = None
    progress: Progress = lambda _what, _count: None


def examine(plan: Plan) -> Iterator[Problem]:
    """Yield every problem; reads only, with one view of the ledger, beside a running broker.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be reached.
    """
    with snapshot() as connection:
        for check in (_structure, _links, _sequences, _payloads, _missing, _archives, _states,
                      _callees, _products):
            name = check.__name__.strip("_")
            try:
                with connection.begin_nested():
                    for number, problem in enumerate(check(connection, plan)):
                        if number == MANY:
                            yield Problem(name, f"there are more than {MANY} of these")
                            break
                        yield Problem(name, problem)
            except DBAPIError as e:
                # A damaged place stops one check, not the others.
                found = explain(e)
                if found is None:
                    raise
                yield Problem(name, str(found))


def _structure(connection: Connection, _plan: Plan) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        for row in connection.execute(text("PRAGMA integrity_check")):
            if row[0] != "ok":
                yield f"SQLite says: {row[0]}: {RESTORE}"
        return
    for row in connection.execute(text(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint "
            "WHERE NOT convalidated AND connamespace = current_schema()::regnamespace")):
        yield (f"table {row[0]}: constraint {row[1]} was never checked: "
               f"ALTER TABLE {row[0]} VALIDATE CONSTRAINT {row[1]}")
    if not connection.execute(text(
            "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")).first():
        return
    for row in connection.execute(text(
            "SELECT c.oid, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND i.indisvalid "
            "AND c.relnamespace = current_schema()::regnamespace")).all():
        try:
            with connection.begin_nested():
                connection.execute(text("SELECT bt_index_check(CAST(:oid AS regclass))"),
                                   {"oid": row[0]})
        except DBAPIError as e:
            said = str(e.orig).splitlines()[0]
            yield f"index {row[1]}: {said}: REINDEX INDEX {row[1]}"


def _links(connection: Connection, _plan: Plan) -> Iterator[str]:
    for table in metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda k: k.parent.name):
            parent = key.column.table.alias("parent")
            query = (select(*table.primary_key.columns, key.parent.label("link_target"))
                     .outerjoin(parent, parent.c[key.column.name] == key.parent)
                     .where(key.parent.is_not(None), parent.c[key.column.name].is_(None)))
            for row in connection.execute(query.limit(MANY + 1)):
                name = "/".join(map(str, row[:-1]))
                yield (f"{table.name} {name}: its {key.parent.name} is {row[-1]}, which is not "
                       f"there: {RESTORE}")
    first = notices.alias("first")
    for number, other in connection.execute(
            select(notices.c.id, first.c.id)
            .join(first, first.c.id == notices.c.duplicate_of)
            .where(or_(first.c.digest != notices.c.digest, first.c.duplicate_of.is_not(None)))
            .limit(MANY + 1)):
        yield (f"notices {number}: it is said to be a duplicate of {other}, which has other "
               f"bytes or is one itself: {RESTORE}")


def _sequences(connection: Connection, _plan: Plan) -> Iterator[str]:
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        if "id" not in table.c:
            continue
        sequence = connection.execute(
            select(func.pg_get_serial_sequence(table.name, "id"))).scalar()
        if sequence is None:
            continue
        highest = connection.execute(select(func.max(table.c.id))).scalar() or 0
        last, called = connection.execute(
            text(f"SELECT last_value, is_called FROM {sequence}")).one()
        if highest >= last + called:
            yield (f"table {table.name}: its next number is {last + called} and it has {highest} "
                   f"already: SELECT setval('{sequence}', {highest})")


def _sampled(connection: Connection, query: Select[Any], plan: Plan) -> list[int] | None:
    if plan.sample is None:
        return None
    found = connection.execute(query.order_by(func.random()).limit(plan.sample))
    return [row[0] for row in found]


def _payloads(connection: Connection, plan: Plan) -> Iterator[str]:
    chosen = _sampled(connection, select(payloads.c.notice_id), plan)
    last, done = 0, 0
    while True:
        query = select(payloads.c.notice_id, notices.c.size).join(
            notices, notices.c.id == payloads.c.notice_id).where(payloads.c.notice_id > last)
        if chosen is not None:
            query = query.where(payloads.c.notice_id.in_(chosen))
        portion = connection.execute(
            query.order_by(payloads.c.notice_id).limit(PORTION)).all()
        if not portion:
            return
        for number, size in portion:
            # One by one, because each may have megabytes.
            body, digest = connection.execute(
                select(payloads.c.body, notices.c.digest)
                .join(notices, notices.c.id == payloads.c.notice_id)
                .where(payloads.c.notice_id == number)).one()
            if hashlib.sha256(body).digest() != bytes(digest) or len(body) != size:
                yield (f"notice {number}: its bytes are not those that arrived (SHA-256 "
                       f"{bytes(digest).hex()}): {RESTORE}")
        last = portion[-1][0]
        done += len(portion)
        plan.progress("payloads", done)


def _missing(connection: Connection, _plan: Plan) -> Iterator[str]:
    for number in connection.execute(
            select(notices.c.id).outerjoin(payloads, payloads.c.notice_id == notices.c.id)
            .where(notices.c.duplicate_of.is_(None), notices.c.archive.is_(None),
                   payloads.c.notice_id.is_(None)).order_by(notices.c.id).limit(MANY + 1)
            ).scalars():
        yield f"notice {number}: its bytes are neither here nor in an archive: {RESTORE}"


def _archives(connection: Connection, plan: Plan) -> Iterator[str]:
    names = select(notices.c.archive).where(notices.c.archive.is_not(None)).distinct().subquery()
    query = select(names.c.archive).order_by(names.c.archive)
    if plan.sample is not None:
        query = select(names.c.archive).order_by(func.random()).limit(plan.sample)
    for done, name in enumerate(list(connection.execute(query).scalars()), 1):
        wanted = connection.execute(
            select(notices.c.id, notices.c.digest).where(notices.c.archive == name)).all()
        yield from archive.problems(str(name), [(row[0], bytes(row[1])) for row in wanted])
        plan.progress("archives", done)


def _states(connection: Connection, _plan: Plan) -> Iterator[str]:
    for number, state in connection.execute(
            select(jobs.c.id, jobs.c.state).where(jobs.c.state.not_in(STATES)).limit(MANY + 1)):
        yield (f"job {number}: nothing is known of a state {state!r}: is this gwbroker older than "
               "the one that wrote it?")


def _callees(connection: Connection, plan: Plan) -> Iterator[str]:
    rows = connection.execute(
        select(jobs.c.handler, func.count(), func.min(jobs.c.id))
        .where(jobs.c.state.in_((*UNFINISHED, "dead"))).group_by(jobs.c.handler)
        .order_by(jobs.c.handler))
    for handler, number, first in rows:
        if handler not in plan.known:
            yield (f"job {first}: {handler!r}, which {number} unfinished or dead jobs call, is not "
                   "installed here: install it, or set GWBROKER_HANDLERS")


def _products(connection: Connection, plan: Plan) -> Iterator[str]:
    chosen = _sampled(connection, select(products.c.id), plan)
    query = select(products.c.id, products.c.path, products.c.digest).order_by(products.c.id)
    if chosen is not None:
        query = query.where(products.c.id.in_(chosen))
    for done, (number, path, digest) in enumerate(connection.execute(query), 1):
        problem = _product(plan.products / path, bytes(digest))
        if problem and not _changed(number, bytes(digest)):
            yield (f"product {number}: the file {plan.products / path} {problem}: restore it, or "
                   "replay its notice")
        plan.progress("products", done)


def _product(file: Path, digest: bytes) -> str:
    try:
        with file.open("rb") as f:
            found = hashlib.file_digest(f, "sha256").digest()
    except OSError as e:
        return f"cannot be read ({e.strerror})"
    return "" if found == digest else "was altered"


def _changed(number: int, digest: bytes) -> bool:
    """Tell whether a product was made anew since we began to look."""
    with read() as connection:
        now = connection.execute(
            select(products.c.digest).where(products.c.id == number)).scalar()
    return now is None or bytes(now) != digest
