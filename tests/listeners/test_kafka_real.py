"""KafkaReader against a real Apache Kafka: what it reads, commits, survives and says."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from gwbroker.errors import LedgerUnavailable
from gwbroker.notice import Notice

from ..kafka_server import Kafka
from ..servers import PATIENCE, poll
from .real_kafka import Reading, fresh


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, with one partition."""
    return kafka.create_topic(fresh(request.node.name[:80]))


@pytest.fixture(scope="module")
def frail() -> Iterator[Kafka]:
    """A Kafka that may be stopped and killed, because only this file uses it."""
    with Kafka() as server:
        yield server


def test_offsets_are_committed_only_after_the_notices_are_kept(kafka: Kafka, topic: str) -> None:
    kafka.publish(topic, b"1", b"2", b"3")
    entered, leave = threading.Event(), threading.Event()

    def accept(notices: Sequence[Notice]) -> None:
        entered.set()
        assert leave.wait(60)

    with Reading(kafka, topic, accept=accept) as reading:
        assert entered.wait(60)
        assert reading.committed(topic) in ({}, {0: 0})
        leave.set()
        poll(lambda: reading.committed(topic) == {0: 3}, 10, "the offset is committed")


def test_what_cannot_be_kept_is_not_committed_and_comes_in_order_later(
    kafka: Kafka, topic: str,
) -> None:
    kept: list[bytes] = []
    away = threading.Event()
    away.set()

    def accept(notices: Sequence[Notice]) -> None:
        if away.is_set():
            raise LedgerUnavailable("the disk is full")
        kept.extend(notice.payload for notice in notices)

    kafka.publish(topic, *(b"%d" % n for n in range(5)))
    with Reading(kafka, topic, accept=accept) as reading:
        assert "the disk is full" in reading.wait_for_trouble("ledger is away")
        kafka.publish(topic, *(b"%d" % n for n in range(5, 10)))
        assert reading.committed(topic) in ({}, {0: 0})
        away.clear()
        poll(lambda: len(kept) >= 10, 15, "all ten")
        reading.wait_until_well()
    assert kept == [b"%d" % n for n in range(10)]
    assert reading.committed(topic) == {0: 10}


KILLED = textwrap.dedent("""
    import os, sys, time
    from gwbroker.conf import KafkaCluster
    from gwbroker.listeners.kafka_reader import KafkaReader

    servers, group, topic = sys.argv[1:]

    def accept(notices):
        print(len(notices), flush=True)
        time.sleep(60)

    KafkaReader("kafka.killed", KafkaCluster(bootstrap_servers=servers, group_id=group),
                [topic], accept, lambda: False).run()
    """)


def test_what_was_read_but_not_kept_when_the_process_was_killed_comes_again(
    kafka: Kafka, topic: str, environment: pytest.MonkeyPatch,
) -> None:
    kafka.publish(topic, b"1", b"2")
    group = fresh("killed")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, kafka.bootstrap_servers, group, topic],
        stdout=subprocess.PIPE, text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "2"
        child.send_signal(signal.SIGKILL)
        assert child.wait(60) == -signal.SIGKILL
    with Reading(kafka, topic, group_id=group) as reading:
        # At once: no group membership has to time out first, which takes 45 s.
        assert reading.wait(2, seconds=10) == [b"1", b"2"]


def test_a_message_of_4_mib_passes_with_the_default_settings(
    kafka: Kafka, topic: str, request: pytest.FixtureRequest,
) -> None:
    large = os.urandom(4 * 1024 * 1024)
    with Reading(kafka, topic) as reading:
        kafka.publish(topic, b"before", large, b"after")
        assert reading.wait(3) == [b"before", large, b"after"]


def test_headers_and_the_time_of_sending_come_along(kafka: Kafka, topic: str) -> None:
    kafka.publish(topic, b"1", headers=[("_format", b"json"), ("_format", b"\xff")],
                  timestamp=1_700_000_000_123)
    with Reading(kafka, topic) as reading:
        reading.wait(1)
    notice = reading.kept[0]
    assert notice.headers == (("_format", b"json"), ("_format", b"\xff"))
    assert notice.sent is not None
    assert notice.sent.timestamp() == pytest.approx(1_700_000_000.123)


def test_a_backlog_and_what_comes_meanwhile_arrive_once_each_and_in_order(
    kafka: Kafka, topic: str,
) -> None:
    kafka.publish(topic, *(b"%d" % n for n in range(3000)))
    with Reading(kafka, topic) as reading:
        reading.wait(1)
        kafka.publish(topic, *(b"%d" % n for n in range(3000, 3100)))
        assert reading.wait(3100, seconds=30) == [b"%d" % n for n in range(3100)]
        poll(lambda: reading.committed(topic) == {0: 3100}, 10, "all are committed")


STOPPED = textwrap.dedent("""
    import signal, sys, time
    from gwbroker.conf import KafkaCluster
    from gwbroker.listeners.kafka_reader import KafkaReader

    servers, group, topic = sys.argv[1:]
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(True))

    def accept(notices):
        time.sleep(0.05)
        for notice in notices:
            print(notice.payload.decode(), flush=True)

    KafkaReader("kafka.stopped", KafkaCluster(bootstrap_servers=servers, group_id=group),
                [topic], accept, lambda: bool(asked)).run()
    """)


def test_keeping_that_takes_longer_than_max_poll_interval_costs_nothing(
    kafka: Kafka, topic: str,
) -> None:
    kept: list[bytes] = []

    def accept(notices: Sequence[Notice]) -> None:
        if not kept:
            threading.Event().wait(4.0)
        kept.extend(notice.payload for notice in notices)

    patience = {"max.poll.interval.ms": 1500, "session.timeout.ms": 1000,
                "heartbeat.interval.ms": 300}
    with Reading(kafka, topic, accept=accept, options=patience) as reading:
        kafka.publish(topic, b"1")
        poll(lambda: kept, 20, "the first is kept")
        kafka.publish(topic, b"2")
        poll(lambda: len(kept) > 1, 5, "the second follows at once")
        poll(lambda: reading.committed(topic) == {0: 2}, 5, "both are committed")
        assert kept == [b"1", b"2"]
        assert not [error for _, _, error in reading.said if error]


def test_a_process_that_is_asked_to_stop_keeps_what_it_read_commits_and_ends_in_seconds(
    kafka: Kafka, topic: str, environment: pytest.MonkeyPatch,
) -> None:
    kafka.publish(topic, *(b"%d" % n for n in range(1000)))
    group = fresh("stopped")
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED, kafka.bootstrap_servers, group, topic],
        stdout=subprocess.PIPE, text=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        kept = 1 + len(child.stdout.readlines())
        assert child.wait(60) == 0
        # As docs/howto/hosts.rst promises.
        assert time.monotonic() - began < 5 * PATIENCE
    # Nothing kept comes again, and nothing that was not kept is skipped.
    assert kafka.committed(group, topic) == {0: kept}


def test_a_commit_that_is_refused_is_said_and_what_was_kept_is_not_lost(
    kafka: Kafka, topic: str,
) -> None:
    user = fresh("user")
    kafka.add_user(user, "its password")
    group = fresh("group")
    with Reading(kafka, topic, group_id=group, security="scram-sha-512", tls=False, username=user,
                 password="its password", bootstrap_servers=kafka.scram_servers) as reading:
        kafka.publish(topic, b"1")
        assert reading.wait(1) == [b"1"]
        poll(lambda: reading.committed(topic) == {0: 1}, 10, "the first is committed")
        kafka.forbid(user, group, kind="group")
        kafka.publish(topic, b"2")
        reading.wait(2)
        assert "not committed" in reading.wait_for_trouble("[Gg]roup authorization failed")
        assert reading.committed(topic) == {0: 1}
        kafka.permit(user, group, kind="group")
        kafka.publish(topic, b"3")
        reading.wait(3)
        reading.wait_until_well()
        assert reading.committed(topic) == {0: 3}
    assert reading.payloads == [b"1", b"2", b"3"]


def test_a_kafka_that_freezes_during_a_commit_is_said_and_stopping_takes_seconds(
    frail: Kafka,
) -> None:
    topic = frail.create_topic(fresh("freezes"))
    entered, leave = threading.Event(), threading.Event()

    def accept(notices: Sequence[Notice]) -> None:
        entered.set()
        assert leave.wait(60)

    frail.publish(topic, b"1")
    with Reading(frail, topic, accept=accept) as reading:
        assert entered.wait(60)
        frail.pause()
        try:
            leave.set()
            # Long before librdkafka gives up, which takes a minute and more.
            reading.wait_for_trouble("commit|no answer", 20)
            assert reading.stop() < 10 * PATIENCE
        finally:
            frail.resume()


def test_the_same_client_goes_on_after_kafka_was_away_and_the_log_stays_short(
    frail: Kafka, caplog: pytest.LogCaptureFixture,
) -> None:
    topic = frail.create_topic(fresh("away"))
    with caplog.at_level(logging.INFO, "gwbroker"), Reading(frail, topic) as reading:
        frail.publish(topic, b"1")
        reading.wait(1)
        frail.kill()
        reading.wait_for_trouble(".", 20)
        # As long as it is away librdkafka complains some twenty times a second.
        time.sleep(3)
        frail.start()
        frail.publish(topic, b"2")
        assert reading.wait(2, seconds=15) == [b"1", b"2"]
        reading.wait_until_well()
    ours = [r.getMessage() for r in caplog.records if reading.source in r.getMessage()
            or "rdkafka" in r.name]
    assert 0 < len(ours) < 25, ours
