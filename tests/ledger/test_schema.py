"""The ledger's schema: made by migrations, checked at every start, durable."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from gwbroker.conf import settings
from gwbroker.errors import ConfigError, LedgerError, LedgerUnavailable, LedgerVersionError
from gwbroker.intake import accept
from gwbroker.ledger import engine, schema
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.models import metadata
from gwbroker.notice import Notice

from ..servers import PostgreSQL


def set_version(version: str) -> None:
    """Let the ledger say that it has another schema."""
    with write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    engine.dispose()


def test_the_version_that_the_code_needs_is_that_of_the_newest_migration():
    assert schema.head() == engine.VERSION


@pytest.mark.usefixtures("ledger")
def test_the_migrations_make_the_tables_of_the_models():
    with engine.engine().connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.usefixtures("home")
def test_an_empty_sqlite_ledger_gets_the_schema_by_itself():
    assert engine.version() is None
    with read():
        pass
    assert engine.version() == engine.VERSION


def test_an_empty_postgresql_database_gets_the_schema_by_itself(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    database = postgresql.fresh()
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url(database))
    with read():
        pass
    assert engine.version() == engine.VERSION
    engine.dispose()
    postgresql.drop(database)


def test_several_processes_may_make_the_schema_at_once(home: Path):
    code = "from gwbroker.ledger.engine import read\nwith read(): pass"
    running = [subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ),
                                cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True)
               for _ in range(3)]
    errors = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(("version", "remedy"), [
    ("0000", "Run `gwbroker ledger upgrade`"),
    ("9999", "made by a newer gwbroker: run `pip install --upgrade gwbroker`"),
])
def test_another_schema_stops_the_start_with_the_command_to_run(version: str, remedy: str):
    set_version(version)
    with pytest.raises(LedgerVersionError) as caught, read():
        pass
    assert remedy in str(caught.value)
    assert (caught.value.found, caught.value.wanted) == (version, engine.VERSION)


def test_a_worker_does_not_start_on_a_newer_ledger(sqlite: str):
    set_version("9999")
    done = subprocess.run([sys.executable, "-m", "gwbroker", "worker"], capture_output=True,
                          text=True, timeout=60, env=dict(os.environ), check=False)
    assert done.returncode == 1
    assert "pip install --upgrade gwbroker" in done.stderr
    assert "Traceback" not in done.stderr


def test_sqlite_waits_for_the_disk_unless_told_otherwise(sqlite: str):
    for durable, synchronous in ((True, 2), (False, 1)):
        with write(durable=durable) as connection:
            pragma = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                      for name in ("journal_mode", "synchronous", "foreign_keys")}
        assert pragma == {"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1}


def test_postgresql_waits_for_the_disk_unless_told_otherwise(
    postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url("template"))
    # Twice each, because connections are used again.
    for durable, expected in ((True, "on"), (False, "off")) * 2:
        with write(durable=durable) as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == expected
    engine.dispose()


def test_a_database_of_another_kind_is_refused(environment: pytest.MonkeyPatch):
    environment.setenv("GWBROKER_DATABASE_URL", "mysql://user:hush@host/x")
    with pytest.raises(ConfigError, match="sqlite or postgresql") as caught, read():
        pass
    assert "hush" not in str(caught.value)


def test_a_postgresql_that_is_away_is_named_without_its_password(environment: pytest.MonkeyPatch):
    environment.setenv("GWBROKER_DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/x")
    with pytest.raises(LedgerUnavailable) as caught, read():
        pass
    assert "127.0.0.1" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_home_that_cannot_be_made_is_named_with_the_setting(
    environment: pytest.MonkeyPatch, tmp_path: Path,
):
    (tmp_path / "file").write_text("")
    environment.setenv("GWBROKER_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(LedgerUnavailable, match="set GWBROKER_HOME"), read():
        pass


def test_a_damaged_file_is_an_error_in_one_sentence(home: Path):
    (home / "ledger.sqlite").write_bytes(b"this is not a database" * 100)
    with pytest.raises(LedgerError, match="not a database"), read():
        pass


def test_a_ledger_locked_by_another_program_is_unavailable_and_says_so(
    sqlite: str, environment: pytest.MonkeyPatch,
):
    environment.setattr(engine, "_BUSY", 0.2)
    engine.dispose()
    with write(), pytest.raises(LedgerUnavailable, match="another program holds it"), write():
        pass


def migrate(version: str) -> None:
    """Bring the ledger to a version, as `schema.upgrade` brings it to the newest."""
    from alembic import command

    with engine.engine().connect() as connection:
        connection = connection.execution_options(gwbroker_write=True)
        with connection.begin():
            config = schema._config()
            config.attributes["connection"] = connection
            command.upgrade(config, version)


@pytest.mark.parametrize("version", ["0001", "0002"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_ledger_of_an_older_schema_with_data_is_upgraded_and_works(
    kind: str, version: str, home: Path, environment: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
):
    if kind == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        environment.setenv("GWBROKER_DATABASE_URL", server.url(server.fresh()))
        settings.cache_clear()
    migrate(version)
    first = Notice(b"1", "k", "t", 0, 7)
    with engine.engine().begin() as connection:
        for statement in (
            "INSERT INTO notices (id, source, topic, partition, \"offset\", digest, size, "
            "received, identifier) VALUES (1, 'k', 't', 0, 7, :digest, 1, 5.0, 'S1')",
            "INSERT INTO notices (id, source, topic, digest, size, received, duplicate_of) "
            "VALUES (2, 'vtp', 'voevent', :digest, 1, 6.0, 1)",
            "INSERT INTO payloads (notice_id, body) VALUES (1, :body)",
            "INSERT INTO jobs (notice_id, handler, queue, args, key, state, attempts, sends, "
            "created, due) VALUES (1, 'h', 'general', '[]', '1:h', 'pending', 0, 0, 5.0, 5.0)",
            "INSERT INTO events (name, kind, role, state, facts, flags, created, updated) "
            "VALUES ('S1', 'gw', 'real', 'open', '{}', '[]', 5.0, 5.0)",
            "INSERT INTO event_notices (event_id, notice_id, revision, alert) "
            "VALUES (1, 1, 1, 'initial')",
            "INSERT INTO streams (source, topic, count, bytes, last_received) "
            "VALUES ('k', 't', 1, 1, 5.0)",
        ):
            values = {"digest": first.digest, "body": first.payload}
            connection.execute(text(statement), {
                name: value for name, value in values.items() if f":{name}" in statement})
    if kind == "postgresql":
        with engine.engine().begin() as connection:
            connection.execute(text("SELECT setval('notices_id_seq', 2)"))
    engine.dispose()
    with pytest.raises(LedgerVersionError), read():
        pass
    schema.upgrade()
    with engine.engine().connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    with read() as connection:
        assert rows.load(connection, 2).payload == b"1"
        (job,) = job_rows.listing(connection)
    assert (job["priority"], job["replay"], job["state"]) == (0, None, "pending")
    again, fresh = accept([first, Notice(b"2", "k", "t", 0, 8)])
    assert (again.id, again.new, fresh.id) == (1, False, 3)
    with write() as connection:
        claim = job_rows.claim(connection, job["id"], "me")
        assert claim is not None
        assert claim.notice == rows.load(connection, 1)
    engine.dispose()


def test_copies_and_revisions_are_found_by_indexes_that_leave_out_all_others(sqlite: str):
    with write() as connection:
        rows.keep(connection, [Notice(b"1", topic="t")], ["a"])
        driver = connection.connection.driver_connection
        assert driver is not None
        for statement in (rows._BY_DIGEST, rows._BY_IDENTIFIER):
            text = statement._sizes[1]._texts["sqlite"]
            plan = [row[3] for row in driver.execute(
                f"EXPLAIN QUERY PLAN {text.text}", [None] * len(text.order or ()))]
            searches = sorted(line for line in plan if "notices" in line)
            assert searches == ([
                "SEARCH notices USING INDEX ix_notices_copies (digest=? AND offset=?)",
                "SEARCH notices USING INDEX ix_notices_digest (digest=?)",
            ] if statement is rows._BY_DIGEST else [
                "SEARCH notices USING COVERING INDEX ix_notices_identifier "
                "(identifier=? AND duplicate_of=?)"]), plan
