"""Notices in the ledger: keeping them, finding them again."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.elements import ClauseElement

from ..errors import NotFound
from ..notice import Notice
from . import archive
from .engine import LOCK_INTAKE, lock
from .models import jobs, notices, payloads, streams
from .prepared import Prepared, PreparedLists

_CHUNK = 500
_UNITED = 256
"""Most queries that are united into one; SQLite takes 500."""
_SEEN = notices.c["id", "digest", "duplicate_of", "archive", "source", "topic", "partition",
                  "offset"]


def _upsert_stream(_now: Any, insert_into: Any) -> Any:
    statement = insert_into(streams)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["source", "topic"],
        set_={"count": streams.c["count"] + new["count"], "bytes": streams.c.bytes + new["bytes"],
              "last_received": new["last_received"], "last_notice": new["last_notice"]})


def _with_digests(values: Callable[[str], list[Any]]) -> ClauseElement:
    digests = notices.c.digest.in_(values("digest"))
    # The first notice with some bytes, and of its copies this very message.
    return union_all(
        select(*_SEEN).where(digests, notices.c.duplicate_of.is_(None)),
        select(*_SEEN).where(digests, notices.c.duplicate_of.is_not(None),
                             notices.c.offset.in_(values("place"))),
    ).order_by("id")


def _newest_of_each(values: Callable[[str], list[Any]]) -> ClauseElement:
    # Each by itself, so that only the end of its part of the index is read.
    newest = [select(notices.c.identifier, notices.c.id)
              .where(notices.c.identifier == value, notices.c.duplicate_of.is_(None))
              .order_by(notices.c.id.desc()).limit(literal_column("1")).subquery()
              for value in values("identifier")]
    return union_all(*(select(each) for each in newest))


_HIGHEST = Prepared(lambda *_: select(func.max(notices.c.id)))
_INSERT = Prepared(lambda *_: insert(notices))
_INSERT_BODY = Prepared(lambda *_: insert(payloads))
_BY_DIGEST = PreparedLists(_with_digests)
_BY_IDENTIFIER = PreparedLists(_newest_of_each)
_LOAD = Prepared(lambda *_: select(
    *notices.c["source", "topic", "partition", "offset", "received", "sent", "headers"],
    func.coalesce(notices.c.duplicate_of, notices.c.id).label("root"), payloads.c.body)
    .outerjoin(payloads, payloads.c.notice_id == func.coalesce(
        notices.c.duplicate_of, notices.c.id))
    .where(notices.c.id == bindparam("number")))
_COUNT = Prepared(_upsert_stream)


@dataclass(frozen=True)
class Kept:
    """What became of a notice when it was kept.

    ``root`` is the first notice with these bytes. ``new`` is false for what adds no
    job: a redelivery, which adds no row either, and a copy of a notice so old that its
    bytes were archived, and its jobs forgotten.
    """

    id: int
    root: int
    new: bool
    revision_of: int | None = None

    @property
    def first(self) -> bool:
        """Whether these bytes were never seen before."""
        return self.new and self.id == self.root


def keep(
    connection: Connection, arrived: Sequence[Notice], identifiers: Sequence[str | None],
) -> list[Kept]:
    """Write notices, and tell for each whether it is new, a duplicate, or a redelivery.

    Call it in a transaction that writes.
    """
    lock(connection, LOCK_INTAKE)
    seen = _seen(connection, arrived)
    latest = _latest(connection, [i for i in identifiers if i is not None])
    highest = _HIGHEST(connection).scalar() or 0
    result: list[Kept] = []
    rows: list[dict[str, Any]] = []
    bodies: list[dict[str, Any]] = []
    for notice, identifier in zip(arrived, identifiers, strict=True):
        place = (notice.source, notice.topic, notice.partition, notice.offset)
        root, places, settled = seen.get(notice.digest, (None, {}, False))
        if root is not None and notice.offset is not None and place in places:
            result.append(Kept(places[place], root, new=False))
            continue
        # The lock above makes this the only writer, so that numbers can be given here;
        # one multi-row insert then does for a whole Kafka poll.
        highest += 1
        revision = latest.get(identifier) if root is None and identifier is not None else None
        rows.append({
            "id": highest, "source": notice.source, "topic": notice.topic,
            "partition": notice.partition, "offset": notice.offset, "digest": notice.digest,
            "size": len(notice.payload), "received": notice.received.timestamp(),
            "sent": notice.sent.timestamp() if notice.sent else None, "identifier": identifier,
            "duplicate_of": root, "revision_of": revision, "headers": _pack(notice.headers),
        })
        if root is None:
            root = highest
            bodies.append({"notice_id": highest, "body": notice.payload})
            seen[notice.digest] = (root, {place: highest}, False)
            if identifier is not None:
                latest[identifier] = highest
        else:
            places[place] = highest
        result.append(Kept(highest, root, not settled, revision))
    if rows:
        _INSERT.many(connection, rows)
        _count(connection, rows)
        if connection.dialect.name == "postgresql":
            _advance_sequence(connection, highest)
    if bodies:
        _INSERT_BODY.many(connection, bodies)
    return result


def _advance_sequence(connection: Connection, highest: int) -> None:
    connection.execute(select(func.setval(
        func.pg_get_serial_sequence("notices", "id"), highest)))


def chunks(values: Iterable[Any], size: int = _CHUNK) -> Iterable[list[Any]]:
    """Cut values, each once, into lists short enough for one statement."""
    values = list(dict.fromkeys(values))
    return (values[i : i + size] for i in range(0, len(values), size))


def _seen(
    connection: Connection, arrived: Sequence[Notice],
) -> dict[bytes, tuple[int, dict[tuple[Any, ...], int], bool]]:
    found: dict[bytes, tuple[int, dict[tuple[Any, ...], int], bool]] = {}
    for start in range(0, len(arrived), _CHUNK):
        part = arrived[start : start + _CHUNK]
        for row in _BY_DIGEST(
                connection, digest=list({notice.digest for notice in part}),
                place=list({n.offset for n in part if n.offset is not None})):
            number, digest, duplicate_of, archived, *place = tuple(row)
            # The first notice with these bytes comes first.
            known = found.setdefault(
                bytes(digest), (duplicate_of or number, {}, archived is not None))
            known[1][tuple(place)] = number
    return found


def _latest(connection: Connection, identifiers: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in chunks(identifiers, _UNITED):
        found.update(tuple(row) for row in _BY_IDENTIFIER(connection, identifier=chunk))
    return found


def _count(connection: Connection, rows: list[dict[str, Any]]) -> None:
    totals: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        total = totals.setdefault((row["source"], row["topic"]), {
            "source": row["source"], "topic": row["topic"], "count": 0, "bytes": 0,
            "last_received": 0.0, "last_notice": None})
        total["count"] += 1
        total["bytes"] += row["size"]
        total["last_received"] = max(total["last_received"], row["received"])
        total["last_notice"] = row["id"]
    _COUNT.many(connection, list(totals.values()))


def identify(connection: Connection, number: int, identifier: str) -> None:
    """Note what the sender calls a notice, if that was found out only later."""
    connection.execute(update(notices).where(notices.c.id == number).values(identifier=identifier))


def load(connection: Connection, number: int) -> Notice:
    """Return a notice with its bytes, also if they were archived.

    Raises
    ------
    NotFound
        If there is no such notice, or its archive is not there.
    LedgerError
        If its archive is damaged.
    """
    row = _LOAD(connection, number=number).first()
    if row is None:
        raise NotFound("notice", number)
    body = _archived(connection, row.root) if row.body is None else bytes(row.body)
    return Notice(
        payload=body, source=row.source, topic=row.topic, partition=row.partition,
        offset=row.offset, received=_utc(row.received), sent=_utc(row.sent) if row.sent else None,
        id=number, headers=_unpack(row.headers))


def _archived(connection: Connection, root: int) -> bytes:
    row = connection.execute(
        select(notices.c.archive, notices.c.digest).where(notices.c.id == root)).one()
    if row.archive is None:
        raise NotFound("payload", f"of notice {root}, which is damage; run `gwbroker ledger check`")
    return archive.fetch(row.archive, root, bytes(row.digest))


def _pack(headers: Sequence[tuple[str, bytes]]) -> str | None:
    # As text, because prepared statements take JSON so.
    return json.dumps([[name, b64encode(value).decode()] for name, value in headers]) \
        if headers else None


def _unpack(headers: Any) -> tuple[tuple[str, bytes], ...]:
    if isinstance(headers, str):  # As a prepared statement of SQLite gives it.
        headers = json.loads(headers)
    return tuple((name, b64decode(value)) for name, value in headers or ())


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def listing(
    connection: Connection, *, limit: int = 100, topic: str | None = None,
    source: str | None = None, number: int | None = None,
) -> list[dict[str, Any]]:
    """Return the newest notices, oldest of them first, as plain dictionaries."""
    query = select(notices).order_by(notices.c.id.desc()).limit(limit)
    if topic is not None:
        query = query.where(notices.c.topic == topic)
    if source is not None:
        query = query.where(notices.c.source == source)
    if number is not None:
        query = query.where(notices.c.id == number)
    found = []
    for row in reversed(connection.execute(query).mappings().all()):
        values = dict(row)
        values["sha256"] = bytes(values.pop("digest")).hex()
        found.append(values)
    return found


def prune(connection: Connection, topic: str, before: float, limit: int = 2000) -> int:
    """Delete old notices of a topic, with their finished jobs; return how many."""
    old = list(connection.execute(
        select(notices.c.id).where(
            notices.c.topic == topic, notices.c.received < before,
            # The newest row stays, because new numbers follow on it.
            notices.c.id < select(func.max(notices.c.id)).scalar_subquery(),
            # In the query, so that thousands of dead jobs do not hold up all that is younger.
            ~exists().where(jobs.c.notice_id == notices.c.id, jobs.c.state != "done"))
        .order_by(notices.c.received).limit(limit)).scalars())
    linked = set(connection.execute(
        select(notices.c.duplicate_of).where(notices.c.duplicate_of.in_(old))).scalars())
    old = [number for number in old if number not in linked]
    if old:
        connection.execute(delete(jobs).where(jobs.c.notice_id.in_(old)))
        connection.execute(delete(payloads).where(payloads.c.notice_id.in_(old)))
        connection.execute(delete(notices).where(notices.c.id.in_(old)))
    return len(old)
