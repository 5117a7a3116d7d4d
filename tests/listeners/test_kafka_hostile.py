"""What whoever may publish on a topic can do to the reader: nothing that outlasts his message."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Producer

from gwbroker.conf import settings
from gwbroker.embedded.kafka import MockKafka
from gwbroker.listeners.kafka_config import largest
from gwbroker.listeners.kafka_lane import HEAD
from gwbroker.notice import Notice

from .. import raw_producer
from ..servers import poll
from .kafka_reading import Reading


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        yield cluster


def publish(kafka: MockKafka, codec: str, *payloads: bytes, partition: int = 0) -> None:
    """Publish messages together, packed."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "compression.codec": codec,
                         "message.max.bytes": 1_000_000_000, "batch.size": 1_000_000_000,
                         "linger.ms": 300})
    for payload in payloads:
        producer.produce("a", payload, partition=partition)
    assert producer.flush(60) == 0


@pytest.mark.parametrize("headers", [
    [(b"caf\xe9", b"v")], [(b"good", b"1"), (b"\xff\xfe", b"v"), (b"_id", b"2")] * 7])
def test_a_header_whose_name_is_not_utf_8_costs_its_message_the_headers_and_no_other_anything(
    kafka: MockKafka, headers: Sequence[tuple[bytes, bytes]],
) -> None:
    publish(kafka, "none", b"before")
    raw_producer.publish(kafka.bootstrap_servers, "a", 0, b"evil", headers)
    raw_producer.publish(kafka.bootstrap_servers, "a", 0, b"good", [(b"name", b"\xff")])
    publish(kafka, "none", b"after")
    with Reading(kafka.bootstrap_servers, "a") as reading:
        reading.wait(4)
        reading.assert_each_once_in_order()
    assert reading.error is None
    by_payload = {notice.payload: notice for notice in reading.kept}
    assert "not UTF-8" in (by_payload[b"evil"].doubtful or "")
    assert by_payload[b"good"].headers == (("name", b"\xff"),)
    assert not any(by_payload[each].doubtful for each in (b"before", b"good", b"after"))


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy"])
def test_of_a_message_that_unfolds_beyond_any_answer_only_the_beginning_is_kept(
    kafka: MockKafka, codec: str, environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GWBROKER_MAX_MESSAGE", "1024")
    settings.cache_clear()
    bomb = b"0" * (largest() + 1)
    publish(kafka, codec, b"before", bomb, b"after")
    with Reading(kafka.bootstrap_servers, "a") as reading:
        reading.wait(3, 60)
        reading.assert_each_once_in_order()
    cut: Notice = reading.kept[1]
    assert cut.payload == bomb[:HEAD]
    assert hashlib.sha256(bomb).hexdigest() in (cut.incomplete or "")
    assert f"{len(bomb):,} bytes" in (cut.incomplete or "")
    assert [n.incomplete for n in (reading.kept[0], reading.kept[2])] == [None, None]


def test_a_message_of_exactly_the_largest_size_is_kept_whole(
    kafka: MockKafka, environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GWBROKER_MAX_MESSAGE", "1024")
    settings.cache_clear()
    publish(kafka, "gzip", b"0" * largest())
    with Reading(kafka.bootstrap_servers, "a") as reading:
        poll(lambda: reading.kept, 60, "it is kept")
    assert len(reading.kept[0].payload) == largest()
    assert not reading.kept[0].incomplete


def assert_left_out(notice: Notice, first: int, end: int) -> None:
    """Check that a notice stands for the messages from an offset up to another."""
    assert notice.offset == first
    assert f"offsets {first} to {end - 1} are left out" in (notice.incomplete or "")
    assert b"offsets" in notice.payload


@pytest.mark.parametrize("together", [1, 2, 37])
def test_messages_that_cannot_be_unpacked_are_left_out_and_those_behind_them_flow(
    kafka: MockKafka, together: int,
) -> None:
    bomb = b"0" * (largest() + 1)
    publish(kafka, "none", b"before", b"before too")
    publish(kafka, "zstd", bomb, *(b"%d" % n for n in range(together - 1)))
    publish(kafka, "zstd", b"after", b"after too")
    # Other partitions do not wait for it.
    publish(kafka, "none", *(b"%d" % n for n in range(1000, 1100)), partition=1)
    with Reading(kafka.bootstrap_servers, "a") as reading:
        reading.wait(2 + 1 + 2 + 100, 60)
        reading.wait_well()
        publish(kafka, "none", b"new")
        reading.wait(106)
    first = [n for n in reading.kept if n.partition == 0]
    assert [n.payload for n in first if not n.incomplete] == [
        b"before", b"before too", b"after", b"after too", b"new"]
    (left_out,) = [n for n in first if n.incomplete]
    assert_left_out(left_out, 2, 2 + together)
    assert any("cannot be read" in (error or "") for _, error in reading.said)
    # What comes next time begins behind it.
    with Reading(kafka.bootstrap_servers, "a") as reading:
        reading.wait_well()
        publish(kafka, "none", b"newer")
        assert reading.wait(1) == [b"newer"]


def test_messages_that_cannot_be_unpacked_at_the_end_of_a_partition_are_left_out_too(
    kafka: MockKafka,
) -> None:
    publish(kafka, "zstd", b"0" * (largest() + 1))
    with Reading(kafka.bootstrap_servers, "a") as reading:
        reading.wait(1, 60)
        reading.wait_well()
        publish(kafka, "none", b"new")
        reading.wait(2)
    assert_left_out(reading.kept[0], 0, 1)
    assert reading.kept[1].payload == b"new"
