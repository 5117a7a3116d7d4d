"""Dead jobs can be given up: then nobody is warned of them, and their notices can be pruned."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner, Result

from gwbroker.cli.jobs import jobs as command
from gwbroker.health import examine
from gwbroker.ledger import jobs as rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger import pruning
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Draft
from gwbroker.notice import Notice


def call(*words: str) -> Result:
    """Run ``gwbroker jobs``."""
    return CliRunner().invoke(command, list(words))


@pytest.fixture(autouse=True)
def died(ledger: str) -> None:
    """Two dead jobs of one handler and one of another, each for a notice; and a pending one."""
    with write() as connection:
        kept = notice_rows.keep(connection, [Notice(b"%d" % n, topic="t") for n in range(4)],
                                [None] * 4)
        rows.add(connection, [
            Draft("bad", "general", kept[0].id, error="broken bytes"),
            Draft("bad", "general", kept[1].id, error="broken bytes"),
            Draft("other", "general", kept[2].id, error="no route"),
            Draft("well", "general", kept[3].id, delay=60)])


def listing() -> list[tuple[int, str, str | None]]:
    """Return number, state and error of every job."""
    with read() as connection:
        return [(row["id"], row["state"], row["error"]) for row in rows.listing(connection)]


def test_dismissed_jobs_are_done_with_what_was_wrong_and_doctor_names_them_no_more():
    done = call("dismiss", "--all-dead", "--handler", "bad")
    assert (done.exit_code, done.output) == (0, "2 jobs are dismissed.\n")
    assert listing()[:3] == [(1, "done", "dismissed: broken bytes"),
                             (2, "done", "dismissed: broken bytes"), (3, "dead", "no route")]
    (finding,) = [f for f in examine() if f.check == "dead jobs"]
    assert finding.text.startswith("1 jobs are dead: 1 of other")
    assert call("dismiss", "3").output == "1 job is dismissed.\n"
    assert not [f for f in examine() if f.check == "dead jobs"]
    assert call("dismiss", "--all-dead").output == "No job is dead.\n"


def test_the_notices_of_dismissed_jobs_can_be_pruned():
    assert pruning.prune(time.time() + 60).notices == 0
    call("dismiss", "1")
    assert pruning.prune(time.time() + 60).notices == 1


@pytest.mark.parametrize("words", [("dismiss", "4"), ("dismiss", "99"), ("dismiss", "1", "4")])
def test_what_is_not_dead_is_not_dismissed_nor_anything_with_it(words: tuple[str, ...]):
    done = call(*words)
    assert "dead job" in str(done.exception)
    assert [state for _, state, _ in listing()] == ["dead", "dead", "dead", "pending"]


@pytest.mark.parametrize("word", ["retry", "dismiss"])
def test_a_dismissed_job_stays_as_it_is(word: str):
    call("dismiss", "1")
    assert "dead job" in str(call(word, "1").exception)


@pytest.mark.parametrize("words", [("dismiss",), ("dismiss", "1", "--all-dead"),
                                   ("dismiss", "1", "--handler", "bad"),
                                   ("retry", "1", "--handler", "bad")])
def test_it_has_to_be_said_which_are_meant(words: tuple[str, ...]):
    done = call(*words)
    assert done.exit_code == 2
    assert [state for _, state, _ in listing()].count("dead") == 3
