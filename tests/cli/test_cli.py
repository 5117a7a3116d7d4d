"""The command line: quick, helpful, and in JSON as programs expect it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gwbroker import jobs
from gwbroker.cli import CELERY, OURS
from gwbroker.cli.worker import complete, option
from gwbroker.intake import accept
from gwbroker.ledger.engine import write
from gwbroker.notice import Notice
from gwbroker.report import Report
from gwbroker.tasks import events

from ..servers import Broker

HANDLER = '''
from gwbroker.streams import kafka
@kafka.handler("a.topic", retries=0)
def on_a(notice): 1 / 0
'''


def gwbroker(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gwbroker", *arguments], capture_output=True, text=True,
        env=dict(os.environ), timeout=240, check=False, **options)


def as_json(*arguments: str) -> Any:
    """Run a command that writes JSON; return what it wrote."""
    done = gwbroker(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def story(sqlite: str, handlers: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger with a notice, its duplicate, a dead job and an event."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()
    handlers(HANDLER)
    (kept,) = accept([Notice(b"{}", source="kafka.local", topic="a.topic", partition=0, offset=1,
                             sent=datetime(2026, 1, 1, tzinfo=UTC))])
    accept([Notice(b"{}", source="kafka.local", topic="a.topic", partition=0, offset=2)])
    jobs.run(1)
    events.record(Notice(b"{}").with_id(kept.id), Report(
        "grb", "GRB 260101A", ("fermi:1",), t0=datetime(2026, 1, 1, tzinfo=UTC)))


def test_help_is_quick_and_imports_nothing_heavy(environment: pytest.MonkeyPatch):
    def worked() -> float:
        # By the processor's time: what else the machine does takes no part in it.
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(3):
        began = worked()
        done = gwbroker("--help")
        times.append(worked() - began)
        assert done.returncode == 0
    assert min(times) < 0.5, times
    assert all(name in done.stdout for name in [*OURS, "beat", "flower", "inspect", "call"])
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gwbroker", "--help"], capture_output=True,
        text=True, timeout=240, check=True).stderr
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in listed.splitlines()}
    heavy = {"celery", "sqlalchemy", "numpy", "pydantic", "kombu", "lxml", "confluent_kafka"}
    assert not imported & heavy


@pytest.mark.parametrize("command", list(OURS))
def test_each_of_our_commands_explains_itself(environment: pytest.MonkeyPatch, command: str):
    done = gwbroker(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: gwbroker" in done.stdout
    assert len(done.stdout) > 80


def test_each_of_celerys_commands_explains_itself(environment: pytest.MonkeyPatch):
    # In one process, because each would take a second by itself.
    code = (
        "from click.testing import CliRunner\nfrom gwbroker.cli import CELERY, gwbroker\n"
        "for name in CELERY:\n"
        "    done = CliRunner().invoke(gwbroker, [name, '--help'])\n"
        "    print(name, done.exit_code, len(done.output), repr(done.exception))\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240,
                          check=False)
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == list(CELERY), done.stderr
    assert [row for row in rows if row[1] != "0" or int(row[2]) < 80] == []


def test_an_unknown_command_is_answered_with_what_was_meant(environment: pytest.MonkeyPatch):
    done = gwbroker("notice")
    assert done.returncode == 2
    assert "There is no command 'notice'. Did you mean notices" in done.stderr


def test_the_version_is_told(environment: pytest.MonkeyPatch):
    from gwbroker import __version__

    assert gwbroker("--version").stdout.strip() == f"gwbroker {__version__}"


@pytest.mark.usefixtures("story")
def test_notices_are_an_array_with_the_fixed_fields():
    first, second = as_json("notices")
    assert {"id", "source", "topic", "sha256", "size", "received", "duplicate_of",
            "revision_of"} <= set(first)
    assert (first["source"], first["topic"], first["size"]) == ("kafka.local", "a.topic", 2)
    assert first["sha256"] == Notice(b"{}").sha256
    assert (first["duplicate_of"], second["duplicate_of"]) == (None, first["id"])
    assert datetime.fromisoformat(first["received"]).tzinfo is not None
    assert first["sent"] == "2026-01-01T00:00:00.000000Z"
    assert len(as_json("notices", "-n", "1")) == 1
    assert as_json("notices", "--topic", "none") == []


@pytest.mark.usefixtures("story")
def test_jobs_are_an_array_with_the_fixed_fields():
    job, coincide = sorted(as_json("jobs"), key=lambda each: each["id"])
    assert coincide["handler"] == "gwbroker.tasks.coincidences.coincide"
    assert {"id", "notice", "handler", "queue", "state", "attempts", "error", "created", "sent",
            "started", "finished"} <= set(job)
    assert (job["notice"], job["handler"], job["queue"]) == (1, "mine.on_a", "general")
    assert (job["state"], job["attempts"]) == ("dead", 1)
    assert job["error"] == "ZeroDivisionError: division by zero"
    assert datetime.fromisoformat(job["started"]) <= datetime.fromisoformat(job["finished"])
    assert as_json("jobs", "--state", "done") == []
    assert len(as_json("jobs", "--notice", "1", "--handler", "mine.on_a")) == 1


@pytest.mark.usefixtures("story")
def test_events_are_an_array_with_the_fixed_fields():
    (event,) = as_json("events")
    assert {"id", "kind", "role", "state", "t0", "identifiers", "notices", "products"} <= set(event)
    assert (event["kind"], event["role"], event["state"]) == ("grb", "real", "open")
    assert (event["identifiers"], event["notices"], event["products"]) == (["fermi:1"], [1], [])
    assert event["t0"] == "2026-01-01T00:00:00.000000Z"
    assert as_json("events", "show", "GRB 260101A")["id"] == event["id"]
    assert as_json("events", "--kind", "gw") == []


@pytest.mark.usefixtures("story")
def test_tables_for_people_say_the_same():
    assert "duplicate of 1" in gwbroker("notices").stdout
    assert "ZeroDivisionError" in gwbroker("jobs").stdout
    assert "GRB 260101A" in gwbroker("events").stdout
    assert "mine.on_a" in gwbroker("handlers").stdout
    assert gwbroker("notices", "show", "1").stdout == "{}"
    shown = gwbroker("jobs", "show", "1").stdout
    assert "Traceback" in shown
    assert "mine.py" in shown


@pytest.mark.usefixtures("story")
def test_a_dead_job_is_retried_by_command():
    done = gwbroker("jobs", "retry", "1")
    assert done.returncode == 0, done.stderr
    assert "1 job will run again" in done.stdout
    job = min(as_json("jobs"), key=lambda each: each["id"])
    assert job["state"] in ("sent", "pending")
    again = gwbroker("jobs", "retry", "1", "99")
    assert again.returncode == 1
    assert "no dead job 1, 99" in again.stderr
    assert "No job is dead" in gwbroker("jobs", "retry", "--all-dead").stdout


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("command", ["notices", "jobs", "events"])
def test_an_empty_ledger_is_an_empty_array_and_one_sentence(command: str):
    assert as_json(command) == []
    assert gwbroker(command).stdout.count("\n") == 1


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize("arguments", [
    ("notices", "show", "7"), ("jobs", "show", "7"), ("events", "show", "S1")])
def test_what_is_not_there_is_one_sentence_and_exit_code_1(arguments: tuple[str, ...]):
    done = gwbroker(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: there is no ")
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("sqlite")
def test_handlers_are_listed_with_their_options(handlers: Callable[[str], Path]):
    handlers(HANDLER)
    (mine,) = [row for row in as_json("handlers") if row["name"] == "mine.on_a"]
    assert (mine["stream"], mine["wants"], mine["queue"]) == ("kafka", ["a.topic"], "general")
    assert (mine["retries"], mine["where"]) == (0, False)


@pytest.mark.usefixtures("sqlite")
def test_the_ledger_is_upgraded_by_command_and_says_its_version():
    from gwbroker.ledger.engine import VERSION

    assert f"at schema {VERSION}" in gwbroker("ledger", "upgrade").stdout
    assert as_json("ledger", "version") == {"ledger": VERSION, "needed": VERSION}
    with write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    done = gwbroker("jobs")
    assert done.returncode == 1
    assert "pip install --upgrade gwbroker" in done.stderr


def test_a_new_plugin_has_the_handlers_that_it_promises(
    environment: pytest.MonkeyPatch, tmp_path: Path,
):
    done = gwbroker("handlers", "new", "my-alerts", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr
    package = tmp_path / "my-alerts"
    tested = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
                            cwd=package, capture_output=True, text=True, timeout=240,
                            env={**os.environ, "PYTHONPATH": str(package)}, check=False)
    assert tested.returncode == 0, tested.stdout
    assert gwbroker("handlers", "new", "my-alerts", "--folder", str(tmp_path)).returncode == 1
    assert gwbroker("handlers", "new", "1/../x", "--folder", str(tmp_path)).returncode == 2


@pytest.mark.parametrize(("typed", "name", "value"), [
    (["-Q", "a"], "-Q", "a"), (["-Qa"], "-Q", "a"), (["--queues=a,b"], "--queues", "a,b"),
    (["-c", "3", "-Q", "a"], "-Q", "a"), ([], "-Q", None),
])
def test_an_option_is_read_in_any_of_its_writings(
    typed: list[str], name: str, value: str | None,
):
    assert option(typed, name) == value


def test_a_workers_queues_imply_its_concurrency(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")

    def concurrency(*typed: str, sources: int = 0) -> str | None:
        return option(complete(typed, sources, "INFO"), "--concurrency", "-c")

    assert concurrency() == "4"
    assert concurrency(sources=3) == "7"
    assert concurrency("-Q", "general", sources=3) == "4"
    assert concurrency("-Q", "openmp") == concurrency("-Q", "events") == "1"
    assert concurrency("-c", "9", sources=3) == "9"


def test_doctor_ends_with_two_when_nothing_runs(home: Path):
    done = gwbroker("doctor")
    assert done.returncode == 2
    assert "no source is configured" in done.stdout
    assert "Redis" not in done.stderr
    assert any(line.startswith("CRIT") and "redis" in line for line in done.stdout.splitlines())
    found = json.loads(gwbroker("doctor", "--json").stdout)
    assert found["state"] == "critical"
    assert {"check", "level", "text"} == set(found["checks"][0])


def test_doctor_ends_with_two_for_a_wrong_setting(environment: pytest.MonkeyPatch):
    environment.setenv("GWBROKER_LOG_LEVEL", "LOUD")
    done = gwbroker("doctor")
    assert done.returncode == 2
    assert "log_level" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_doctor_ends_with_zero_when_all_is_well_and_one_for_a_dead_job(
    broker: Broker, sqlite: str, handlers: Callable[[str], Path],
    environment: pytest.MonkeyPatch,
):
    from gwbroker.conf import settings
    from gwbroker.embedded.vtp import VOEventServer

    handlers(HANDLER)
    with VOEventServer(interval=1.0) as server:
        environment.setenv("GWBROKER_VTP", f'{{"a": {{"address": "127.0.0.1:{server.port}"}}}}')
        settings.cache_clear()
        broker.start()
        broker.wait(lambda: server.subscribers == 1, 90, "the listener is connected")
        last: list[subprocess.CompletedProcess[str]] = []

        def well() -> bool:
            last[:] = [gwbroker("doctor")]
            return last[0].returncode in (0, 1) and "CRIT" not in last[0].stdout

        broker.wait(well, 90, "doctor is content")
        lines = last[0].stdout
        assert all(f"worker {queue}" in lines for queue in ("general", "openmp", "events"))
        # A disk that is nearly full is a warning of its own.
        assert last[0].returncode == (1 if "warn" in lines else 0)
        accept([Notice(b"{}", topic="a.topic")])
        broker.wait(lambda: as_json("jobs", "--state", "dead"), 60, "the job is dead")
        done = gwbroker("doctor")
        assert done.returncode == 1
        assert "1 jobs are dead" in done.stdout
