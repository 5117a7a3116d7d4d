"""A PostgreSQL that cannot do what we ask says why, and a lost session harms no other."""

from __future__ import annotations

import contextlib

import pytest

from gwbroker.errors import LedgerError, LedgerUnavailable
from gwbroker.ledger import engine
from gwbroker.ledger.engine import read, snapshot, write

from ..servers import PostgreSQL, poll


def test_what_a_stopped_process_had_begun_is_undone_when_it_goes_on(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url("template"))

    def go_on_too_late() -> None:
        with write() as connection:
            # As if the ten seconds of the settings were over.
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout TO '100ms'")
            connection.exec_driver_sql(
                "INSERT INTO streams (source, topic, count, bytes, last_received) "
                "VALUES ('x', 'y', 1, 1, 0)")
            process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with contextlib.closing(_watcher(postgresql)) as ended:
                poll(lambda: ended(process), 10, "the server ended the session")
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(LedgerUnavailable, match="stood still"):
        go_on_too_late()
    with read() as connection:
        assert not connection.exec_driver_sql("SELECT 1 FROM streams").first()
    engine.dispose()


class _watcher:
    """Asks the server whether a session has ended."""

    def __init__(self, server: PostgreSQL) -> None:
        import psycopg

        self.connection = psycopg.connect(server.url("postgres"), autocommit=True)

    def __call__(self, process: int) -> bool:
        return self.connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE pid = %s", (process,)).fetchone() is None

    def close(self) -> None:
        self.connection.close()


@pytest.mark.parametrize(("code", "remedy"), [
    ("53100", "make room on the disk of its server"),
    ("53300", "max_connections"),
    ("53200", "look after its server"),
    ("25006", "name the primary"),
    ("40001", "tried again"),
    ("55P03", "pg_stat_activity"),
    ("57014", "took too long"),
    ("57P01", "tried again"),
    ("58030", "look at the disk"),
    ("42P01", "gwbroker ledger upgrade"),
    ("42501", "grant its user"),
])
def test_what_a_server_cannot_do_now_is_unavailable_with_a_remedy(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch, code: str, remedy: str,
):
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url("template"))
    with pytest.raises(LedgerUnavailable, match=remedy), write() as connection:
        connection.exec_driver_sql(
            f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")
    engine.dispose()


def test_damaged_tables_of_a_server_are_not_tried_again(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url("template"))
    with pytest.raises(LedgerError, match="backup") as caught, write() as connection:
        connection.exec_driver_sql(
            "DO $$ BEGIN RAISE EXCEPTION 'invalid page' USING ERRCODE = 'XX001'; END $$")
    assert not isinstance(caught.value, LedgerUnavailable)
    engine.dispose()


@pytest.mark.parametrize("ledger", ["postgresql"], indirect=True)
def test_a_database_whose_transactions_are_serializable_by_default_changes_nothing(ledger: str):
    asked = "SHOW transaction_isolation"
    with write() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        connection.exec_driver_sql(
            f'ALTER DATABASE "{name}" SET default_transaction_isolation TO serializable')
    engine.dispose()
    for way, level in ((write, "read committed"), (snapshot, "repeatable read"),
                       (read, "read committed"), (write, "read committed")):
        with way() as connection:
            assert connection.exec_driver_sql(asked).scalar_one() == level


def test_a_session_that_the_server_ended_is_replaced(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url("template"))

    def be_ended() -> None:
        with write() as connection:
            process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            postgresql._do(f"SELECT pg_terminate_backend({process})")
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(LedgerUnavailable):
        be_ended()
    with write() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    engine.dispose()


def test_a_server_without_a_free_connection_is_unavailable(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    postgresql._do("DROP ROLE IF EXISTS few")
    postgresql._do("CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    environment.setenv("GWBROKER_DATABASE_URL",
                       postgresql.url("template").replace("postgres@", "few@"))
    with pytest.raises(LedgerUnavailable, match="too many connections"), read():
        pass
    engine.dispose()


def test_a_database_that_is_not_there_is_named(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url("nowhere"))
    with pytest.raises(LedgerUnavailable, match="make the database, or mend database_url"), read():
        pass


def test_dead_peers_are_noticed_on_both_sides_unless_the_url_says_otherwise(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    environment.setenv("GWBROKER_DATABASE_URL",
                       postgresql.url("template") + "&keepalives_idle=33")
    with write() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        mine = driver.info.get_parameters()
        assert (mine["keepalives_idle"], mine["tcp_user_timeout"]) == ("33", "10000")
        theirs = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in (
            "idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")}
    assert theirs == {"idle_in_transaction_session_timeout": "10s", "lock_timeout": "20s",
                      "statement_timeout": "1min"}
    with engine.snapshot() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "0"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar_one() \
            == "repeatable read"
    engine.dispose()
