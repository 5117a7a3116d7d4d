"""Several readers of one cluster share its partitions, in whichever processes they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import select

from gwbroker.conf import KafkaCluster, settings
from gwbroker.embedded.kafka import MockKafka
from gwbroker.errors import ConfigError
from gwbroker.ledger import leases
from gwbroker.ledger.engine import read
from gwbroker.ledger.models import notices
from gwbroker.listeners import kafka_places
from gwbroker.listeners.kafka_places import is_ours

from ..servers import Broker, poll
from .kafka_reading import Reading


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        yield cluster


@pytest.mark.parametrize("readers", [1, 2, 3, 32])
def test_every_partition_falls_to_exactly_one_reader(readers: int) -> None:
    for topic in ("a", "gcn.circulars", "igwn.gwalert"):
        for partition in range(64):
            assert sum(is_ours(topic, partition, (n, readers)) for n in range(readers)) == 1


def test_the_partitions_of_one_topic_are_spread_evenly() -> None:
    spread = Counter(
        next(n for n in range(4) if is_ours("survey", partition, (n, 4))) for partition in range(8))
    assert set(spread.values()) == {2}


def test_another_process_comes_to_the_same_shares() -> None:
    ask = ("from gwbroker.listeners.kafka_places import is_ours\n"
           "print([is_ours('gcn.circulars', p, (1, 3)) for p in range(9)])")
    there = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True,
                           text=True, env={**os.environ, "PYTHONHASHSEED": "7"}).stdout
    assert there.strip() == str([is_ours("gcn.circulars", p, (1, 3)) for p in range(9)])


def test_two_readers_have_every_message_once(kafka: MockKafka) -> None:
    kafka.publish("a", *(b"%d" % n for n in range(400)))
    with Reading(kafka.bootstrap_servers, "a", reader={"share": (0, 2)}) as one, \
            Reading(kafka.bootstrap_servers, "a", reader={"share": (1, 2)}) as two:
        poll(lambda: len(one.kept) + len(two.kept) >= 400, 20, "all are kept")
    assert one.kept
    assert two.kept
    assert not one.offsets.keys() & two.offsets.keys()
    assert {n.source for n in (*one.kept, *two.kept)} == {"kafka.test"}
    assert (one.reader.book.source, two.reader.book.source) == ("kafka.test", "kafka.test.2")


def test_somebody_else_who_commits_under_our_group_is_noticed(
    kafka: MockKafka, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_places, "OTHERS", 0.5)
    monkeypatch.setattr(kafka_places, "ALIEN", 2.0)
    kafka.publish("a", *(b"%d" % n for n in range(40)))
    other = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "gwbroker"})
    with closing(other), Reading(kafka.bootstrap_servers, "a") as reading:
        reading.wait(40)
        reading.wait_well()
        # Whichever partition it is; it may well hold one message of the 40.
        place, offsets = next(iter(reading.offsets.items()))
        theirs = TopicPartition(place[0], place[1] or 0)
        poll(lambda: other.committed([theirs], timeout=5)[0].offset == len(offsets), 10,
             "ours is committed")
        theirs.offset = len(offsets) - 1
        other.commit(offsets=[theirs], asynchronous=False)
        reading.wait_for("another program commits under the group gwbroker: give this one a "
                         "group_id of its own")
        reading.wait_well()


def test_each_reader_is_a_source_of_its_own_and_the_number_is_bounded(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GWBROKER_KAFKA__X__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    environment.setenv("GWBROKER_KAFKA__X__READERS", "3")
    assert settings().sources == ("kafka.x", "kafka.x.2", "kafka.x.3")
    for number in ("0", "33"):
        environment.setenv("GWBROKER_KAFKA__X__READERS", number)
        settings.cache_clear()
        with pytest.raises(ConfigError, match="readers"):
            settings()


@pytest.mark.usefixtures("sqlite")
def test_two_listener_processes_share_a_topic_and_the_kill_of_one_loses_and_doubles_nothing(
    environment: pytest.MonkeyPatch, kafka: MockKafka, broker: Broker,
) -> None:
    environment.setenv("GWBROKER_KAFKA__X__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    environment.setenv("GWBROKER_KAFKA__X__READERS", "2")
    environment.setenv("GWBROKER_KAFKA__X__TOPICS", '["a"]')
    environment.setenv("GWBROKER_KAFKA__X__REFRESH", "1")
    settings.cache_clear()
    number = 0

    def publish(more: int) -> None:
        nonlocal number
        kafka.publish("a", *(b"%d" % n for n in range(number, number + more)))
        number += more

    def rows() -> list[tuple[int, int, str]]:
        with read() as connection:
            return [tuple(row) for row in connection.execute(  # type: ignore[misc]
                select(notices.c.partition, notices.c.offset, notices.c.source)
                .where(notices.c.topic == "a").order_by(notices.c.id))]

    def holders() -> dict[str, int]:
        return {row["name"]: row["pid"] for row in leases.listing()
                if row["held"] and ".kafka.x" in row["name"]}

    publish(100)
    broker.redis()
    broker.worker("general", "--concurrency", "4")
    broker.beat()
    broker.wait(lambda: len(rows()) == 100, 30, "both have kept their share")
    pids = holders()
    assert set(pids) == {"gwbroker.listeners.kafka.x", "gwbroker.listeners.kafka.x.2"}
    assert len(set(pids.values())) == 2
    publish(2000)
    broker.wait(lambda: len(rows()) > 200, 10, "they are at work")
    os.kill(pids["gwbroker.listeners.kafka.x.2"], signal.SIGKILL)
    publish(200)
    broker.wait(lambda: len(rows()) >= number, 30, "the other was started again and went on")
    assert holders()["gwbroker.listeners.kafka.x.2"] != pids["gwbroker.listeners.kafka.x.2"]
    found = rows()
    assert len(found) == number == len(set(found))
    assert {source for _, _, source in found} == {"kafka.x"}
    for partition in {partition for partition, _, _ in found}:
        offsets = [offset for p, offset, _ in found if p == partition]
        assert offsets == list(range(len(offsets)))


@pytest.mark.parametrize("group", ["b2f7c1de-33aa-4b21-9f00-1234567890ab",
                                   "gwbroker-b2f7c1de33aa4b219f001234567890ab"])
def test_a_group_id_that_looks_random_is_recognised(group: str) -> None:
    assert KafkaCluster(bootstrap_servers="127.0.0.1:1", group_id=group).group_looks_random
    assert not KafkaCluster(bootstrap_servers="127.0.0.1:1").group_looks_random


def test_scimma_is_asked_for_the_alerts_of_ligo_but_not_for_what_is_gcns_alone():
    from gwbroker.listeners.kafka import topics

    asked = topics(KafkaCluster(
        preset="scimma", username="vera", password="x", topics=("sys.heartbeat",)))
    assert {"igwn.gwalert", "sys.heartbeat"} <= asked
    assert not {topic for topic in asked if topic.startswith("gcn.")}
