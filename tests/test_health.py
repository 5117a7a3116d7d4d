"""Doctor says what it tripped over, and looks at everything else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gwbroker.conf import settings
from gwbroker.health import Finding, Level, examine
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import leases
from gwbroker.ledger.engine import write
from gwbroker.ledger.jobs import Draft
from gwbroker.notice import Notice, utcnow
from gwbroker.streams.gcn import HEARTBEAT


@pytest.mark.usefixtures("sqlite")
def test_a_check_that_fails_in_any_way_is_one_finding_among_the_others(
    environment: pytest.MonkeyPatch, tmp_path: Path,
):
    environment.setenv("GWBROKER_BROKER_URL", "redis://127.0.0.1:port/0")
    settings.cache_clear()
    found = {finding.check: finding for finding in examine()}
    assert found["redis"].level == Level.CRITICAL
    assert found["redis"].text.startswith("ValueError: ")
    assert found["jobs"].level == Level.OK


@pytest.fixture
def gcn(sqlite: str, environment: pytest.MonkeyPatch) -> None:
    """A ledger, and GCN in the settings, to which nothing connects."""
    environment.setenv("GWBROKER_KAFKA__GCN__PRESET", "gcn")
    environment.setenv("GWBROKER_KAFKA__GCN__CLIENT_ID", "me")
    environment.setenv("GWBROKER_KAFKA__GCN__CLIENT_SECRET", "hidden")
    environment.setenv("GWBROKER_KAFKA__GCN__READERS", "2")
    settings.cache_clear()


def heartbeat(seconds_ago: float) -> None:
    now = utcnow()
    accept([Notice(b'{"n": %f}' % seconds_ago, "kafka.gcn", HEARTBEAT, 0, 1,
                   received=now - timedelta(seconds=seconds_ago))])


@pytest.mark.usefixtures("gcn")
def test_a_heartbeat_that_was_never_heard_or_has_ceased_is_critical():
    def finding() -> Finding:
        return next(f for f in examine() if f.check == "kafka.gcn heartbeat")

    assert finding().level == Level.CRITICAL
    heartbeat(1000)
    assert finding().level == Level.CRITICAL
    heartbeat(1)
    assert finding().level == Level.OK


@pytest.mark.usefixtures("gcn")
def test_each_reader_of_a_cluster_is_looked_at_and_its_trouble_told():
    for name in ("kafka.gcn", "kafka.gcn.2"):
        assert leases.acquire(f"gwbroker.listeners.{name}", name) is None
    leases.say("gwbroker.listeners.kafka.gcn", "kafka.gcn",
               "reads 9 of 9 topics as one of 2 readers", None)
    leases.say("gwbroker.listeners.kafka.gcn.2", "kafka.gcn.2", "trouble",
               "the token endpoint answered 503")
    heartbeat(1)
    found = {finding.check: finding for finding in examine()}
    assert found["kafka.gcn"].level == Level.OK
    assert "last message" in found["kafka.gcn"].text
    assert found["kafka.gcn.2"].level == Level.CRITICAL
    assert "answered 503" in found["kafka.gcn.2"].text
    assert "last message" in found["kafka.gcn.2"].text


@pytest.mark.usefixtures("gcn")
def test_hosts_that_have_another_idea_of_how_many_read_are_told():
    states = {"kafka.gcn": "reads 9 of 9 topics as one of 2 readers",
              "kafka.gcn.2": "reads 9 of 9 topics as one of 3 readers",
              "kafka.gcn.3": "reads 9 of 9 topics as one of 3 readers", "vtp.old": "connected"}
    for name, state in states.items():
        assert leases.acquire(f"gwbroker.listeners.{name}", name) is None
        leases.say(f"gwbroker.listeners.{name}", name, state, None)
    warned = {f.check: f.text for f in examine() if f.level == Level.WARNING}
    assert "as one of 3, and readers is 2 in these settings" in warned["kafka.gcn.2"]
    assert "is not in these settings" in warned["kafka.gcn.3"]
    assert not {"kafka.gcn", "vtp.old"} & warned.keys()


@pytest.mark.usefixtures("gcn")
def test_a_group_id_that_looks_random_is_a_warning(environment: pytest.MonkeyPatch):
    environment.setenv("GWBROKER_KAFKA__GCN__GROUP_ID", "b2f7c1de-33aa-4b21-9f00-1234567890ab")
    settings.cache_clear()
    found = {finding.check: finding for finding in examine()}
    assert found["kafka.gcn group"].level == Level.WARNING


@pytest.mark.usefixtures("sqlite")
def test_dead_jobs_are_told_by_task_with_what_was_wrong_with_the_newest_and_the_remedy():
    wrong = "galaxies: /x/catalogues/lost: there is no catalogue here"
    with write() as connection:
        job_rows.add(connection, [
            *[Draft(f"mine.h{n}", "general", error="old") for n in (1, 1, 2, 3)],
            Draft("gwbroker.tasks.annotations.annotate", "openmp", error=wrong)])
    (finding,) = [f for f in examine() if f.check == "dead jobs"]
    assert finding.level == Level.WARNING
    assert finding.text == (
        "5 jobs are dead: 1 of gwbroker.tasks.annotations.annotate, 1 of mine.h3, 1 of mine.h2, "
        f"and others; the newest, 5, says: {wrong}. See `gwbroker jobs --state dead`, then "
        "`gwbroker jobs retry ID`, or `dismiss ID`")
