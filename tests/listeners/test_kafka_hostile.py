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
                         "message.max.bytes": 1_000_000_000, "linger.ms": 200})
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
