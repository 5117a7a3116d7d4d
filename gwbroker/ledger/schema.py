"""Bringing the ledger's schema up to date (Alembic)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .engine import LOCK_SCHEMA, _checked, _translated, engine, lock

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

    with _translated(), engine().connect() as connection:
        connection = connection.execution_options(gwbroker_write=True)
        with connection.begin():
            lock(connection, LOCK_SCHEMA)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    _checked.clear()
