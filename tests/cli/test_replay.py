"""Recorded messages through the whole broker, in one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


def gwbroker(home: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "gwbroker", *args], capture_output=True, text=True, timeout=200,
        env={**os.environ, "GWBROKER_HOME": str(home)}, cwd=home)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def replay(home: Path, *args: str, check: bool = True) -> list[dict[str, Any]]:
    return json.loads(gwbroker(home, "replay", "--here", "--json", *args, check=check).stdout)


def test_every_recorded_message_ends_at_an_event_or_at_a_clear_reason(home: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("the recorded messages are not beside this checkout")
    results = replay(home, str(DATA))
    assert len(results) >= 30
    without = {}
    for result in results:
        assert result["ok"], result
        if not result.get("events"):
            without[Path(result["file"]).name] = result["result"]
    # Not messages, and messages that are about nothing in the sky.
    assert set(without) == {
        "README.md", "localization_GW190814.parquet", "heasarc.archive_alert.example.json",
        "circulars.example.json"}
    assert "not a message" in without["README.md"]
    assert "opened no event" in without["circulars.example.json"]
    events = {e["name"]: e for e in json.loads(gwbroker(home, "events", "--json").stdout)}
    mock = events["MS260605l"]
    assert (mock["role"], mock["state"], len(mock["notices"])) == ("mock", "retracted", 2)
    # It is retracted by then, and nothing is drawn for what is.
    assert {p["kind"] for p in mock["products"]} == {"skymap", "summary"}
    assert "allsky" in {p["kind"] for p in events["Swift 1125809"]["products"]}
    assert all(Path(p["path"]).is_file() for e in events.values() for p in e["products"])
    assert len(events["Fermi 745121685"]["notices"]) == 3


def test_a_second_replay_is_recognised_and_does_nothing(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "heartbeat.json"
    file.write_text('{"alert_datetime": "2026-01-01T00:00:00Z"}')
    first = replay(home, "--topic", "gcn.heartbeat", str(file))
    second = replay(home, "--topic", "gcn.heartbeat", str(file))
    assert "duplicate of 1" in second[0]["result"]
    assert [job["id"] for job in second[0]["jobs"]] == [job["id"] for job in first[0]["jobs"]]


def test_a_file_that_is_no_message_is_named(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n")
    result = gwbroker(home, "replay", "--here", str(file), check=False)
    assert result.returncode == 1
    assert "not a message" in result.stdout


def test_a_malformed_message_is_kept_and_its_job_says_what_is_wrong(
    home: Path, tmp_path: Path,
) -> None:
    file = tmp_path / "alert.json"
    file.write_bytes(b'{"superevent_id": "S1", "alert_type": "PREL')
    result = replay(home, str(file), check=False)[0]
    assert "is dead: payload: not JSON" in result["result"]
    number = str(result["notice"])
    assert gwbroker(home, "notices", "show", number).stdout.encode() == file.read_bytes()


def test_without_workers_the_jobs_wait(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "heartbeat.json"
    file.write_text('{"alert_datetime": "2026-01-01T00:00:00Z"}')
    result = gwbroker(home, "replay", "--wait", "0", "--topic", "gcn.heartbeat", str(file))
    assert "is `gwbroker up` running?" in result.stdout
