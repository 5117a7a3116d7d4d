"""What the VOEvent broker asks of the ledger: what is to be sent on, what an author has said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from .models import cursors, notices, payloads
from .notices import chunks
from .prepared import Prepared

_DIGESTS = Prepared(lambda *_: select(notices.c.digest).where(
    notices.c.identifier == bindparam("identifier"), notices.c.source == bindparam("source")))


def position(connection: Connection, name: str) -> int | None:
    """Return the last notice that a reader has dealt with; None if it never ran."""
    return connection.execute(
        select(cursors.c.position).where(cursors.c.name == name)).scalar_one_or_none()


def move(connection: Connection, name: str, to: int) -> None:
    """Note the last notice that a reader has dealt with."""
    if not connection.execute(
            update(cursors).where(cursors.c.name == name).values(position=to)).rowcount:
        connection.execute(insert(cursors).values(name=name, position=to))


def newest(connection: Connection) -> int:
    """Return the number of the newest notice; 0 if there is none."""
    return connection.execute(select(func.max(notices.c.id))).scalar() or 0


def after(
    connection: Connection, since: int, sources: Sequence[str], limit: int = 100,
) -> tuple[list[Any], int]:
    """Return what some sources have brought since a notice, and how far that reaches.

    Numbers are given under one lock and shown when they are committed, so that none comes
    later than a higher one.

    Parameters
    ----------
    since : int
        Number of the last notice that was dealt with.
    sources : sequence of str
        As ``vtp_receiver``.
    limit : int
        Most rows.

    Returns
    -------
    rows : list
        With ``id``, ``received`` and ``body``, in order. A notice of which these sources
        brought one with the same identifier before is not among them.
    reached : int
        Number of the last notice that was looked at.
    """
    highest = newest(connection)
    if highest <= since:
        return [], since
    before = notices.alias("before")
    gone = select(before.c.id).where(
        before.c.identifier == notices.c.identifier, before.c.source.in_(sources),
        before.c.id < notices.c.id).exists()
    rows = connection.execute(
        select(notices.c.id, notices.c.received, payloads.c.body)
        .join(payloads, payloads.c.notice_id == func.coalesce(
            notices.c.duplicate_of, notices.c.id))
        .where(notices.c.id > since, notices.c.id <= highest, notices.c.source.in_(sources),
               or_(notices.c.identifier.is_not(None), notices.c.duplicate_of.is_(None)), ~gone)
        .order_by(notices.c.id).limit(limit)).all()
    return list(rows), rows[-1].id if len(rows) == limit else highest


def digests(
    connection: Connection, source: str, identifiers: Sequence[str],
) -> dict[str, set[bytes]]:
    """Return the SHA-256 of what a source has brought under some identifiers."""
    found: dict[str, set[bytes]] = {}
    for chunk in chunks(identifiers):
        if len(chunk) == 1:
            # One author at a time, which is how they come as a rule.
            one = {bytes(row.digest) for row in _DIGESTS(
                connection, identifier=chunk[0], source=source)}
            if one:
                found[chunk[0]] = one
            continue
        for row in connection.execute(
                select(notices.c.identifier, notices.c.digest).where(
                    notices.c.identifier.in_(chunk), notices.c.source == source)):
            found.setdefault(row.identifier, set()).add(bytes(row.digest))
    return found
