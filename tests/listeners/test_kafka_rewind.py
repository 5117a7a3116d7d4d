"""A stretch of Kafka read once more; those who listen stay where they are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from gwbroker.conf import KafkaCluster
from gwbroker.embedded.kafka import MockKafka
from gwbroker.errors import ReplayError
from gwbroker.ledger.ranges import Range
from gwbroker.listeners import kafka_rewind
from gwbroker.listeners.kafka_config import consumer_config
from gwbroker.listeners.kafka_rewind import rewind

if TYPE_CHECKING:
    from ..kafka_server import Kafka

START = datetime(2024, 11, 1, tzinfo=UTC)


@pytest.fixture
def mock() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        yield cluster


def cluster(servers: str, group: str = "live") -> KafkaCluster:
    """Return settings for a cluster."""
    return KafkaCluster(bootstrap_servers=servers, group_id=group,
                        options={"fetch.wait.max.ms": 50})


def payloads(where: KafkaCluster, *topics: str, **chosen: object) -> list[bytes]:
    """Return what a range has."""
    with rewind("kafka.test", where, Range("kafka.test", topics, **chosen)) as found:
        read = [notice.payload for page in found.pages() for notice in page]
        assert found.number >= len(read)
    return read


def fill(mock: MockKafka, topic: str, number: int) -> None:
    """Publish messages 0, 1, 2... to the first partition of a topic."""
    for n in range(number):
        mock.producer.produce(topic, str(n).encode(), partition=0)
    assert mock.producer.flush(10) == 0


def commit(where: KafkaCluster, topic: str, offset: int) -> list[int]:
    """Let the live group be at an offset of the first partition; return where it is."""
    consumer = Consumer(consumer_config(where))
    try:
        if offset >= 0:
            consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        return [p.offset for p in consumer.committed([TopicPartition(topic, 0)], timeout=10)]
    finally:
        consumer.close()


def test_offsets_and_the_last_are_read_and_the_live_group_does_not_move(mock: MockKafka) -> None:
    fill(mock, "t", 20)
    where = cluster(mock.bootstrap_servers)
    assert commit(where, "t", 7) == [7]
    assert payloads(where, "t", partition=0, first=3, end=6) == [b"3", b"4", b"5"]
    assert payloads(where, "t", last=2) == [b"18", b"19"]
    assert payloads(where, "t") == [str(n).encode() for n in range(20)]
    assert payloads(where, "t", partition=0, first=18, end=99) == [b"18", b"19"]
    assert payloads(where, "t", partition=0, first=50) == []
    assert commit(where, "t", -1) == [7]


def test_a_topic_or_partition_that_is_not_there_is_named(mock: MockKafka) -> None:
    fill(mock, "t", 1)
    where = cluster(mock.bootstrap_servers)
    with pytest.raises(ReplayError, match="has no partition 77"):
        payloads(where, "t", partition=77)


def test_a_cluster_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_rewind, "PATIENCE", 0.5)
    with pytest.raises(ReplayError, match=r"kafka\.test: no answer from 127\.0\.0\.1:1"):
        payloads(cluster("127.0.0.1:1"), "t")


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """A topic of two partitions on a real Kafka, with a message an hour, in turns."""
    name = f"rewind-{uuid.uuid4().hex[:8]}"
    kafka.create_topic(name, partitions=2)
    for n in range(10):
        moment = int((START + timedelta(hours=n)).timestamp() * 1000)
        kafka.publish(name, str(n).encode(), partition=n % 2, timestamp=moment)
    return name


def test_a_real_kafka_is_read_between_two_times(kafka: Kafka, topic: str) -> None:
    where = cluster(kafka.bootstrap_servers, f"live-{topic}")

    def between(first: int, end: int) -> list[int]:
        return sorted(int(p) for p in payloads(
            where, topic, since=START + timedelta(hours=first), until=START + timedelta(hours=end)))

    assert between(2, 5) == [2, 3, 4], "the end is not included"
    assert between(0, 100) == list(range(10))
    assert between(50, 60) == []
    assert between(-50, -40) == []
    assert [int(p) for p in payloads(where, topic, last=3)] == [7, 8, 9], "of both partitions"
    assert [int(p) for p in payloads(where, topic, partition=1, first=1, end=3)] == [3, 5]
    with pytest.raises(ReplayError, match="has no topic nowhere, or does not let us see it"):
        payloads(where, "nowhere")


def test_nothing_of_it_is_seen_by_a_real_kafka(kafka: Kafka, topic: str) -> None:
    where = cluster(kafka.bootstrap_servers, f"live-{topic}")
    commit(where, topic, 2)
    assert len(payloads(where, topic)) == 10
    assert kafka.committed(where.group_id, topic)[0] == 2
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    groups = {g.group_id for g in admin.list_consumer_groups().result(10).valid}
    assert f"{where.group_id}-replay" not in groups


def test_a_topic_whose_beginning_has_expired_is_read_from_where_it_begins(
    kafka: Kafka, topic: str,
) -> None:
    kafka.expire(topic, 3, 0)
    where = cluster(kafka.bootstrap_servers, f"live-{topic}")
    assert [int(p) for p in payloads(where, topic, partition=0, first=0, end=4)] == [6]
