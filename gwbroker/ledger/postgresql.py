"""PostgreSQL: how this process opens a ledger on a server, and for how long it waits for what.

A host that is cut off, or a process that is stopped, must neither hang itself nor, by
the locks of its open transaction, all others:

- the server ends a transaction in which nothing happens for `IDLE` seconds. Ours consist of
  statements only, so that a live process is never silent for so long; a handler that works in
  `gwbroker.jobs.transaction` has to keep to it;
- a lock is waited for longer than that, so that one wait outlives one lost process;
- a silent network is noticed by keepalives and by data that nobody acknowledges, within
  about `SILENCE` seconds, by both sides.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from ..errors import LedgerError

IDLE = 10
"""Seconds for which a transaction may be idle."""

LOCK = 20
"""Seconds for which one lock is waited for."""

STATEMENT = 60
"""Seconds that one statement may take."""

SILENCE = 10
"""Seconds after which a peer that acknowledges nothing is taken to be dead."""

POOL = 15
"""Seconds to wait for a free connection of this process."""

_SESSION = {
    "idle_in_transaction_session_timeout": f"{IDLE}s", "lock_timeout": f"{LOCK}s",
    "statement_timeout": f"{STATEMENT}s",
    # The server's side of the connection; ignored on a Unix socket.
    "tcp_keepalives_idle": "4", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
    "tcp_user_timeout": str(1000 * SILENCE),
}
_CLIENT = {
    "connect_timeout": 5, "keepalives": 1, "keepalives_idle": 4, "keepalives_interval": 2,
    "keepalives_count": 3, "tcp_user_timeout": 1000 * SILENCE,
}


def make(url: str, durable: bool) -> Engine:
    """Return an engine for a ledger on a server.

    Raises
    ------
    LedgerError
        If the driver is not installed.
    """
    try:
        # Who has waited for a lock has to see what was committed meanwhile, whatever is the
        # default of this database.
        made = create_engine(url, isolation_level="READ COMMITTED", pool_size=4,
                             max_overflow=16, pool_pre_ping=True, pool_timeout=POOL)
    except ModuleNotFoundError:
        raise LedgerError("the ledger is on PostgreSQL, but its driver is not installed; "
                          "run `pip install 'gwbroker[postgres]'`") from None

    @event.listens_for(made, "do_connect")
    def _defaults(_dialect: Any, _record: Any, _arguments: Any, parameters: Any) -> None:
        # What the user says in the URL counts.
        for name, value in _CLIENT.items():
            parameters.setdefault(name, value)

    @event.listens_for(made, "connect")
    def _timeouts(connection: Any, _record: Any) -> None:
        # Not by the parameter "options", which a pooler between us and the server refuses.
        values = ", ".join(f"set_config('{name}', '{value}', false)"
                           for name, value in _SESSION.items())
        connection.execute(f"SELECT {values}")
        connection.commit()

    if not durable:

        @event.listens_for(made, "begin")
        def _relax(connection: Connection) -> None:
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")

    return made


def be_patient(connection: Connection) -> None:
    """Let this transaction take as long as it needs, and pause as long as it likes."""
    if connection.dialect.name == "postgresql":
        values = ", ".join(
            f"set_config('{name}', '0', true)" for name in
            ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"))
        connection.exec_driver_sql(f"SELECT {values}")
