"""Topics of a real Apache Kafka that come late, grow, go, expire, or may not be read."""

from __future__ import annotations

import logging
import time

import pytest

from ..kafka_server import Kafka
from ..servers import PATIENCE, poll
from .real_kafka import Reading, fresh


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, with one partition."""
    return kafka.create_topic(fresh(request.node.name[:80]))


def test_the_first_message_of_a_topic_made_later_arrives_within_15_seconds(
    kafka: Kafka, topic: str,
) -> None:
    later = fresh("made.later")
    with Reading(kafka, topic, later, start="latest", refresh=5) as reading:
        reading.wait_until_well()
        made = time.monotonic()
        kafka.create_topic(later, 2)
        kafka.publish(later, b"the first", partition=1)
        assert reading.wait(1, seconds=15) == [b"the first"]
        assert time.monotonic() - made < 15 * PATIENCE


def test_a_missing_topic_is_one_line_in_the_log_and_is_read_when_it_is_there(
    kafka: Kafka, topic: str, caplog: pytest.LogCaptureFixture,
) -> None:
    missing = fresh("missing")
    with caplog.at_level(logging.INFO, "gwbroker"):
        with Reading(kafka, topic, missing, refresh=0.2) as reading:
            kafka.publish(topic, b"another topic's")
            assert reading.wait(1) == [b"another topic's"]
            poll(lambda: "reads 1 of 2 topics" in reading.state, 10, "the number is said")
            # Long enough for several further looks.
            time.sleep(1)
            lines = [r for r in caplog.records if "not there yet" in r.getMessage()]
            assert len(lines) == 1
            assert not reading.trouble
            kafka.create_topic(missing)
            kafka.publish(missing, b"it is there")
            assert reading.wait(2)[1] == b"it is there"
        # An error of Kafka's is never taken for a notice.
        assert {notice.topic for notice in reading.kept} == {topic, missing}


def test_partitions_that_are_added_are_read_from_their_beginning(
    kafka: Kafka, topic: str,
) -> None:
    with Reading(kafka, topic, start="latest") as reading:
        reading.wait_until_well()
        kafka.add_partitions(topic, 3)
        kafka.publish(topic, b"a", partition=1)
        kafka.publish(topic, b"b", partition=2)
        assert sorted(reading.wait(2)) == [b"a", b"b"]


def test_a_topic_that_is_deleted_and_made_anew_is_read_from_its_beginning(
    kafka: Kafka, topic: str,
) -> None:
    with Reading(kafka, topic) as reading:
        kafka.publish(topic, b"1", b"2", b"3")
        reading.wait(3)
        poll(lambda: reading.committed(topic) == {0: 3}, 10, "they are committed")
        kafka.delete_topic(topic)
        kafka.create_topic(topic)
        kafka.publish(topic, b"4")
        assert reading.wait(4, seconds=20)[3] == b"4"


def test_a_reader_whose_offset_has_expired_says_so_and_goes_on_from_the_earliest(
    kafka: Kafka, topic: str,
) -> None:
    kafka.publish(topic, b"1")
    with Reading(kafka, topic) as first:
        first.wait(1)
    assert first.committed(topic) == {0: 1}
    kafka.publish(topic, b"2", b"3", b"4")
    kafka.expire(topic, 2)
    with Reading(kafka, topic, group_id=first.cluster.group_id, start="latest") as second:
        # What was lost stands in the ledger, once.
        gap = second.wait(3)[0]
        assert second.payloads[1:] == [b"3", b"4"]
        assert b"offsets 1 to 1 are left out" in gap
        assert "Kafka has removed" in (second.kept[0].incomplete or "")
        second.wait_until_well()
    assert second.committed(topic) == {0: 4}


@pytest.mark.parametrize("word", ["all", "read"])
def test_a_topic_that_is_forbidden_is_said_and_the_others_flow(
    kafka: Kafka, topic: str, word: str,
) -> None:
    user, forbidden = fresh("user"), kafka.create_topic(fresh("forbidden"))
    kafka.add_user(user, "its password")
    kafka.forbid(user, forbidden, word)
    kafka.publish(forbidden, b"secret")
    with Reading(kafka, topic, forbidden, security="scram-sha-512", tls=False, username=user,
                 password="its password", bootstrap_servers=kafka.scram_servers) as reading:
        kafka.publish(topic, b"1")
        assert reading.wait(1) == [b"1"]
        if word == "read":
            reading.wait_for_trouble(f"{forbidden}.*authori", 15)
        else:
            # It may not even be described, and looks like one that is not there.
            poll(lambda: "reads 1 of 2" in reading.state, 15, f"it is said; {reading.said[-3:]}")
        kafka.publish(topic, b"2")
        assert reading.wait(2, seconds=3) == [b"1", b"2"]
        kafka.permit(user, forbidden)
        assert reading.wait(3, seconds=25)[2] == b"secret"
        reading.wait_until_well()
