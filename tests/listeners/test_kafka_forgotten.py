"""Topics made anew under their names, and offsets that Kafka has forgotten, cost no message."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from gwbroker.ledger import topics as rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.topics import Progress
from gwbroker.listeners import kafka_places

from ..kafka_server import Kafka
from ..servers import poll
from .kafka_reading import Reading
from .real_kafka import fresh


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, with one partition."""
    return kafka.create_topic(fresh(request.node.name[:80]))


@pytest.fixture
def group() -> str:
    """A group of the test's own."""
    return fresh("group")


def messages(first: int, end: int) -> list[bytes]:
    """Return messages that differ."""
    return [b"%d" % n for n in range(first, end)]


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_topic_made_anew_at_once_with_more_in_it_than_before_is_read_from_its_beginning(
    kafka: Kafka, topic: str, group: str, start: str,
) -> None:
    with Reading(kafka.bootstrap_servers, topic, group_id=group, start=start) as reading:
        reading.wait_well()
        kafka.publish(topic, *messages(0, 3))
        reading.wait(3)
        poll(lambda: topic in reading.reader._places._identity._known, 20, "its id is known")
        poll(lambda: kafka.committed(group, topic) == {0: 3}, 10, "they are committed")
        kafka.delete_topic(topic)
        kafka.create_topic(topic)
        kafka.publish(topic, *messages(10, 20))
        poll(lambda: {n.payload for n in reading.kept} >= set(messages(10, 20)), 30,
             f"all of the new one are kept; {[n.payload for n in reading.kept]}")
        poll(lambda: kafka.committed(group, topic) == {0: 10}, 10, "they are committed")


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_topic_that_is_gone_for_a_while_is_read_from_its_beginning_when_it_comes_again(
    kafka: Kafka, topic: str, group: str, start: str,
) -> None:
    with Reading(kafka.bootstrap_servers, topic, group_id=group, start=start) as reading:
        reading.wait_well()
        kafka.publish(topic, *messages(0, 3))
        reading.wait(3)
        kafka.delete_topic(topic)
        poll(lambda: reading.said[-1][0] == "reads 0 of 1 topics", 20,
             f"it is missed; {reading.said[-3:]}")
        kafka.create_topic(topic)
        kafka.publish(topic, *messages(10, 20))
        poll(lambda: {n.payload for n in reading.kept} >= set(messages(10, 20)), 30,
             f"all of the new one are kept; {[n.payload for n in reading.kept]}")


def test_offsets_that_kafka_forgets_are_committed_again_and_nobody_is_suspected(
    kafka: Kafka, topic: str, group: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_places, "OTHERS", 0.5)
    with Reading(kafka.bootstrap_servers, topic, group_id=group) as reading:
        kafka.publish(topic, *messages(0, 3))
        reading.wait(3)
        poll(lambda: kafka.committed(group, topic) == {0: 3}, 10, "they are committed")
        kafka.forget_offsets(group)
        poll(lambda: kafka.committed(group, topic) == {0: 3}, 20, "they are committed again")
        kafka.publish(topic, b"new")
        reading.wait(4)
    assert not any("another program" in (error or "") for _, error in reading.said)


def test_what_came_while_a_listener_was_down_is_read_though_its_offset_is_forgotten(
    kafka: Kafka, topic: str, group: str,
) -> None:
    with Reading(kafka.bootstrap_servers, topic, group_id=group, start="latest") as reading:
        reading.wait_well()
        kafka.publish(topic, b"before")
        reading.wait(1)
    kafka.publish(topic, b"meanwhile")
    kafka.forget_offsets(group)
    with Reading(kafka.bootstrap_servers, topic, group_id=group, start="latest",
                 reader={"known": lambda: {topic}}) as reading:
        reading.wait(2)
        assert [notice.payload for notice in reading.kept] == [b"before", b"meanwhile"]


def test_the_ledger_tells_which_topics_any_reader_of_a_cluster_has_read(ledger: str) -> None:
    def progress(topic: str, seen: int) -> Progress:
        return Progress(topic, seen, 0, None, None, None)

    with write() as connection:
        rows.note(connection, "kafka.a", [progress("one", 1), progress("none", 0)])
        rows.note(connection, "kafka.a.2", [progress("two", 5)])
        rows.note(connection, "kafka.ab", [progress("three", 5)])
    with read() as connection:
        assert rows.known(connection, "kafka.a") == {"one", "two"}


def test_behind_an_aborted_transaction_nothing_waits(
    kafka: Kafka, topic: str, group: str,
) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers,
                         "transactional.id": fresh("transaction")})
    producer.init_transactions(20)
    with Reading(kafka.bootstrap_servers, topic, group_id=group) as reading:
        kafka.publish(topic, b"1")
        reading.wait(1)
        producer.begin_transaction()
        for payload in messages(0, 3000):
            producer.produce(topic, payload)
        assert producer.flush(20) == 0
        producer.abort_transaction(20)

        def lag() -> int | None:
            return reading.reader._lanes.lags().get(topic)

        (end,) = kafka.end_offsets(topic).values()
        assert end > 3000
        poll(lambda: lag() == 0, 20, f"nothing waits; lag {lag()}")
        # It is no backlog either: what comes next is read at once, by the live lane.
        assert not (reading.reader._lanes.old and reading.reader._lanes.old.next)
        kafka.publish(topic, b"2")
        assert reading.wait(2) == [b"1", b"2"]
