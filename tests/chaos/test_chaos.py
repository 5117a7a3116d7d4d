"""The chaos run in its short form; `make chaos` runs the long one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ..conftest import absent
from ..kafka_jars import jars, java
from ..servers import Absent, PostgreSQL, poll

ROOT = Path(__file__).resolve().parents[2]
LAST = re.compile(r"chaos: (\d+) notices, (\d+) faults, 0 lost, 0 twice, seed \d+")


@pytest.fixture(scope="module", autouse=True)
def _servers() -> None:
    try:
        java(), jars(), PostgreSQL()
    except Absent as e:
        absent(str(e))


def chaos(*arguments: str) -> list[str]:
    """Begin a run's command line."""
    return [sys.executable, "-m", "tests.chaos", *arguments]


def outside() -> dict[str, str]:
    """Return the environment without the settings of the tests."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GWBROKER_")}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_done_twice_while_everything_is_killed_cut_and_filled(tmp_path: Path):
    report = tmp_path / "report.json"
    done = subprocess.run(
        chaos("--minutes", "2", "--rate", "30", "--faults-per-minute", "15",
              "--json", str(report)),
        cwd=ROOT, env=outside(), capture_output=True, text=True, timeout=540)
    print(done.stdout[-6000:], done.stderr[-3000:])
    assert done.returncode == 0
    last = LAST.fullmatch(done.stdout.splitlines()[-1])
    assert last is not None
    assert int(last[1]) >= 2500
    assert int(last[2]) >= 15
    findings = json.loads(report.read_text())["findings"]
    assert findings["disorder"] == findings["other"] == 0


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_nothing_behind():
    # A folder of its own, by which its processes are known; short, for the sockets in it.
    with tempfile.TemporaryDirectory(prefix="gwc-", dir="/tmp") as folder:
        os.chmod(folder, 0o711)
        run = subprocess.Popen(
            chaos("--minutes", "5"), cwd=ROOT, env=outside() | {"TMPDIR": folder},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            poll(lambda: any("gwbroker worker" in line for line in mentioning(folder)), 60,
                 "its workers run")
        finally:
            run.kill()
            run.wait(10)
        poll(lambda: not mentioning(folder), 20, "nothing of it runs")


def mentioning(word: str) -> list[str]:
    """Return the command lines and environments that mention a word."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = b" ".join((place / name).read_bytes() for name in ("cmdline", "environ"))
            said = text.replace(b"\0", b" ").decode(errors="replace")
            if word in said:
                found.append(f"{place.name} {said}")
    return found
