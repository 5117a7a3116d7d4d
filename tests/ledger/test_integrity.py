"""`gwbroker ledger check` finds what is wrong, names it, and says what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

from gwbroker.ledger import engine
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.integrity import Plan, Problem, examine
from gwbroker.ledger.models import jobs, notices, payloads, products
from gwbroker.ledger.pruning import prune

from .whole import OLD, write_whole

CUT = OLD.timestamp() + 1


def look(home: Path, sample: int | None = None) -> list[Problem]:
    """Return what is wrong."""
    return list(examine(Plan(home / "products", {"h"}, sample)))


@pytest.fixture
def whole(ledger: str, home: Path) -> Path:
    """A sound ledger; returns its home."""
    write_whole(home)
    with write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == 1).values(state="done"))
    return home


def unbound(ledger: str, statement: str) -> None:
    """Change the ledger as no program of ours can."""
    with write() as connection:
        if ledger.startswith("postgresql"):
            connection.execute(text("SET LOCAL session_replication_role TO replica"))
            connection.execute(text(statement))
            return
    engine.dispose()
    with contextlib.closing(sqlite3.connect(ledger.removeprefix("sqlite:///"))) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_sound_ledger_has_no_problems(whole: Path):
    assert look(whole) == []
    assert prune(CUT).notices == 3
    assert look(whole) == []
    assert look(whole, sample=2) == []


def test_bytes_that_are_not_those_that_arrived_are_found(whole: Path):
    with write() as connection:
        connection.execute(update(payloads).where(payloads.c.notice_id == 7).values(body=b"other"))
        connection.execute(delete(payloads).where(payloads.c.notice_id == 9))
    changed, missing = look(whole)
    assert (changed.check, missing.check) == ("payloads", "missing")
    assert changed.text.startswith("notice 7: its bytes are not those that arrived")
    assert missing.text.startswith("notice 9: its bytes are neither here nor in an archive")
    assert "backup" in changed.text
    assert "backup" in missing.text


def test_archives_that_are_gone_or_damaged_or_altered_are_found(whole: Path):
    prune(CUT)
    (file,) = (whole / "archive").rglob("*.gz")
    content = file.read_bytes()
    file.write_bytes(content[:-9])
    (problem,) = look(whole)
    assert str(file) in problem.text
    assert "damaged" in problem.text
    file.unlink()
    (problem,) = look(whole)
    assert problem.text == (f"archive {file}: No such file or directory: mount it, or restore it "
                            "from a backup")
    file.write_bytes(content)
    with write() as connection:
        connection.execute(update(notices).where(notices.c.id == 4).values(digest=b"0" * 32))
    assert [p.text.split(":")[0] for p in look(whole)] == ["notice 4"]


def test_products_that_are_gone_or_altered_are_found(whole: Path):
    file = whole / "products" / "000001-S1" / "map.fits"
    file.write_bytes(b"another map")
    (problem,) = look(whole)
    assert problem == Problem("products", f"product 1: the file {file} was altered: restore it, "
                              "or replay its notice")
    file.unlink()
    (problem,) = look(whole)
    assert "cannot be read (No such file or directory)" in problem.text
    with write() as connection:
        connection.execute(delete(products))
    assert look(whole) == []


def test_jobs_that_nobody_can_run_are_found(whole: Path):
    with write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == 1).values(handler="gone"))
    # It is done, so nobody has to.
    assert look(whole) == []
    with write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == 1).values(state="odd"))
        connection.execute(update(jobs).where(jobs.c.id == 2).values(handler="gone"))
    state, handler = look(whole)
    assert state.text.startswith("job 1: nothing is known of a state 'odd'")
    assert handler.text.startswith("job 2: 'gone', which 1 unfinished or dead jobs call, is not "
                                   "installed here")


def test_rows_that_refer_to_nothing_are_found(whole: Path, ledger: str):
    unbound(ledger, "UPDATE notices SET duplicate_of = 4711 WHERE id = 10")
    unbound(ledger, "UPDATE notices SET duplicate_of = 6 WHERE id = 11")
    found = [p.text for p in look(whole) if p.check == "links"]
    assert found[0].startswith("notices 10: its duplicate_of is 4711, which is not there")
    assert found[1].startswith("notices 11: it is said to be a duplicate of 6, which has other")


def test_many_problems_of_a_kind_are_not_all_told(whole: Path):
    with write() as connection:
        connection.execute(update(payloads).where(payloads.c.notice_id > 5).values(body=b"other"))
    found = look(whole)
    assert len(found) == 21
    assert found[-1].text == "there are more than 20 of these"


def test_a_sequence_that_is_behind_is_found(whole: Path, ledger: str):
    if not ledger.startswith("postgresql"):
        # SQLite has none that could be.
        assert look(whole) == []
        return
    with write() as connection:
        connection.execute(text("SELECT setval('jobs_id_seq', 1, false)"))
    (problem,) = look(whole)
    assert problem.text == ("table jobs: its next number is 1 and it has 2 already: "
                            "SELECT setval('public.jobs_id_seq', 2)")
    with write() as connection:
        connection.execute(text(problem.text.rpartition(": ")[2]))
    assert look(whole) == []


def test_a_damaged_page_of_sqlite_is_found(sqlite: str, home: Path):
    write_whole(home, 2000)
    engine.dispose()
    file = home / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_notices_digest'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(file.read_bytes())
    content[(page - 1) * size : page * size] = b"\xa5" * size
    file.write_bytes(content)
    found = look(home)
    assert found[0].check == "structure"
    assert "put a backup in its place" in found[0].text


def test_to_look_changes_nothing_and_needs_no_lock(whole: Path):
    with write() as connection:
        connection.execute(update(jobs).values(attempts=5))
        assert look(whole) == []
    with read() as connection:
        assert connection.execute(text("SELECT max(attempts) FROM jobs")).scalar() == 5
