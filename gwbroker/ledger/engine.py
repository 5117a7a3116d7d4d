"""Connections to the ledger: SQLite by default, PostgreSQL for many hosts."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, extract, func, text
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError

from ..conf import mask_url, settings
from ..errors import LedgerError, LedgerUnavailable, LedgerVersionError

VERSION = "0002"
"""The schema that this code needs; a test holds it against the newest migration."""

LOCK_INTAKE, LOCK_SCHEMA = 0x6757_0001, 0x6757_0002
_BUSY = 15.0
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
        made = create_engine(url, connect_args={"timeout": _BUSY, "check_same_thread": False},
                             pool_size=4, max_overflow=16)
        path = made.url.database
        if path and path != ":memory:":
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as e:
                raise LedgerUnavailable(
                    f"the ledger's folder {Path(path).parent} cannot be made: {e.strerror}; "
                    "set GWBROKER_HOME to a folder that can be written") from None

        @event.listens_for(made, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            # We say BEGIN ourselves: the driver would begin too late for a lock.
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()

        @event.listens_for(made, "begin")
        def _begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get("gwbroker_write", False)
            # Past SQLAlchemy, which takes ten times as long for it.
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

        return made
    if not url.startswith("postgresql"):
        raise LedgerError(f"the ledger can be sqlite or postgresql, not {mask_url(url)}")
    try:
        made = create_engine(url, pool_size=4, max_overflow=16, pool_pre_ping=True,
                             connect_args={"connect_timeout": 5})
    except ModuleNotFoundError:
        raise LedgerError("the ledger is on PostgreSQL, but its driver is not installed; "
                          "run `pip install 'gwbroker[postgres]'`") from None
    if not durable:

        @event.listens_for(made, "begin")
        def _relax(connection: Connection) -> None:
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")

    return made


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as e:
        raise LedgerUnavailable(_sentence(e)) from e
    except DBAPIError as e:
        if e.connection_invalidated:
            raise LedgerUnavailable(_sentence(e)) from e
        # sqlite3 reports a damaged file as a plain DatabaseError.
        if type(e) is DatabaseError:
            raise LedgerError(_sentence(e)) from e
        raise
    # From the rows of a prepared statement, which do not go through SQLAlchemy.
    except sqlite3.OperationalError as e:
        raise LedgerUnavailable(_sentence(e)) from e


def _sentence(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    said = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    where = mask_url(settings().ledger_url)
    remedy = ""
    if "locked" in said:
        remedy = "; another program holds it, close it"
    elif "full" in said or "No space" in said:
        remedy = "; make room on its disk"
    elif "no such table" in said or "does not exist" in said:
        remedy = "; run `gwbroker ledger upgrade`"
    return f"the ledger {where}: {said}{remedy}"


@contextmanager
def read() -> Iterator[Connection]:
    """Open a connection for reading, with one consistent view.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be reached.
    """
    check()
    with _translated(), engine(durable=False).connect() as connection, connection.begin():
        yield connection


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
        If the ledger cannot be reached, is locked or full; nothing was written.
    """
    check()
    with _translated(), engine(durable=durable).connect() as connection:
        connection = connection.execution_options(gwbroker_write=True)
        with connection.begin():
            yield connection


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
    with _translated(), engine().connect() as connection:
        # The catalogue is asked first: on PostgreSQL a failed SELECT spoils the transaction.
        if not engine().dialect.has_table(connection, "alembic_version"):
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return str(row[0]) if row else None


def dispose() -> None:
    """Close this process's connections, so that a test or a fork starts afresh."""
    for made in _engines.values():
        made.dispose()
    _engines.clear()
    _checked.clear()
