"""The ledger's tables; times are seconds since 1970-01-01 UTC."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# SQLite only counts up by itself in a column of type INTEGER.
BIG = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
})

notices = Table(
    "notices", metadata,
    Column("id", BIG, primary_key=True),
    Column("source", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("partition", Integer),
    Column("offset", BigInteger),
    Column("digest", LargeBinary(32), nullable=False, comment="SHA-256 of the payload"),
    Column("size", Integer, nullable=False),
    Column("received", Float, nullable=False),
    Column("sent", Float),
    Column("identifier", String, comment="What the sender calls the message or its subject"),
    Column("duplicate_of", BIG, ForeignKey("notices.id")),
    Column("revision_of", BIG, ForeignKey("notices.id")),
    Column("headers", JSON, comment="Kafka headers: pairs of name and base64 value"),
    Column("archive", String, comment="File under the archive folder that has its bytes now"),
    Index(None, "topic", "received"),
    sqlite_autoincrement=True,
)

# A source may repeat the same bytes for years, or send other bytes under one name: whoever looks
# for the first, the last, or this very message, finds it at once.
for _name, _columns, _condition in (
    ("ix_notices_digest", ("digest",), notices.c.duplicate_of.is_(None)),
    ("ix_notices_copies", ("digest", "offset"), notices.c.duplicate_of.is_not(None)),
    ("ix_notices_identifier", ("identifier", "duplicate_of", "id"),
     notices.c.identifier.is_not(None)),
):
    Index(_name, *(notices.c[column] for column in _columns), sqlite_where=_condition,
          postgresql_where=_condition)

payloads = Table(
    "payloads", metadata,
    Column("notice_id", BIG, ForeignKey("notices.id"), primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

jobs = Table(
    "jobs", metadata,
    Column("id", BIG, primary_key=True),
    Column("notice_id", BIG, ForeignKey("notices.id")),
    Column("handler", String, nullable=False),
    Column("queue", String, nullable=False),
    Column("args", JSON, nullable=False),
    Column("key", String, comment="A second submission with the same key adds nothing"),
    Column("serial", String, comment="Jobs with the same value run one at a time, in order"),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("sends", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("traceback", Text),
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("sent", Float),
    Column("started", Float),
    Column("finished", Float),
    Column("claimant", String),
    Column("lease_until", Float),
    Column("priority", Integer, nullable=False, server_default="0",
           comment="0: live; 1: of an old message, or not urgent; it waits for those"),
    Column("replay", String, comment="The replay that it belongs to"),
    Column("progress", JSON(none_as_null=True),
           comment="How far it is while it runs: done, total, note"),
    UniqueConstraint("key"),
    Index(None, "notice_id"),
    sqlite_autoincrement=True,
)

UNFINISHED = ("pending", "sent", "running", "waiting")
FINISHED = ("done", "dead")
STATES = (*UNFINISHED, *FINISHED)

# Small whatever the size of the ledger, because only unfinished jobs are in them.
_unfinished = jobs.c.state.in_(UNFINISHED)
Index("ix_jobs_unfinished", jobs.c.priority, jobs.c.state, jobs.c.queue, jobs.c.due,
      sqlite_where=_unfinished, postgresql_where=_unfinished)
Index("ix_jobs_serial", jobs.c.serial, jobs.c.id,
      sqlite_where=_unfinished, postgresql_where=_unfinished)
_replayed = jobs.c.replay.is_not(None)
Index("ix_jobs_replay", jobs.c.replay, jobs.c.id,
      sqlite_where=_replayed, postgresql_where=_replayed)
_dead = jobs.c.state == "dead"
Index("ix_jobs_dead", jobs.c.id, sqlite_where=_dead, postgresql_where=_dead)

# Who deletes a notice asks, by its foreign keys, which rows refer to it.
for _link in (notices.c.duplicate_of, notices.c.revision_of):
    _linked = _link.is_not(None)
    Index(f"ix_notices_{_link.name}", _link, sqlite_where=_linked, postgresql_where=_linked)

events = Table(
    "events", metadata,
    Column("id", BIG, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("role", String(8), nullable=False),
    Column("state", String(12), nullable=False),
    Column("t0", Float),
    Column("facts", JSON, nullable=False),
    Column("flags", JSON, nullable=False, comment="What is wrong with its notices"),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Index(None, "t0"),
    sqlite_autoincrement=True,
)

identifiers = Table(
    "identifiers", metadata,
    Column("identifier", String, primary_key=True),
    Column("event_id", BIG, ForeignKey("events.id"), nullable=False, index=True),
)

event_notices = Table(
    "event_notices", metadata,
    Column("event_id", BIG, ForeignKey("events.id"), primary_key=True),
    Column("notice_id", BIG, ForeignKey("notices.id"), primary_key=True),
    Column("revision", Integer, nullable=False, comment="1, 2, ... within the event"),
    Column("alert", String(24), nullable=False, comment="As initial, update, retraction"),
    Column("issued", Float, comment="When the sender says that it made it"),
    Column("said", JSON, comment="What it said of the event, as merge() wants it"),
    Index(None, "notice_id"),
)

products = Table(
    "products", metadata,
    Column("id", BIG, primary_key=True),
    Column("event_id", BIG, ForeignKey("events.id"), nullable=False),
    Column("notice_id", BIG, ForeignKey("notices.id")),
    Column("kind", String(32), nullable=False),
    Column("path", String, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", Integer, nullable=False),
    Column("made", Float, nullable=False),
    Column("facts", JSON, nullable=False),
    UniqueConstraint("path"),
    Index(None, "event_id"),
    Index(None, "notice_id"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases", metadata,
    Column("name", String, primary_key=True),
    Column("holder", String),
    Column("host", String),
    Column("pid", Integer),
    Column("started", Float),
    Column("until", Float, nullable=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("not_before", Float, nullable=False, default=0),
    Column("state", String),
    Column("error", Text),
)

streams = Table(
    "streams", metadata,
    Column("source", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("last_received", Float, nullable=False),
    Column("last_notice", BIG),
)

topics = Table(
    "topics", metadata,
    Column("source", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("seen", BigInteger, nullable=False, comment="Messages read, also those not kept"),
    Column("kept", BigInteger, nullable=False),
    Column("last_seen", Float),
    Column("lag", BigInteger, comment="Messages that wait in Kafka"),
    Column("problem", Text, comment="Why it cannot be read now"),
    Column("updated", Float, nullable=False),
)

cursors = Table(
    "cursors", metadata,
    Column("name", String, primary_key=True),
    Column("position", BIG, nullable=False, comment="The last notice that was dealt with"),
)
