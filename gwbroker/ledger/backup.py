"""Backup: a consistent copy of a SQLite ledger while it is written to."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..conf import settings
from ..errors import LedgerError
from .engine import engine, read
from .faults import RESTORE, translated


@dataclass(frozen=True)
class Copy:
    """A copy that was made: where it is, its size in bytes, and how many notices are in it."""

    file: Path
    size: int
    notices: int


def backup(target: Path) -> Copy:
    """Copy the ledger to a file that does not exist yet; holds up nobody.

    Raises
    ------
    LedgerError
        If there is such a file, it cannot be written, or the ledger is on PostgreSQL.
    """
    with read():  # There is one, of this version.
        path = engine().url.database
    if engine().dialect.name != "sqlite" or not path:
        raise LedgerError("the ledger is on PostgreSQL, which has its own: "
                          "`pg_dump --format=custom --file FILE DATABASE`")
    if target.exists():
        raise LedgerError(f"{target} exists already; name another file, or remove it")
    try:
        return _copy(path, target.absolute())
    except OSError as e:
        raise LedgerError(f"the backup {target} cannot be written: {e.strerror or e}") from e


def _place(temporary: Path, target: Path) -> None:
    # Linked rather than renamed, so that no file is replaced.
    try:
        os.link(temporary, target)
    except OSError as e:
        if e.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS) or target.exists():
            raise
        # USB sticks and some network file systems have no links.
        temporary.rename(target)


def _copy(path: str, target: Path) -> Copy:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        with translated(), closing(sqlite3.connect(path)) as source, \
                closing(sqlite3.connect(temporary)) as copy:
            # All pages in one step: SQLite's log of changes lets others write meanwhile.
            source.backup(copy)
            # One file, without a log of its own beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
            (sound,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
            if sound != "ok":
                raise LedgerError(f"the ledger {settings().ledger_url} is damaged ({sound}), and "
                                  f"so would be its copy: {RESTORE}")
            (notices,) = copy.execute("SELECT count(*) FROM notices").fetchone()
        with temporary.open("rb") as f:
            os.fsync(f.fileno())
        _place(temporary, target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return Copy(target, target.stat().st_size, int(notices))
