"""Connections to the ledger: SQLite by default, PostgreSQL for many hosts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, extract, func, text

from ..conf import mask_url, settings
from ..errors import LedgerError, LedgerVersionError
from . import postgresql, sqlite
from .faults import translated

VERSION = "0004"
"""The schema that this code needs; a test holds it against the newest migration."""

LOCK_INTAKE, LOCK_SCHEMA, LOCK_PRUNE = 0x6757_0001, 0x6757_0002, 0x6757_0003
_BUSY = sqlite.BUSY
_engines: dict[tuple[str, bool], Engine] = {}
_checked: set[str] = set()


def _forget() -> None:
    # A connection must not be used on both sides of a fork; the parent still has its own.
    for engine in _engines.values():
        engine.dispose(close=False)
    _engines.clear()


os.register_at_fork(after_in_child=_forget)


@lru_cache(maxsize=4)
def _url(home: Path, database_url: str | None) -> str:
    return settings().ledger_url


def _configured() -> str:
    # Asked for at every statement, and made of paths, which are slow.
    return _url(settings().home, settings().database_url)


def engine(url: str | None = None, durable: bool = True) -> Engine:
    """Return this process's engine for a ledger; it is made once.

    Parameters
    ----------
    url : str, optional
        SQLAlchemy URL; by default the configured ledger.
    durable : bool
        Whether a commit waits for the disk. What is written without waiting is
        lost only if the whole machine loses power, never by `kill -9`, and never
        without losing everything written after it as well.
    """
    url = url or _configured()
    found = _engines.get((url, durable))
    if found is None:
        found = _engines[url, durable] = _make(url, durable)
    return found


def _make(url: str, durable: bool) -> Engine:
    if url.startswith("sqlite"):
        return sqlite.make(url, durable, _BUSY)
    if not url.startswith("postgresql"):
        raise LedgerError(f"the ledger can be sqlite or postgresql, not {mask_url(url)}")
    return postgresql.make(url, durable)


@contextmanager
def read() -> Iterator[Connection]:
    """Open a connection for reading.

    On SQLite all statements have one view; on PostgreSQL each has its own, see `snapshot`.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be reached.
    """
    check()
    with translated(), engine(durable=False).connect() as connection, connection.begin():
        _verify(connection)
        yield connection


@contextmanager
def snapshot() -> Iterator[Connection]:
    """Open a connection for reading much: one consistent view, for as long as it takes.

    It holds up nobody; SQLite's log of changes grows meanwhile.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be reached.
    """
    check()
    with translated(), engine(durable=False).connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True)
        transaction = connection.begin()
        try:
            postgresql.be_patient(connection)
            _verify(connection)
            yield connection
        finally:
            # Not a commit, which a damaged file refuses.
            transaction.rollback()


@contextmanager
def write(durable: bool = True) -> Iterator[Connection]:
    """Open a transaction that writes; it commits at the end of the block.

    Parameters
    ----------
    durable : bool
        Whether the commit waits for the disk.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be reached, is locked or full, or was deleted; nothing
        was written that may be relied on.
    """
    check()
    with translated(), engine(durable=durable).connect() as connection:
        connection = connection.execution_options(gwbroker_write=True)
        with connection.begin():
            yield connection
        _verify(connection)


def _verify(connection: Connection) -> None:
    """Make sure that a file is still there; what is in a deleted one goes with this process."""
    path = sqlite.left(connection)
    if path is not None:
        _reconnect()
        raise sqlite.gone(path)


def _reconnect() -> None:
    for made in _engines.values():
        made.dispose()


def lock(connection: Connection, key: int | str) -> None:
    """Let one transaction at a time past this point, until it ends.

    SQLite has one writer anyway; on PostgreSQL this is an advisory lock.
    """
    if connection.dialect.name == "postgresql":
        expression = "hashtextextended(:key, 0)" if isinstance(key, str) else ":key"
        connection.execute(text(f"SELECT pg_advisory_xact_lock({expression})"), {"key": key})


def clock(connection: Connection) -> Any:
    """Return the time now for use in a statement: the server's clock where hosts share one."""
    if connection.dialect.name == "postgresql":
        return extract("epoch", func.clock_timestamp())
    return time.time()


def check() -> None:
    """Make sure, once per process, that the ledger has the schema of this code.

    An empty database gets it.

    Raises
    ------
    LedgerVersionError
        If it has another, with the command to run.
    """
    url = _configured()
    if url in _checked:
        return
    found = version()
    if found is None:
        from .schema import upgrade

        upgrade()
    elif found != VERSION:
        older = found < VERSION
        raise LedgerVersionError(found, VERSION, (
            "Run `gwbroker ledger upgrade`" if older else
            "It was made by a newer gwbroker: run `pip install --upgrade gwbroker`"))
    _checked.add(url)


def version() -> str | None:
    """Return the schema version of the ledger; None if the database is empty."""
    with translated(), engine().connect() as connection:
        # The catalogue is asked first: on PostgreSQL a failed SELECT spoils the transaction.
        if not engine().dialect.has_table(connection, "alembic_version"):
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return str(row[0]) if row else None


def dispose() -> None:
    """Close this process's connections, so that a test or a fork starts afresh."""
    _reconnect()
    _engines.clear()
    _checked.clear()
    sqlite.forget()
