"""Faults: what an error of the database means, and what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..conf import mask_url, settings
from ..errors import LedgerError, LedgerUnavailable
from .holder import holders

RESTORE = "put a backup in its place (docs/howto/backup.rst); `gwbroker ledger check` tells more"

_SQLITE = {
    "SQLITE_BUSY": "another program holds it, close it",
    "SQLITE_LOCKED": "another program holds it, close it",
    "SQLITE_FULL": "make room on its disk",
    "SQLITE_IOERR": "its disk is full, faulty or not mounted any more",
    "SQLITE_READONLY": "its file, its folder or the file system cannot be written: mend the "
                       "permissions or the mount",
    "SQLITE_CANTOPEN": "its folder is missing, not readable or not writable: mend that, or set "
                       "GWBROKER_HOME",
    "SQLITE_PERM": "mend the permissions of the file",
    "SQLITE_CORRUPT": f"the file is damaged: {RESTORE}",
    "SQLITE_NOTADB": f"the file is damaged: {RESTORE}",
}
_POSTGRESQL = {
    # https://www.postgresql.org/docs/current/errcodes-appendix.html, the longest match counts.
    "08": "look after its server and the network to it",
    "25006": "this server is a standby or was made read-only: name the primary in database_url",
    "25P03": "this process stood still for too long in the middle of a transaction, which was "
             "undone",
    "28": "mend user and password in database_url, or the server's pg_hba.conf",
    "3D": "make the database, or mend database_url",
    "40": "others wrote the same at the same time; it is tried again",
    "42501": "grant its user the tables of the ledger",
    "42P01": "run `gwbroker ledger upgrade`",
    "53": "look after its server",
    "53100": "make room on the disk of its server",
    "53300": "raise max_connections of its server, or run fewer processes",
    "55P03": "another session held a lock for too long: look at pg_stat_activity",
    "57": "it is tried again",
    "57014": "it took too long and was stopped: look at the load of its server",
    "57P01": "its server ended the session; it is tried again",
    "57P03": "its server starts or stops; it is tried again",
    "58": "look at the disk of its server",
    "58030": "look at the disk of its server",
    "XX001": f"its tables are damaged: {RESTORE}",
    "XX002": "an index is damaged: REINDEX the database, then run `gwbroker ledger check`",
}
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "XX001", "XX002")


def explain(error: Exception) -> LedgerError | None:
    """Return what an error of the database is to us; None if it is an error of the program."""
    if isinstance(error, PoolTimeout):
        return LedgerUnavailable(_sentence("all connections of this process are in use",
                                           "it is tried again"))
    cause = getattr(error, "orig", None) or error
    code = str(getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or "")
    said = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    remedy = _remedy(code, said)
    if remedy and code.startswith(_DAMAGED):
        return LedgerError(_sentence(said, remedy))
    passing = isinstance(error, (OperationalError, InterfaceError, sqlite3.OperationalError)) \
        or getattr(error, "connection_invalidated", False)
    if remedy or passing:
        return LedgerUnavailable(_sentence(said, remedy))
    # sqlite3 reports what it has no other name for as a plain DatabaseError.
    if type(cause) is sqlite3.DatabaseError:
        return LedgerError(_sentence(said, RESTORE))
    return None


def _remedy(code: str, said: str) -> str:
    known = _SQLITE if code.startswith("SQLITE") else _POSTGRESQL
    found = max((key for key in known if code.startswith(key)), key=len, default=None)
    if found in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return holders(settings().ledger_url) or known[found]
    if found is not None:
        return known[found]
    if "no such table" in said:
        return "run `gwbroker ledger upgrade`"
    # What is wrong before there is a session has a text and no code.
    for words, key in (("too many clients", "53300"), ("remaining connection slots", "53300"),
                       ("does not exist", "3D"), ("authentication failed", "28"),
                       ("starting up", "57P03"), ("shutting down", "57P03"), ("refused", "08"),
                       ("timeout", "08"), ("timed out", "08"), ("No route", "08"),
                       ("could not receive", "08"), ("could not translate", "08"),
                       ("closed the connection", "08")):
        if words in said:
            return _POSTGRESQL[key]
    return ""


def _sentence(said: str, remedy: str) -> str:
    return f"the ledger {mask_url(settings().ledger_url)}: {said}" + (f"; {remedy}" if remedy
                                                                      else "")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database raises into our own errors, which say what to do.

    Raises
    ------
    LedgerUnavailable
        For what may be over at the next try: locked, full, away, stopped.
    LedgerError
        For a damaged ledger.
    """
    try:
        yield
    # The raw errors of sqlite3 are those of prepared statements.
    except (DBAPIError, PoolTimeout, sqlite3.Error) as e:
        found = explain(e)
        if found is None:
            raise
        raise found from e
