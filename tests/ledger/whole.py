"""A ledger that has something of everything."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from gwbroker.ledger import events, leases
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Draft
from gwbroker.ledger.models import cursors, metadata, topics
from gwbroker.notice import Notice

OLD = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
BODIES = (b"", b"\xff\x00\xfe", '{"\N{GREEK SMALL LETTER ALPHA}": "\r\n\0"}'.encode(), b"x" * 5000)


def write_whole(home: Path, many: int = 40) -> None:
    """Write notices with headers, a copy, a revision, jobs, an event, a product, a lease."""
    arrived = [Notice(body, "kafka.local", "a.topic", 0, n, received=OLD,
                      headers=(("_id", b"\xff"),)) for n, body in enumerate(BODIES)]
    arrived += [Notice(b"%d" % n, "kafka.local", "a.topic", 1, n) for n in range(many)]
    arrived += [Notice(BODIES[2], "vtp.x", "voevent", sent=OLD, received=OLD)]
    with write() as connection:
        rows.keep(connection, arrived, ["S1", "S1", *[None] * (len(arrived) - 2)])
        job_rows.add(connection, [
            Draft("h", "general", 1, args=({"a": [1.5, None, "\N{SNOWMAN}"]},), key="1:h"),
            Draft("h", "events", 2, serial="s", error="it was \x00 bad")])
        number, _ = events.find_or_open(connection, ["S1", "x:1"], name="S1", kind="gw",
                                        role="real", state="open", t0=1.25)
        events.change(connection, number, {"facts": {"far": 1e-9, "odd": "\ud800"}})
        events.link(connection, number, 1, "initial", 2.5, {"x": 1})
        events.link(connection, number, 2, "update", None)
        product = home / "products" / "000001-S1" / "map.fits"
        product.parent.mkdir(parents=True)
        product.write_bytes(b"a map")
        events.add_product(
            connection, event_id=number, notice_id=1, kind="map", path="000001-S1/map.fits",
            digest=hashlib.sha256(b"a map").digest(), size=5, facts={})
        connection.execute(insert(cursors).values(name="c", position=3))
        connection.execute(insert(topics).values(
            source="kafka.local", topic="a.topic", seen=9, kept=4, updated=OLD.timestamp()))
    assert leases.acquire("l", f"host:{os.getpid()}") is None


def content() -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    with read() as connection:
        return {table.name: [
            {name: bytes(value) if isinstance(value, memoryview) else value
             for name, value in row.items()}
            for row in connection.execute(
                select(table).order_by(*table.primary_key.columns)).mappings()]
            for table in metadata.sorted_tables}
