"""``gwbroker condor submit`` against what HTCondor's commands were recorded to do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from .condor_pool import install, submit


@pytest.fixture
def pool(environment, home, tmp_path):
    """A pool on PATH, and settings that suit one."""
    return install(environment, tmp_path / "pool")


def test_submit_sends_one_description_and_remembers_the_cluster(pool, home):
    pool.plays("q_nothing", "submit")
    done = submit("--openmp-workers", "2", "--openmp-cpus", "8")
    assert done.exit_code == 0, done.output
    assert "Submitted 6 processes as cluster 10" in done.output
    assert pool.calls("condor_submit") == [["-terse", "-single-cluster", "-"]]
    text = pool.stdin("condor_submit")
    assert f"gwbroker = {sys.executable}\n" in text
    assert f"home = {home}\n" in text
    assert "  openmp-2, 8, " in text
    record = json.loads((home / "condor.json").read_text())
    assert record["cluster"] == 10
    assert Path(record["log_dir"]).is_dir()


def test_what_is_submitted_is_what_dry_run_prints(pool):
    pool.plays("q_nothing", "submit")
    printed = submit("--dry-run", "--log-dir", "logs")
    assert printed.exit_code == 0, printed.output
    assert pool.calls("condor_q") == pool.calls("condor_submit") == []
    assert not Path("logs").exists()
    assert submit("--log-dir", "logs").exit_code == 0
    assert pool.stdin("condor_submit") == printed.stdout
    assert f"log_dir = {Path('logs').absolute()}\n" in printed.stdout


def test_dry_run_needs_no_htcondor(pool):
    assert submit("--dry-run").exit_code == 0


def test_the_settings_in_force_travel_under_absolute_paths(pool, home, environment):
    Path("gwbroker.toml").write_text('handlers = ["somewhere"]\n')
    environment.setenv("GWBROKER_HOME", os.path.relpath(home))
    pool.plays("q_nothing", "submit")
    assert submit().exit_code == 0
    travelled = pool.environment("condor_submit")
    assert travelled["GWBROKER_CONFIG"] == str(Path("gwbroker.toml").absolute())
    assert Path(travelled["GWBROKER_HOME"]).is_absolute()
    assert travelled["GWBROKER_BROKER_URL"] == "redis://redis.example:6379/0"


def test_a_second_submit_is_refused_while_one_is_in_the_queue(pool):
    pool.plays("q_running", "submit")
    refused = submit()
    assert refused.exit_code == 1
    assert "cluster 10 of this home is in the queue already (5 processes)" in refused.output
    assert pool.calls("condor_submit") == []
    assert submit("--force").exit_code == 0
    assert len(pool.calls("condor_submit")) == 1


def test_a_deployment_that_is_still_stopping_counts_as_running(pool):
    pool.plays("q_stopping", "submit")
    assert submit().exit_code == 1
    assert pool.calls("condor_submit") == []


def test_a_lost_record_does_not_hide_a_running_deployment(pool, home):
    pool.plays("q_nothing", "submit", "q_running")
    assert submit().exit_code == 0
    (home / "condor.json").unlink()
    assert submit().exit_code == 1


def test_a_description_that_htcondor_refuses_is_reported_in_its_words(pool, home):
    pool.plays("q_nothing", "submit_refused")
    refused = submit("--append", "requirements = (")
    assert refused.exit_code == 1
    assert "condor_submit failed: Parse error in expression: Requirements = (()" in refused.output
    assert not (home / "condor.json").exists()


@pytest.mark.parametrize("line", ["queue 5", "nonsense", "a = 1\nqueue"])
def test_a_line_to_append_must_be_one_command(pool, line):
    refused = submit("--append", line)
    assert refused.exit_code == 2
    assert "key = value" in refused.output


def test_a_secret_in_the_environment_stops_the_submit(pool, environment):
    environment.setenv(
        "GWBROKER_KAFKA",
        '{"gcn": {"preset": "gcn", "client_id": "i", "client_secret": "hunter2"}}')
    refused = submit()
    assert refused.exit_code == 2
    assert "GWBROKER_KAFKA: a job's environment can be read by everybody" in refused.output
    assert "hunter2" not in refused.output


def test_a_broker_must_be_configured(pool, environment):
    environment.delenv("GWBROKER_BROKER_URL")
    refused = submit()
    assert refused.exit_code == 2
    assert "broker_url: is not set" in refused.output


def test_a_ledger_that_serves_one_host_only_is_warned_of(pool, environment):
    environment.delenv("GWBROKER_DATABASE_URL")
    warned = submit("--dry-run")
    assert warned.exit_code == 0
    assert "SQLite, which serves one host only" in warned.stderr


def test_a_log_folder_that_cannot_be_made_stops_the_submit(pool):
    pool.plays("q_nothing", "submit")
    Path("file").touch()
    refused = submit("--log-dir", "file/logs")
    assert refused.exit_code == 1
    assert "cannot be made" in refused.output
    assert pool.calls("condor_submit") == []


def test_a_sites_own_folder_of_descriptions_is_used(pool, tmp_path):
    from gwbroker.condor import description

    own = tmp_path / "own"
    own.mkdir()
    for file in description.folder().glob("*.sub"):
        (own / file.name).write_text(file.read_text().replace("512MB", "768MB"))
    assert "beat, 1, 768MB, beat" in submit("--dry-run", "--files", str(own)).output
