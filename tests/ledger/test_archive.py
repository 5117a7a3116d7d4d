"""Old notices leave the ledger for the archive; nothing is lost on the way, whatever happens."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from gwbroker.errors import LedgerError, NotFound
from gwbroker.intake import accept
from gwbroker.ledger import archive, events, pruning
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Draft
from gwbroker.ledger.models import STATES, jobs, notices, payloads
from gwbroker.ledger.notices import Kept
from gwbroker.ledger.pruning import Pruned, prune
from gwbroker.notice import Notice

pytestmark = pytest.mark.usefixtures("ledger")
OLD = datetime(2026, 1, 31, 12, tzinfo=UTC)
NEW = datetime(2026, 6, 1, tzinfo=UTC)
CUT = datetime(2026, 5, 1, tzinfo=UTC).timestamp()


def keep(*arrived: Notice) -> list[Kept]:
    """Keep notices."""
    with write() as connection:
        return rows.keep(connection, arrived, [None] * len(arrived))


def old(number: int, payload: bytes | None = None) -> Notice:
    """Return a notice that arrived long ago."""
    return Notice(b'{"number": %d}' % number if payload is None else payload, "kafka.local",
                  "a.topic", 0, number, received=OLD, headers=(("_id", b"\xff\x01"),))


def load(number: int) -> Notice:
    """Return a notice from the ledger."""
    with read() as connection:
        return rows.load(connection, number)


def count(what: object) -> int:
    """Return how many rows a table has."""
    with read() as connection:
        return int(connection.execute(
            select(func.count()).select_from(what)).scalar_one())  # type: ignore[arg-type]


def add_job(notice: int, state: str) -> None:
    """Write a job in some state."""
    with write() as connection:
        (job,) = job_rows.add(connection, [Draft("h", "general", notice)])
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(state=state))


def files(home: Path) -> list[Path]:
    """Return every file of the archive but its lock."""
    return sorted(f for f in (home / "archive").rglob("*") if f.is_file() and f.name != ".lock")


def test_the_bytes_of_old_notices_come_back_from_the_archive_as_they_came(home: Path):
    bodies = [b"", b"\xff\x00\xfe", '{"\N{GREEK SMALL LETTER ALPHA}": "\r\n\x00"}'.encode(),
              os.urandom(70_000)]
    kept = keep(*(old(n, body) for n, body in enumerate(bodies)),
                Notice(b"new", "kafka.local", "a.topic", 0, 99, received=NEW))
    add_job(kept[0].id, "done")
    add_job(kept[4].id, "done")
    before = [load(k.id) for k in kept]
    assert prune(CUT, dry_run=True) == Pruned(4, sum(map(len, bodies)), 1)
    assert count(payloads) == 5
    assert prune(CUT) == Pruned(4, sum(map(len, bodies)), 1, 1)
    assert [load(k.id) for k in kept] == before
    assert (count(payloads), count(notices), count(jobs)) == (1, 5, 1)
    (file,) = files(home)
    assert file.parent == home / "archive" / "2026" / "01"
    assert gzip.decompress(file.read_bytes()).count(b"\n") == 4
    assert prune(CUT) == Pruned()


def test_what_has_unfinished_or_dead_jobs_stays_whole():
    kept = keep(*(old(n) for n in range(6)))
    for one, state in zip(kept, STATES, strict=True):
        add_job(one.id, state)
        add_job(one.id, "done")
    assert prune(CUT) == Pruned(1, 13, 2, 1)
    assert (count(payloads), count(jobs)) == (5, 10)


def test_a_copy_of_an_archived_notice_is_recognised_and_adds_no_job(handlers):
    handlers("from gwbroker.streams import kafka\n"
             "@kafka.handler('a.topic', 'b.topic')\ndef on(notice): pass\n")
    (first,) = accept([old(1)])
    with write() as connection:
        connection.execute(update(jobs).values(state="done"))
    assert prune(CUT).jobs == 1
    again, copy = accept([old(1), replace(old(1), topic="b.topic", received=NEW)])
    assert again == Kept(first.id, first.id, new=False)
    assert (copy.root, copy.new) == (first.id, False)
    assert count(jobs) == 0
    assert load(copy.id).payload == old(1).payload
    assert load(copy.id).topic == "b.topic"


def test_a_large_notice_has_an_archive_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pruning, "SIZE", 1000)
    kept = keep(*(old(n, bytes([65 + n]) * size) for n, size in enumerate((400, 400, 5000, 1))))
    assert prune(CUT) == Pruned(4, 5801, 0, 3)
    assert [len(load(k.id).payload) for k in kept] == [400, 400, 5000, 1]
    assert len(files(home)) == 3


def test_a_missing_archive_is_named_and_so_is_a_damaged_one(home: Path):
    kept = keep(old(1), old(2))
    prune(CUT)
    (file,) = files(home)
    content = file.read_bytes()
    for damaged in (content[:-20], b"", content[:30] + b"\0\0\0" + content[33:],
                    gzip.compress(gzip.decompress(content).replace(b"number", b"numbed"))):
        file.write_bytes(damaged)
        with pytest.raises(LedgerError, match=r"archive .*jsonl\.gz"):
            load(kept[0].id)
    file.unlink()
    with pytest.raises(NotFound, match=f"{file}.*restore it from a backup"):
        load(kept[0].id)
    file.write_bytes(content)
    assert load(kept[0].id).payload == old(1).payload


def test_an_archive_outside_of_its_folder_is_refused():
    (kept,) = keep(old(1))
    prune(CUT)
    with write() as connection:
        connection.execute(update(notices).values(archive="../../etc/passwd"))
    with pytest.raises(LedgerError, match="cannot be called"):
        load(kept.id)


def test_rows_are_forgotten_later_unless_something_refers_to_them():
    kept = keep(*(old(n) for n in range(5)))
    copies = keep(replace(old(0), topic="copy"), replace(old(1), topic="copy", received=NEW))
    with write() as connection:
        number, _ = events.find_or_open(connection, ["x"], name="x", kind="grb", role="real",
                                        state="open")
        events.link(connection, number, kept[2].id, "initial", None)
    add_job(kept[3].id, "dead")
    keep(Notice(b"newest", "kafka.local", "a.topic", 0, 9, received=NEW))
    done = prune(CUT, CUT)
    # Gone are the first with its copy, and the last.
    assert (done.notices, done.forgotten) == (4, 3)
    with read() as connection:
        left = [row["id"] for row in rows.listing(connection)]
    assert left == [kept[1].id, kept[2].id, kept[3].id, copies[1].id, copies[1].id + 1]
    (again,) = keep(old(0))
    assert again.first
    assert again.id > copies[1].id + 1


KILLED = """
import os, signal
from gwbroker.ledger import archive, pruning
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
real = {place}
left = [2]
def wrapper(*arguments, **options):
    left[0] -= 1
    if left[0] == 0:
        {when}
    return real(*arguments, **options)
{place} = wrapper
pruning.ROWS = 10
pruning.prune({cut})
"""


@pytest.mark.parametrize(("place", "when"), [
    ("archive.os.replace", "die()"),
    ("archive.os.replace", "real(*arguments); die()"),
    ("pruning._drop", "die()"),
    ("pruning.delete", "die()"),
    ("pruning._drop", "real(*arguments); die()"),
], ids=["before the file has its name", "before the folder is safe", "before the transaction",
        "in the transaction", "after the commit"])
def test_a_run_that_is_killed_loses_nothing_and_the_next_goes_on(
    home: Path, place: str, when: str,
):
    arrived = [old(n) for n in range(35)]
    kept = keep(*arrived)
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(place=place, when=when, cut=CUT)],
        env=dict(os.environ), cwd=Path(__file__).parents[2], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [load(k.id).payload for k in kept] == [n.payload for n in arrived]
    assert 0 < count(payloads) <= 35
    _prune_soon()
    assert count(payloads) == 0
    assert [load(k.id).payload for k in kept] == [n.payload for n in arrived]
    assert [f for f in files(home) if f.name.startswith(".")] == []


def _prune_soon() -> None:
    """Prune as soon as the server has noticed that the other run is gone."""
    deadline = time.monotonic() + 10
    while True:
        try:
            prune(CUT)
            return
        except LedgerError:
            if time.monotonic() > deadline:
                raise


def test_only_one_run_at_a_time_prunes():
    keep(old(1))
    with pruning.alone():
        done = subprocess.run(
            [sys.executable, "-m", "gwbroker", "ledger", "prune", "--older-than", "30d"],
            env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "another `gwbroker ledger prune` runs" in done.stderr
    assert prune(CUT).notices == 1


def test_a_notice_that_is_wanted_again_while_it_is_archived_keeps_its_bytes(
    monkeypatch: pytest.MonkeyPatch,
):
    kept = keep(old(1), old(2))
    drop = pruning._drop

    def wanted_now(entries: list[archive.Entry], name: str) -> Pruned:
        add_job(kept[0].id, "sent")
        return drop(entries, name)

    monkeypatch.setattr(pruning, "_drop", wanted_now)
    assert prune(CUT).notices == 1
    assert count(payloads) == 1


def test_nothing_is_deleted_when_the_archive_cannot_be_written(home: Path):
    keep(old(1))
    (home / "archive").mkdir()
    (home / "archive" / "2026").write_text("in the way")
    with pytest.raises(LedgerError, match="Nothing was deleted"):
        prune(CUT)
    assert count(payloads) == 1


def test_nothing_is_deleted_when_the_disk_of_the_archive_is_full(home: Path):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    (home / "archive").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(home / "archive")],
        capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        (kept,) = keep(old(1, os.urandom(100_000)))
        with pytest.raises(LedgerError, match="No space left on device; make room"):
            prune(CUT)
        assert files(home) == []
    finally:
        subprocess.run(["umount", "-l", str(home / "archive")], check=True)
    assert (count(payloads), len(load(kept.id).payload)) == (1, 100_000)


def test_what_arrives_meanwhile_is_hardly_held_up(monkeypatch: pytest.MonkeyPatch):
    keep(*(old(n, b"%06d" % n * 300) for n in range(1000)))
    monkeypatch.setattr(pruning, "ROWS", 100)
    worst, numbers, stop = [0.0], iter(range(10_000, 100_000)), threading.Event()

    def arrive() -> None:
        while not stop.is_set():
            began = time.perf_counter()
            accept([Notice(b"%d" % next(numbers), "kafka.local", "live", 0)])
            worst[0] = max(worst[0], time.perf_counter() - began)

    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        assert prune(CUT).notices == 1000
    finally:
        stop.set()
        thread.join()
    # Far less than a listener waits for its turn; usually it is some milliseconds.
    assert worst[0] < 15.0

def test_a_job_whose_notice_is_in_a_lost_archive_dies_and_says_which(home: Path):
    keep(old(1))
    prune(CUT)
    add_job(1, "pending")
    for file in files(home):
        file.unlink()
    number = 1
    with write() as connection:
        assert job_rows.claim(connection, number, "here") is None
    with read() as connection:
        (job,) = job_rows.listing(connection)
    assert job["state"] == "dead"
    assert "archive" in job["error"]
