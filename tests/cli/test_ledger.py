"""``gwbroker ledger``: check, prune, export, import and backup, as they are typed."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from gwbroker import dispatch
from gwbroker.cli import gwbroker as commands
from gwbroker.conf import settings
from gwbroker.intake import accept
from gwbroker.ledger import engine
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.models import jobs, payloads
from gwbroker.notice import Notice

from ..ledger.whole import BODIES, content, write_whole
from ..servers import GWBROKER, PostgreSQL, poll

pytestmark = pytest.mark.usefixtures("sqlite")


def gwbroker(*arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command in this process, which is quick; see `test_an_export_goes_through_a_pipe`."""
    result = CliRunner().invoke(commands, arguments, input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(
        arguments, result.exit_code, result.stdout_bytes, result.stderr_bytes)


def typed(*arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    return subprocess.run([*GWBROKER, *arguments], input=given, capture_output=True,
                          env=dict(os.environ), timeout=60, check=False)


def said(done: subprocess.CompletedProcess[bytes], code: int = 0) -> str:
    """Return what a command wrote, after looking at its exit code."""
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return (done.stdout if code == 0 else done.stdout + done.stderr).decode()


@pytest.fixture
def whole(home: Path) -> Path:
    """A ledger with something of everything; returns its home."""
    write_whole(home)
    with write() as connection:
        connection.execute(update(jobs).values(state="done"))
    engine.dispose()
    return home


def test_check_says_that_all_is_well_or_names_what_is_not(whole: Path):
    assert said(gwbroker("ledger", "check")) == "The ledger is sound.\n"
    with write() as connection:
        connection.execute(update(payloads).where(payloads.c.notice_id == 3).values(body=b"?"))
    text = said(gwbroker("ledger", "check"), 1)
    assert text.startswith("payloads: notice 3: its bytes are not those that arrived")
    assert text.count("\n") == 1
    found = json.loads(gwbroker("ledger", "check", "--json", "--sample", "100").stdout)
    assert found["ok"] is False
    assert [p["check"] for p in found["problems"]] == ["payloads"]


def test_a_damaged_ledger_is_a_problem_and_not_a_traceback(whole: Path):
    for log in whole.glob("ledger.sqlite-*"):
        log.unlink()
    (whole / "ledger.sqlite").write_bytes(b"no database" * 1000)
    assert "put a backup in its place" in said(gwbroker("ledger", "check"), 1)
    found = json.loads(gwbroker("ledger", "check", "--json").stdout)
    assert found["problems"][0]["check"] == "ledger"
    assert "put a backup in its place" in typed("doctor").stdout.decode()


def test_pruned_notices_are_shown_from_the_archive(whole: Path):
    would = json.loads(said(gwbroker("ledger", "prune", "--older-than", "90d", "--dry-run",
                                     "--json")))
    assert (would["notices"], would["jobs"], would["dry_run"]) == (4, 2, True)
    assert not (whole / "archive").exists()
    done = json.loads(said(gwbroker("ledger", "prune", "--older-than", "90d", "--json")))
    assert done == {**would, "dry_run": False, "files": 1}
    for number, body in enumerate(BODIES, 1):
        assert gwbroker("notices", "show", str(number)).stdout == body
    assert said(gwbroker("notices")).count(" archived") == 4
    assert "revision of 1, archived" in said(gwbroker("notices"))
    (file,) = (whole / "archive").rglob("*.gz")
    file.rename(whole / "moved")
    text = said(gwbroker("notices", "show", "1"), 1)
    assert str(file) in text
    assert "restore it from a backup" in text


def test_a_vacuum_makes_the_file_smaller(home: Path):
    with write() as connection:
        from gwbroker.ledger import notices

        notices.keep(connection, [Notice(os.urandom(100_000), "k", "t", 0, n) for n in range(30)],
                     [None] * 30)
    file = home / "ledger.sqlite"
    said(gwbroker("ledger", "prune", "--older-than", "0h", "--vacuum"))
    assert file.stat().st_size < 1_000_000


@pytest.mark.parametrize(("arguments", "message"), [
    (("prune",), "Missing option '--older-than'"),
    (("prune", "--older-than", "soon"), "write it as 12h, 90d, 8w or 2y"),
    (("prune", "--older-than", "90d", "--forget-after", "1d"), "must be at least --older-than"),
    (("check", "--sample", "0"), "--sample"),
    (("check", "--sample", "9" * 20), "--sample"),
])
def test_wrong_usage_is_explained(arguments: tuple[str, ...], message: str):
    assert message in said(gwbroker("ledger", *arguments), 2)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_export_goes_into_another_ledger(
    whole: Path, tmp_path: Path, environment: pytest.MonkeyPatch, suffix: str,
):
    before = content()
    file = tmp_path / f"ledger.jsonl{suffix}"
    said(gwbroker("ledger", "export", str(file)))
    assert file.stat().st_mode & 0o777 == 0o600
    text = gzip.decompress(file.read_bytes()) if suffix else file.read_bytes()
    assert text.count(b"\n") == 2 + sum(map(len, before.values()))
    assert "exists" in said(gwbroker("ledger", "export", str(file)), 1)
    assert "is not empty" in said(gwbroker("ledger", "import", str(file)), 1)
    environment.setenv("GWBROKER_HOME", str(tmp_path / "other"))
    settings.cache_clear()
    engine.dispose()
    cut = tmp_path / f"cut.jsonl{suffix}"
    cut.write_bytes(file.read_bytes()[:-50])
    assert "Nothing was imported" in said(gwbroker("ledger", "import", str(cut)), 1)
    said(gwbroker("ledger", "import", str(file)))
    assert content() == before


def test_an_export_goes_through_a_pipe(
    whole: Path, tmp_path: Path, environment: pytest.MonkeyPatch,
):
    before = content()
    exported = typed("ledger", "export", "-")
    said(exported)
    environment.setenv("GWBROKER_HOME", str(tmp_path / "other"))
    settings.cache_clear()
    engine.dispose()
    said(typed("ledger", "import", "-", given=exported.stdout))
    assert content() == before


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path):
    missing = str(tmp_path / "none" / "x.gz")
    for command in ("export", "import"):
        text = said(gwbroker("ledger", command, missing), 1)
        assert f"{missing}: No such file or directory" in text


def test_a_backup_made_while_notices_arrive_is_whole(home: Path, tmp_path: Path):
    kept, stop = [0], threading.Event()

    def arrive() -> None:
        while not stop.is_set():
            accept([Notice(b"%d" % kept[0] * 99, "kafka.local", "a.topic", 0, kept[0])])
            kept[0] += 1

    # The first notice imports all handlers, which takes longer than a backup.
    dispatch.load()
    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        poll(lambda: kept[0] > 20, 60, "notices arrive")
        before = kept[0]
        made = json.loads(said(gwbroker("ledger", "backup", str(tmp_path / "b"), "--json")))
        after = kept[0]
        poll(lambda: kept[0] > after, 60, "they go on to arrive")
    finally:
        stop.set()
        thread.join()
    assert before <= made["notices"] <= after + 1
    assert [f.name for f in tmp_path.glob("b*")] == ["b"]
    assert "exists already" in said(gwbroker("ledger", "backup", str(tmp_path / "b")), 1)
    # Restored as the page says: it is sound, and goes on.
    engine.dispose()
    for left in home.glob("ledger.sqlite*"):
        left.unlink()
    (tmp_path / "b").rename(home / "ledger.sqlite")
    said(gwbroker("ledger", "check"))
    (again,) = accept([Notice(b"0" * 99, "kafka.local", "a.topic", 0, 0)])
    assert (again.id, again.new) == (1, False)


def test_a_backup_goes_to_a_file_system_without_links_as_well(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    said(gwbroker("ledger", "backup", str(tmp_path / "copy.sqlite")))
    assert "exists already" in said(gwbroker("ledger", "backup", str(tmp_path / "copy.sqlite")), 1)
    assert [file.name for file in tmp_path.glob("*copy*")] == ["copy.sqlite"]


def test_the_disk_of_a_backup_is_named(whole: Path, tmp_path: Path):
    text = said(gwbroker("ledger", "backup", str(tmp_path / "none" / "b")), 1)
    assert "cannot be written: No such file or directory" in text


def test_postgresql_is_backed_up_and_restored_by_its_own_programs(
    home: Path, tmp_path: Path, postgresql: PostgreSQL, environment: pytest.MonkeyPatch,
):
    programs = postgresql._install / "bin"
    old, new = postgresql.fresh("template"), postgresql.fresh()
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url(old))
    settings.cache_clear()
    engine.dispose()
    write_whole(home)
    before = content()
    assert "pg_dump --format=custom" in said(gwbroker("ledger", "backup", str(tmp_path / "x")), 1)
    dump = tmp_path / "dump"
    subprocess.run([programs / "pg_dump", "--format=custom", "--file", dump,
                    postgresql.url(old)], check=True, timeout=60)
    subprocess.run([programs / "pg_restore", "--no-owner", "--exit-on-error", "--dbname",
                    postgresql.url(new), dump], check=True, timeout=60)
    environment.setenv("GWBROKER_DATABASE_URL", postgresql.url(new))
    settings.cache_clear()
    engine.dispose()
    assert content() == before
    (kept,) = accept([Notice(b"next", "kafka.local", "a.topic", 0, 99)])
    assert kept.id == len(before["notices"]) + 1
    with read() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    engine.dispose()
    for name in (old, new):
        postgresql.drop(name)
