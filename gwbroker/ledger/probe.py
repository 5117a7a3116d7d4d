"""Probe: whether the ledger can be written, found out by writing, without waiting for long."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect

from ..conf import settings
from . import sqlite
from .engine import check, engine
from .faults import translated
from .models import cursors

NAME = "gwbroker.ledger.probe"
"""The row that is written."""


def file() -> Path | None:
    """Return the file of a ledger on SQLite; None of one on PostgreSQL, or in memory."""
    url = make_url(settings().ledger_url)
    path = url.database or ""
    if url.get_backend_name() != "sqlite" or path in ("", ":memory:") or path.startswith("file:"):
        return None
    return Path(path)


def probe(patience: float = 2.0) -> None:
    """Write a little to the ledger.

    Parameters
    ----------
    patience : float
        Seconds to wait for who holds it.

    Raises
    ------
    LedgerError
        If it cannot be reached, is locked, full, damaged or deleted.
    """
    check()
    url = settings().ledger_url
    with translated():
        if not url.startswith("sqlite"):
            with engine(durable=False).connect() as connection, connection.begin():
                connection.execute(text(f"SET LOCAL lock_timeout = {int(1000 * patience)}"))
                _write(connection)
            return
        made: Engine = sqlite.make(url, durable=False, busy=patience)
        try:
            with made.connect() as connection:
                connection = connection.execution_options(gwbroker_write=True)
                with connection.begin():
                    _write(connection)
        finally:
            made.dispose()


def _write(connection: Connection) -> None:
    shared = connection.dialect.name == "postgresql"
    insert = (postgresql_dialect if shared else sqlite_dialect).insert(cursors)
    # What changes nothing may write nothing.
    connection.execute(insert.values(name=NAME, position=0).on_conflict_do_update(
        index_elements=["name"], set_={"position": cursors.c.position + 1}))
