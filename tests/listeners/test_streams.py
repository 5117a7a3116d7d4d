"""How each topic fares, as the reader writes it and as `gwbroker streams` and doctor show it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from gwbroker.cli import gwbroker
from gwbroker.conf import settings
from gwbroker.embedded.kafka import MockKafka
from gwbroker.errors import LedgerUnavailable
from gwbroker.health import Level, examine, stream_states
from gwbroker.intake import accept
from gwbroker.ledger import jobs, topics
from gwbroker.ledger.engine import write
from gwbroker.ledger.jobs import Draft
from gwbroker.ledger.topics import MISSING, Progress
from gwbroker.listeners import kafka_topics
from gwbroker.listeners.kafka import _note
from gwbroker.listeners.kafka_topics import TopicBook
from gwbroker.notice import Notice

from ..servers import poll
from .kafka_reading import Reading


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        yield cluster


@pytest.fixture
def cluster(ledger: str, environment: pytest.MonkeyPatch) -> None:
    """A ledger, and two readers of one cluster in the settings."""
    environment.setenv("GWBROKER_KAFKA__X__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    environment.setenv("GWBROKER_KAFKA__X__READERS", "2")
    settings.cache_clear()


def progress(topic: str, *, seen: int = 0, kept: int = 0, last_seen: float | None = None,
             lag: int | None = None, problem: str | None = None) -> Progress:
    return Progress(topic, seen, kept, last_seen, lag, problem)


@pytest.mark.usefixtures("cluster")
def test_the_readers_of_a_cluster_add_up_and_problems_and_lags_are_those_of_now() -> None:
    now = time.time()
    _note("kafka.x", [progress("a", seen=5, kept=5, last_seen=now - 9, lag=3),
                      progress("b", problem=MISSING), progress("c", problem="it is forbidden")])
    _note("kafka.x.2", [progress("a", seen=4, kept=1, last_seen=now, lag=40)])
    _note("kafka.x.2", [progress("a", seen=2, kept=1, lag=0)])
    # A reader of former days.
    _note("kafka.x.7", [progress("a", seen=100, kept=100, lag=999, problem="it is forbidden")])
    found = {row.topic: row for row in stream_states()}
    assert (found["a"].source, found["a"].state) == ("kafka.x", "read")
    assert (found["a"].seen, found["a"].lag, found["a"].problem) == (111, 3, None)
    assert found["a"].last == pytest.approx(now, abs=0.001)
    assert (found["b"].state, found["b"].problem) == ("missing", None)
    assert (found["c"].state, found["c"].problem) == ("failing", "it is forbidden")


@pytest.mark.usefixtures("cluster")
def test_what_a_reader_said_long_ago_is_no_state_of_now() -> None:
    _note("kafka.x", [progress("a", seen=1, kept=1, lag=3, problem="it is forbidden")])
    with write() as connection:
        connection.execute(topics.topics.update().values(updated=time.time() - 1000))
    row, = stream_states()
    assert (row.state, row.seen, row.lag, row.problem) == ("not read", 1, None, None)


@pytest.mark.usefixtures("cluster")
def test_streams_shows_every_topic_and_its_age_also_as_json() -> None:
    accept([Notice(b"{}", "kafka.x", "a", 0, 0), Notice(b"<x/>", "vtp.comet", "voevent")])
    _note("kafka.x", [progress("a", seen=9, kept=1, last_seen=time.time(), lag=7),
                      progress("b", problem=MISSING), progress("c", problem="it is forbidden")])
    answer = CliRunner().invoke(gwbroker, ["streams", "--json"], catch_exceptions=False)
    rows = {(row["source"], row["topic"]): row for row in json.loads(answer.stdout)}
    assert rows["kafka.x", "a"]["seen"] == 9
    assert rows["kafka.x", "a"]["kept"] == 1
    assert rows["kafka.x", "a"]["lag"] == 7
    assert rows["kafka.x", "a"]["age"] < 60
    assert rows["kafka.x", "b"]["state"] == "missing"
    assert rows["kafka.x", "c"]["problem"] == "it is forbidden"
    assert rows["vtp.comet", "voevent"]["state"] == "heard"
    shown = CliRunner().invoke(gwbroker, ["streams"], catch_exceptions=False).stdout
    assert "it is forbidden" in shown
    assert "1 more topic is waited for" in shown


@pytest.mark.usefixtures("cluster")
def test_doctor_names_a_topic_that_cannot_be_read_and_counts_those_that_are_not_there() -> None:
    _note("kafka.x", [progress("b", problem=MISSING), progress("d", problem=MISSING),
                      progress("c", problem="it is forbidden; ask its owners")])
    found = {finding.check: finding for finding in examine()}
    assert found["kafka.x topic"].level == Level.WARNING
    assert found["kafka.x topic"].text == "c cannot be read: it is forbidden; ask its owners"
    assert found["kafka.x topics"].level == Level.OK
    assert found["kafka.x topics"].text.startswith("2 not there yet")


def test_a_reader_writes_counts_lags_and_missing_topics(
    kafka: MockKafka, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_topics, "EVERY", 0.1)
    kafka.publish("a", b"1", b"2", b"3")
    with Reading(kafka.bootstrap_servers, "a", "none") as reading:
        reading.wait(3)
        poll(lambda: "a" in reading.noted and reading.noted["a"].lag == 0, 10, "it is written")
        assert reading.noted["none"].problem == MISSING
        assert reading.said[-1] == ("reads 1 of 2 topics", None)


def test_counts_that_the_ledger_would_not_take_are_written_later() -> None:
    written: list[Progress] = []
    away = [True]

    def note(source: str, rows: list[Progress]) -> None:
        if away[0]:
            raise LedgerUnavailable("gone")
        written.extend(rows)

    book = TopicBook("kafka.x", ["a"], lambda state, error: None, note)  # type: ignore[arg-type]
    book.count("a", True)
    book.flush()
    book.count("a", False)
    away[0] = False
    book.flush()
    assert [(row.seen, row.kept) for row in written] == [(2, 1)]
    book.flush()
    assert len(written) == 1


def test_the_problem_of_one_topic_stays_while_others_flow_and_ends_when_it_works() -> None:
    said: list[tuple[str, str | None]] = []
    book = TopicBook("kafka.x", ["a", "b"], lambda state, error: said.append((state, error)),
                     lambda source, rows: None)
    book.reads = 1
    book.topic_fails("b", "it is forbidden")
    for _ in range(3):
        book.count("a", True)
    book.works("cluster")
    book.works("ledger")
    book.tell()
    assert said[-1] == ("reads 1 of 2 topics", "topic b: it is forbidden")
    book.fails("ledger", "the ledger is away")
    assert said[-1] == ("trouble", "the ledger is away; topic b: it is forbidden")
    book.works("ledger")
    book.count("b", True)
    assert said[-1] == ("reads 1 of 2 topics", None)


@pytest.mark.usefixtures("ledger")
def test_the_workers_are_crowded_by_many_live_jobs_and_by_very_many_old_ones() -> None:
    def submit(number: int, priority: int, queue: str = "general") -> bool:
        with write() as connection:
            jobs.add(connection, [Draft("mine", queue, priority=priority)
                                  for _ in range(number)])
            return topics.crowded(connection)

    assert not submit(topics.MANY_LIVE, 0, "openmp")
    assert not submit(topics.MANY_LIVE - 1, 0)
    assert submit(1, 0)
    with write() as connection:
        connection.execute(jobs.jobs.delete())
    assert not submit(topics.MANY_OLD - 1, 1)
    assert submit(1, 1)
