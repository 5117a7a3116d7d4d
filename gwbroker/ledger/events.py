"""Events in the ledger: one row per burst, merger or neutrino."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import NotFound
from .engine import clock, lock
from .models import event_notices, events, identifiers, products


def find(connection: Connection, names: Iterable[str]) -> int | None:
    """Return the event that one of these identifiers belongs to; the oldest, if several."""
    return connection.execute(
        select(func.min(identifiers.c.event_id))
        .where(identifiers.c.identifier.in_(list(names)))).scalar()


def find_or_open(
    connection: Connection, names: Sequence[str], **values: Any,
) -> tuple[int, bool]:
    """Return the event with one of these identifiers, opening it if there is none.

    Identifiers not known before are added to it.
    Returns its number, and whether it is new.
    """
    for name in sorted(names):
        lock(connection, name)
    number = find(connection, names)
    new = number is None
    if number is None:
        now = clock(connection)
        number = int(connection.execute(
            insert(events).values(created=now, updated=now, facts={}, flags=[], **values)
            .returning(events.c.id)).scalar_one())
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(identifiers).on_conflict_do_nothing(),
        [{"identifier": name, "event_id": number} for name in dict.fromkeys(names)])
    return number, new


def get(connection: Connection, number: int, hold: bool = False) -> dict[str, Any]:
    """Return one event's row; held, nobody else changes it before the transaction ends.

    Raises
    ------
    NotFound
        If there is no such event.
    """
    query = select(events).where(events.c.id == number)
    row = connection.execute(query.with_for_update() if hold else query).mappings().first()
    if row is None:
        raise NotFound("event", number)
    return dict(row)


def change(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Change an event's row."""
    connection.execute(update(events).where(events.c.id == number)
                       .values(updated=clock(connection), **values))


def link(
    connection: Connection, number: int, notice: int, alert: str, issued: float | None,
    said: Mapping[str, Any] | None = None,
) -> int:
    """Note that a notice is about an event, and what it said of it.

    Returns its revision number, 1 for the first; a notice noted before keeps its own.
    """
    # Revisions are counted, so one at a time for one event.
    connection.execute(select(events.c.id).where(events.c.id == number).with_for_update())
    here = (event_notices.c.event_id == number, event_notices.c.notice_id == notice)
    known = connection.execute(select(event_notices.c.revision).where(*here)).scalar()
    if known is not None:
        if said is not None:
            # A reader may have learnt something since.
            connection.execute(update(event_notices).where(*here).values(
                alert=alert, issued=issued, said=dict(said)))
        return int(known)
    revision = 1 + (connection.execute(
        select(func.max(event_notices.c.revision))
        .where(event_notices.c.event_id == number)).scalar() or 0)
    connection.execute(insert(event_notices).values(
        event_id=number, notice_id=notice, revision=revision, alert=alert, issued=issued,
        said=null() if said is None else dict(said)))
    return revision


def history(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Return the notices about an event, by revision."""
    return [dict(row) for row in connection.execute(
        select(event_notices).where(event_notices.c.event_id == number)
        .order_by(event_notices.c.revision)).mappings()]


def listing(
    connection: Connection, *, limit: int = 100, kind: str | None = None,
    notice: int | None = None, number: int | None = None,
) -> list[dict[str, Any]]:
    """Return the newest events, oldest of them first, with identifiers, notices, products."""
    query = select(events).order_by(events.c.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(events.c.kind == kind)
    if number is not None:
        query = query.where(events.c.id == number)
    if notice is not None:
        query = query.where(events.c.id.in_(
            select(event_notices.c.event_id).where(event_notices.c.notice_id == notice)))
    found = [dict(row) for row in connection.execute(query).mappings()][::-1]
    by_number = {row["id"]: row for row in found}
    for row in found:
        row.update(identifiers=[], notices=[], products=[])
    numbers = list(by_number)
    for event, name in connection.execute(
            select(identifiers.c.event_id, identifiers.c.identifier)
            .where(identifiers.c.event_id.in_(numbers)).order_by(identifiers.c.identifier)):
        by_number[event]["identifiers"].append(name)
    for event, number_of_notice in connection.execute(
            select(event_notices.c.event_id, event_notices.c.notice_id)
            .where(event_notices.c.event_id.in_(numbers))
            .order_by(event_notices.c.revision)):
        by_number[event]["notices"].append(number_of_notice)
    for product in connection.execute(
            select(products).where(products.c.event_id.in_(numbers))
            .order_by(products.c.id)).mappings():
        values = dict(product)
        values["sha256"] = bytes(values.pop("digest")).hex()
        values["notice"] = values.pop("notice_id")
        by_number[values.pop("event_id")]["products"].append(values)
    return found


def search(connection: Connection, word: str) -> int | None:
    """Return the newest event whose number, name or identifier is this."""
    condition = [events.c.name == word, events.c.id.in_(
        select(identifiers.c.event_id).where(or_(
            identifiers.c.identifier == word,
            identifiers.c.identifier.endswith(":" + word, autoescape=True))))]
    if word.isascii() and word.isdigit() and len(word) < 19:
        condition.append(events.c.id == int(word))
    return connection.execute(select(func.max(events.c.id)).where(or_(*condition))).scalar()


def add_product(connection: Connection, **values: Any) -> int:
    """Note a product; made again, it replaces its row."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(products).values(made=clock(connection), **values)
    new = statement.excluded
    return int(connection.execute(statement.on_conflict_do_update(
        index_elements=["path"],
        set_={name: new[name] for name in ("digest", "size", "made", "facts", "event_id",
                                           "notice_id")},
    ).returning(products.c.id)).scalar_one())


def names(connection: Connection, number: int) -> list[str]:
    """Return the identifiers of an event, in alphabetical order."""
    return list(connection.execute(
        select(identifiers.c.identifier).where(identifiers.c.event_id == number)
        .order_by(identifiers.c.identifier)).scalars())


def product_at(connection: Connection, path: str) -> dict[str, Any] | None:
    """Return the product with a path, None if there is none."""
    row = connection.execute(select(products).where(products.c.path == path)).mappings().first()
    return None if row is None else dict(row)


def product_of(connection: Connection, number: int, notice: int, kind: str) -> (
        dict[str, Any] | None):
    """Return the newest product of a kind that was made for a notice about an event."""
    row = connection.execute(
        select(products).where(products.c.event_id == number, products.c.notice_id == notice,
                               products.c.kind == kind)
        .order_by(products.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else dict(row)


def between(
    connection: Connection, kinds: Collection[str], first: float, last: float,
) -> list[dict[str, Any]]:
    """Return the real events of some kinds that happened from one time to another, retracted
    ones left out, oldest row first.
    """
    return [dict(row) for row in connection.execute(
        select(events).where(
            events.c.t0 >= first, events.c.t0 <= last, events.c.kind.in_(list(kinds)),
            events.c.role == "real", events.c.state != "retracted",
        ).order_by(events.c.id)).mappings()]
