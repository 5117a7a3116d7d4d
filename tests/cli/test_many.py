"""Commands about many jobs, about jobs that are not due, and about numbers that cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from gwbroker import jobs
from gwbroker.cli.jobs import CHUNK
from gwbroker.cli.jobs import jobs as command
from gwbroker.cli.notices import notices
from gwbroker.cli.replay import replay
from gwbroker.ledger import jobs as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Draft

LATER = '''
from gwbroker.streams import kafka
@kafka.handler("a.topic", retries=3, backoff=60)
def on_a(notice): raise OSError("not now")
'''


@pytest.fixture(autouse=True)
def _here(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()


def test_all_dead_jobs_get_another_life_however_many_they_are():
    number = 2 * CHUNK + 1
    with write() as connection:
        rows.add(connection, [Draft("h", "general", error="x")] * number)
    done = CliRunner().invoke(command, ["retry", "--all-dead"], catch_exceptions=False)
    assert done.output == f"{number} jobs will run again.\n"
    with read() as connection:
        assert not rows.listing(connection, state="dead")


@pytest.mark.parametrize("number", ["0", str(2**63)])
def test_a_number_that_no_row_can_have_is_a_mistake_in_the_command(number: str):
    for group, arguments in ((command, ["show"]), (command, ["retry"]),
                             (command, ["--notice"]), (notices, ["show"])):
        done = CliRunner().invoke(group, [*arguments, number])
        assert done.exit_code == 2
        assert "is not in the range" in done.output


def test_a_replay_here_waits_no_longer_than_told_for_a_job_that_is_not_due(
    handlers: Callable[[str], Path], tmp_path: Path,
):
    handlers(LATER)
    file = tmp_path / "a.json"
    file.write_text("{}")
    began, worked = time.monotonic(), time.process_time()
    done = CliRunner().invoke(
        replay, ["--here", "--wait", "2", "--topic", "a.topic", str(file)],
        catch_exceptions=False)
    # It is due later than that: nothing would be gained by waiting.
    assert time.monotonic() - began < 20
    assert "1 due later: `gwbroker up` runs it" in done.output
    assert time.process_time() - worked < 15
