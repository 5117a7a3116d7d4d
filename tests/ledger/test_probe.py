"""Doctor tries to write to the ledger; looking for one neither makes nor harms it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from gwbroker.conf import settings
from gwbroker.errors import LedgerUnavailable
from gwbroker.health import Finding, Level, examine
from gwbroker.ledger import engine, probe
from gwbroker.ledger import notices as rows
from gwbroker.ledger.engine import read

from .test_unavailable import stopped_in_a_transaction

KEEP = """
import os, signal
from gwbroker import intake, jobs
from gwbroker.notice import Notice
jobs.stay_here()
for number in range(20):
    intake.accept([Notice(b"%d" % number, "kafka.local", "a.topic", 0, number)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def findings() -> dict[str, Finding]:
    """Return what doctor finds, by check."""
    return {finding.check: finding for finding in examine()}


def gwbroker(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "gwbroker", *words], capture_output=True,
                          text=True, check=False)


def test_a_ledger_that_can_be_written_is_well(ledger: str) -> None:
    for _ in range(2):
        probe.probe()
    found = findings()
    assert found["ledger"].level is Level.OK
    assert "can be written" in found["ledger"].text
    assert found["jobs"].level is Level.OK


def test_a_ledger_that_is_held_by_another_is_said_within_seconds_and_nothing_else_is_blamed(
    sqlite: str, environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GWBROKER_KAFKA__X__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    settings.cache_clear()
    with read():
        pass
    with stopped_in_a_transaction() as pid:
        began = time.monotonic()
        found = findings()
        assert time.monotonic() - began < 15
    assert found["ledger"].level is Level.CRITICAL
    assert f"process {pid}" in found["ledger"].text
    assert "wait for the ledger" in found["listeners"].text
    assert not {"beat", "kafka.x", "jobs"} & found.keys()


def test_doctor_makes_no_ledger_where_there_is_none(home: Path) -> None:
    found = findings()
    assert found["ledger"].level is Level.CRITICAL
    assert f"there is none at {home / 'ledger.sqlite'}" in found["ledger"].text
    assert not list(home.glob("ledger.sqlite*"))


def test_what_stands_in_the_log_of_a_ledger_that_was_moved_away_survives_every_command(
    sqlite: str, home: Path,
) -> None:
    engine.dispose()
    subprocess.run([sys.executable, "-c", KEEP], check=False, timeout=60)
    file, log = home / "ledger.sqlite", home / "ledger.sqlite-wal"
    content = log.read_bytes()
    assert content
    file.rename(home / "away")
    for words in (("doctor",), ("notices",), ("jobs",), ("streams",), ("ledger", "check"),
                  ("ledger", "upgrade")):
        done = gwbroker(*words)
        assert done.returncode, words
        assert "Traceback" not in done.stderr
        assert not file.exists(), words
        assert log.read_bytes() == content, words
    assert "was deleted or moved away" in gwbroker("notices").stderr
    with pytest.raises(LedgerUnavailable, match=r"remove ledger\.sqlite-wal"), read():
        pass
    (home / "away").rename(file)
    with read() as connection:
        assert len(rows.listing(connection)) == 20
