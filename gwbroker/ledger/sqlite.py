"""SQLite: how this process opens a ledger in a file, and notices when that file goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from ..errors import LedgerUnavailable

BUSY = 15.0
"""Seconds to wait for another process's transaction."""

_opened: set[str] = set()


def make(url: str, durable: bool, busy: float) -> Engine:
    """Return an engine for a ledger in a file; its folder is made."""
    made = create_engine(url, connect_args={"timeout": busy, "check_same_thread": False},
                         pool_size=4, max_overflow=16, pool_timeout=busy)
    path = made.url.database or ":memory:"
    if path != ":memory:" and not path.startswith("file:"):
        _make_folder(Path(path).parent)
        _watch(made, path)

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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as e:
        raise LedgerUnavailable(
            f"the ledger's folder {folder} cannot be made: {e.strerror}; "
            "set GWBROKER_HOME to a folder that can be written") from None


def _watch(made: Engine, path: str) -> None:
    """Note which file each connection has, and make none anew.

    A file that was deleted can be written to for as long as it is open; what is
    acknowledged then is gone with the process.
    """

    @event.listens_for(made, "do_connect")
    def _refuse_new(*_: Any) -> None:
        # SQLite would make an empty one, and with it delete the log of changes that belongs to
        # the other: what was acknowledged last.
        if (path in _opened or _has_log(path)) and not os.path.exists(path):
            raise gone(path)

    @event.listens_for(made, "connect")
    def _remember(_connection: Any, record: Any) -> None:
        _opened.add(path)
        record.info["file"] = (path, _identity(path))


def _has_log(path: str) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except OSError:
        return False


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def gone(path: str) -> LedgerUnavailable:
    """Return the error of a ledger whose file was deleted while this process ran."""
    return LedgerUnavailable(
        f"the ledger {path} was deleted or moved away while it was in use; put it back, or a "
        "backup in its place; to begin with an empty one, stop everything, remove "
        f"{os.path.basename(path)}-wal if it is there, and start again")


def left(connection: Connection) -> str | None:
    """Return the name of a connection's file if that is another one now, or none."""
    mark = connection.info.get("file")
    return mark[0] if mark is not None and mark[1] != _identity(mark[0]) else None


def forget() -> None:
    """Forget which files were opened, so that a test starts afresh."""
    _opened.clear()
