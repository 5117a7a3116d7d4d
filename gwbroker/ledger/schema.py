"""Bringing the ledger's schema up to date (Alembic)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .engine import LOCK_SCHEMA, _checked, engine, lock
from .faults import translated
from .postgresql import be_patient

MIGRATIONS = Path(__file__).parent / "migrations"


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def head() -> str:
    """Return the version that the newest migration makes."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory.from_config(_config()).get_current_head())


def upgrade() -> None:
    """Migrate the ledger to the schema of this code; does nothing if it is there already.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be reached.
    """
    from alembic import command

    with translated(), engine().connect() as connection:
        connection = connection.execution_options(gwbroker_write=True)
        with connection.begin():
            be_patient(connection)
            lock(connection, LOCK_SCHEMA)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    _checked.clear()


def vacuum() -> None:
    """Give the disk space of deleted rows back; nobody can write meanwhile.

    PostgreSQL does without: its autovacuum makes the space free for new rows.

    Raises
    ------
    LedgerUnavailable
        If others use the ledger all the time, or the disk has no room for a copy.
    """
    if engine().dialect.name != "sqlite":
        return
    with translated(), engine().connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("VACUUM")
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
