"""A ledger that is full, locked, stopped, damaged or gone says so, and keeps what it promised."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gwbroker.errors import LedgerError, LedgerUnavailable
from gwbroker.health import Level, examine
from gwbroker.intake import accept
from gwbroker.ledger import engine
from gwbroker.ledger import notices as rows
from gwbroker.ledger.engine import read, write
from gwbroker.notice import Notice

from ..servers import PATIENCE, poll

HOLD = """
import sys, time
from gwbroker.ledger.engine import LOCK_INTAKE, lock, write
from gwbroker.ledger.models import streams
with write() as connection:
    lock(connection, LOCK_INTAKE)
    connection.execute(streams.insert().values(
        source="stopped", topic="t", count=1, bytes=1, last_received=0.0))
    print("holding", flush=True)
    sys.stdin.read()
"""


def notice(number: int) -> Notice:
    """Return a notice of its own."""
    return Notice(b"%d" % number, "kafka.local", "a.topic", 0, number)


def count() -> int:
    """Return how many notices are kept."""
    with read() as connection:
        return len(rows.listing(connection, limit=1_000_000))


def forget_connections(environment: pytest.MonkeyPatch, busy: float = 0.3) -> None:
    """Open the ledger anew, with little patience for others."""
    environment.setattr(engine, "_BUSY", busy)
    engine.dispose()


@contextlib.contextmanager
def stopped_in_a_transaction() -> Iterator[int]:
    """Run a process that is stopped in the middle of a transaction; yields its pid."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, env=dict(os.environ),
                          cwd=Path(__file__).parents[2]) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "holding\n"
            process.send_signal(signal.SIGSTOP)
            yield process.pid
        finally:
            process.kill()


def test_a_stopped_writer_of_postgresql_holds_others_up_for_seconds_only(
    ledger: str, environment: pytest.MonkeyPatch,
):
    if not ledger.startswith("postgresql"):
        forget_connections(environment)
        with stopped_in_a_transaction() as pid:
            with pytest.raises(LedgerUnavailable) as caught:
                accept([notice(1)])
            assert f"process {pid} " in str(caught.value)
            assert f"`kill -CONT {pid}`" in str(caught.value)
            os.kill(pid, signal.SIGKILL)
            poll(lambda: _accepts(notice(1)), 10, "the next notice is kept")
    else:
        with stopped_in_a_transaction():
            began = time.monotonic()
            accept([notice(1)])
            assert time.monotonic() - began < 15 * PATIENCE
    assert count() == 1
    with read() as connection:
        assert not connection.execute(
            text("SELECT 1 FROM streams WHERE source = 'stopped'")).first()


def _accepts(one: Notice) -> bool:
    with contextlib.suppress(LedgerUnavailable):
        accept([one])
        return True
    return False


def test_a_ledger_deleted_under_a_process_is_noticed_and_its_return_too(sqlite: str, home: Path):
    accept([notice(1)])
    file = home / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(home / "copy"),))
    for left in home.glob("ledger.sqlite*"):
        left.unlink()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match="was deleted or moved away"):
            accept([notice(2)])
        with pytest.raises(LedgerUnavailable, match="was deleted or moved away"):
            count()
    assert not file.exists()
    (home / "copy").rename(file)
    accept([notice(2)])
    assert count() == 2


def test_a_ledger_deleted_in_the_middle_of_a_transaction_acknowledges_nothing(
    sqlite: str, home: Path,
):

    def keep_without_a_file() -> None:
        with write() as connection:
            rows.keep(connection, [notice(1)], [None])
            (home / "ledger.sqlite").unlink()

    with pytest.raises(LedgerUnavailable, match="was deleted"):
        keep_without_a_file()


def test_a_ledger_that_cannot_be_written_is_unavailable(
    sqlite: str, home: Path, environment: pytest.MonkeyPatch,
):
    environment.setenv("GWBROKER_DATABASE_URL",
                       f"sqlite:///file:{home / 'ledger.sqlite'}?mode=ro&uri=true")
    from gwbroker.conf import settings

    settings.cache_clear()
    with pytest.raises(LedgerUnavailable, match="mend the permissions or the mount"):
        accept([notice(1)])


def test_a_folder_in_the_place_of_the_ledger_is_unavailable(home: Path):
    (home / "ledger.sqlite").mkdir()
    with pytest.raises(LedgerUnavailable, match="set GWBROKER_HOME"):
        accept([notice(1)])
    (finding,) = [f for f in examine() if f.check == "ledger"]
    assert finding.level is Level.CRITICAL
    assert "set GWBROKER_HOME" in finding.text


def test_a_damaged_page_is_an_error_that_names_the_backup(sqlite: str, home: Path):
    accept([notice(n) for n in range(300)])
    engine.dispose()
    file = home / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(LedgerError, match="put a backup in its place") as caught:
        count()
    assert not isinstance(caught.value, LedgerUnavailable)


def test_a_process_that_uses_all_its_connections_is_told_so(
    sqlite: str, environment: pytest.MonkeyPatch,
):
    forget_connections(environment, 0.1)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(read())
        with pytest.raises(LedgerUnavailable, match="all connections of this process"):
            stack.enter_context(read())


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """A home of 3 MiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(home)],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield home
    finally:
        engine.dispose()
        subprocess.run(["umount", "-l", str(home)], check=True)


def fill(one: Callable[[int], Notice]) -> int:
    """Keep notices until there is no room; return how many were kept."""
    for number in range(1000):
        try:
            accept([one(number)])
        except LedgerUnavailable:
            return number
    raise AssertionError("the disk is not small")


def test_a_full_disk_is_unavailable_and_what_was_acknowledged_is_there(small_disk: Path):
    def large(number: int) -> Notice:
        return Notice(os.urandom(50_000), "kafka.local", "a.topic", 0, number)

    assert count() == 0
    kept = fill(large)
    assert 5 < kept == count()
    with pytest.raises(LedgerUnavailable, match="make room"):
        accept([large(-1)])
    # A little may still fit; that it is little is what doctor says.
    assert any(f.level is Level.CRITICAL and "0.0 GiB free" in f.text for f in examine())
    engine.dispose()
    with contextlib.closing(sqlite3.connect(small_disk / "ledger.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    accept([large(-1)])
    assert count() == kept + 1
