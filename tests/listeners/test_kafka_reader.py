"""KafkaReader against librdkafka's mock cluster, which speaks the real protocol."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import pytest

from gwbroker.conf import KafkaCluster
from gwbroker.embedded.kafka import MockKafka
from gwbroker.errors import LedgerUnavailable
from gwbroker.listeners.kafka_config import client_config, consumer_config
from gwbroker.listeners.kafka_reader import KafkaReader, KafkaReaderError
from gwbroker.notice import Notice

from ..servers import PATIENCE, poll


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        yield cluster


class Reading:
    """A reader in a thread, what it kept, and what it said."""

    def __init__(
        self, kafka: MockKafka, *topics: str,
        accept: Callable[[Sequence[Notice]], object] | None = None,
        start: Literal["earliest", "latest"] = "earliest",
    ) -> None:
        self.kept: list[Notice] = []
        self.said: list[tuple[str, str | None]] = []
        self.stopping = False
        self.error: BaseException | None = None
        cluster = KafkaCluster(
            bootstrap_servers=kafka.bootstrap_servers, refresh=0.5, start=start,
            options={"fetch.wait.max.ms": 50})
        self.reader = KafkaReader(
            "kafka.test", cluster, topics, accept or self.kept.extend, lambda: self.stopping,
            lambda state, error: self.said.append((state, error)))
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.reader.run()
        except KafkaReaderError as e:
            self.error = e

    def __enter__(self) -> Reading:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping = True
        self.thread.join(60)
        assert not self.thread.is_alive()

    def wait(self, number: int, seconds: float = 20) -> list[bytes]:
        poll(lambda: len(self.kept) >= number, seconds, f"{number} messages, has {self.kept}")
        return sorted(notice.payload for notice in self.kept)


def test_messages_arrive_with_topic_partition_offset_and_time(kafka: MockKafka) -> None:
    kafka.publish("a", b"1", b"2")
    with Reading(kafka, "a") as reading:
        assert reading.wait(2) == [b"1", b"2"]
    notice = reading.kept[0]
    assert (notice.source, notice.topic) == ("kafka.test", "a")
    assert notice.partition is not None
    assert notice.offset is not None
    assert notice.sent is not None
    assert abs((notice.received - notice.sent).total_seconds()) < 60


def test_the_first_message_of_a_topic_that_did_not_exist_is_read(kafka: MockKafka) -> None:
    kafka.publish("old", b"0")
    with Reading(kafka, "old", "quiet") as reading:
        reading.wait(1)
        kafka.publish("quiet", b"first")
        assert b"first" in reading.wait(2)
    assert ("reads 2 of 2 topics", None) in reading.said


def test_from_latest_on_a_topic_that_appears_later_is_read_from_its_beginning(
    kafka: MockKafka,
) -> None:
    kafka.publish("old", b"before")
    with Reading(kafka, "old", "new", start="latest") as reading:
        poll(lambda: ("reads 1 of 2 topics", None) in reading.said, 20, "it reads")
        kafka.publish("new", b"first")
        assert reading.wait(1) == [b"first"]


def test_a_second_reader_goes_on_where_the_first_stopped(kafka: MockKafka) -> None:
    kafka.publish("a", b"1")
    with Reading(kafka, "a") as first:
        first.wait(1)
    kafka.publish("a", b"2")
    began = time.monotonic()
    with Reading(kafka, "a") as second:
        assert second.wait(1) == [b"2"]
    # At once: there is no group session to wait for, which is 45 s.
    assert time.monotonic() - began < 10 * PATIENCE


def test_what_was_not_kept_is_not_committed_and_comes_again(kafka: MockKafka) -> None:
    def die(_: Sequence[Notice]) -> None:
        raise KafkaReaderError("as if killed between read and commit")

    kafka.publish("a", b"1")
    with Reading(kafka, "a", accept=die) as first:
        first.thread.join(20)
    assert isinstance(first.error, KafkaReaderError)
    with Reading(kafka, "a") as second:
        assert second.wait(1) == [b"1"]


def test_while_the_ledger_is_away_nothing_is_lost_and_the_order_stays(kafka: MockKafka) -> None:
    away = threading.Event()
    away.set()
    kept: list[bytes] = []

    def accept(notices: Sequence[Notice]) -> None:
        if away.is_set():
            raise LedgerUnavailable("the disk is full")
        kept.extend(notice.payload for notice in notices)

    kafka.publish("a", *(b"%03d" % i for i in range(50)))
    with Reading(kafka, "a", accept=accept) as reading:
        poll(lambda: any(error and "disk is full" in error for _, error in reading.said), 20,
             "the trouble is told")
        kafka.publish("a", *(b"%03d" % i for i in range(50, 100)))
        away.clear()
        poll(lambda: len(kept) >= 100, 30, f"all are kept, {len(kept)} are")
        poll(lambda: reading.said[-1][1] is None, 10, "the trouble is over")
    assert sorted(kept) == [b"%03d" % i for i in range(100)]


def test_it_stops_soon_while_the_ledger_is_away(kafka: MockKafka) -> None:
    def accept(_: Sequence[Notice]) -> None:
        raise LedgerUnavailable("gone")

    kafka.publish("a", b"1")
    with Reading(kafka, "a", accept=accept) as reading:
        poll(lambda: reading.said and reading.said[-1][1], 20, "it tried")
        began = time.monotonic()
    assert time.monotonic() - began < 5 * PATIENCE


@pytest.mark.parametrize("milliseconds", [253402300800000, 2**62])
def test_a_message_from_the_far_future_is_kept_without_its_time(
    kafka: MockKafka, milliseconds: int,
) -> None:
    kafka.producer.produce("a", b"1", timestamp=milliseconds)
    kafka.producer.flush(10)
    with Reading(kafka, "a") as reading:
        assert reading.wait(1) == [b"1"]
    assert reading.kept[0].sent is None


def test_an_empty_message_and_one_of_8_mib_are_kept(kafka: MockKafka) -> None:
    # On two topics: the mock cluster keeps no more than 5 MiB of older messages in a partition.
    kafka.publish("a", b"")
    kafka.publish("b", b"x" * 8 * 1024 * 1024)
    with Reading(kafka, "a", "b") as reading:
        assert [len(payload) for payload in reading.wait(2)] == [0, 8 * 1024 * 1024]


def test_a_cluster_that_does_not_answer_is_told_and_does_not_end_it() -> None:
    cluster = KafkaCluster(bootstrap_servers="127.0.0.1:1")
    said: list[str | None] = []
    stop = threading.Event()
    reader = KafkaReader("kafka.none", cluster, ["a"], lambda _: None, stop.is_set,
                         lambda _, error: said.append(error))
    thread = threading.Thread(target=reader.run)
    thread.start()
    try:
        poll(lambda: any(said), 20, "the trouble is told")
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()
    assert "127.0.0.1:1" in next(error for error in said if error)


def test_a_setting_that_librdkafka_does_not_know_is_an_error_of_ours() -> None:
    cluster = KafkaCluster(bootstrap_servers="127.0.0.1:1", options={"no.such.option": 1})
    with pytest.raises(KafkaReaderError, match=r"no\.such\.option"):
        KafkaReader("kafka.none", cluster, ["a"], lambda _: None, lambda: True).run()


def test_librdkafka_gets_tokens_from_us_and_never_the_secret() -> None:
    cluster = KafkaCluster(preset="gcn", client_id="me", client_secret="hidden")
    config = client_config(cluster, lambda _: ("token", 0.0))
    assert (config["security.protocol"], config["sasl.mechanisms"]) == ("SASL_SSL", "OAUTHBEARER")
    assert callable(config["oauth_cb"])
    assert "hidden" not in str(config)


def test_offsets_are_committed_by_us_alone_under_a_stable_group() -> None:
    config = consumer_config(KafkaCluster(bootstrap_servers="127.0.0.1:1"))
    assert config["enable.auto.commit"] is False
    assert config["group.id"] == "gwbroker"
    assert config["auto.offset.reset"] == "earliest"


def test_scram_names_mechanism_and_user() -> None:
    cluster = KafkaCluster(preset="scimma", username="vera", password="secret")
    config = client_config(cluster)
    assert (config["sasl.mechanisms"], config["sasl.username"]) == ("SCRAM-SHA-512", "vera")
