"""Rewind: read a stretch of Kafka once more, without moving those who listen."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ..conf import KafkaCluster
from ..errors import ReplayError
from ..ledger.ranges import Range
from ..notice import Notice, utcnow
from .kafka_config import consumer_config
from .kafka_lane import notice_of, whence
from .kafka_token import TokenCallback, token_source

PATIENCE = 20.0
"""Seconds without an answer after which a cluster is given up."""

PAGE = 200


@dataclass(frozen=True)
class Stretch:
    """Part of a partition: from an offset up to, but not including, another."""

    topic: str
    partition: int
    first: int
    end: int


class Rewind:
    """Reads what a range has in Kafka.

    The client has a group name of its own, never joins that group and never commits: the
    partitions and offsets are given to it.

    Parameters
    ----------
    source : str
        As ``kafka.gcn``.
    consumer : Consumer
        Ours alone.
    chosen : Range
        What to read.
    stretches : list of Stretch
        Where that is.
    said : list of str
        What the client has said of errors, the latest last.
    """

    def __init__(
        self, source: str, consumer: Consumer, chosen: Range, stretches: list[Stretch],
        said: list[str],
    ) -> None:
        self.said = said
        self.source = source
        self.consumer = consumer
        self.chosen = chosen
        self.stretches = stretches

    @property
    def number(self) -> int:
        """At most how many messages there are."""
        number = sum(s.end - s.first for s in self.stretches)
        return number if self.chosen.last is None else min(number, self.chosen.last)

    def pages(self) -> Iterator[list[Notice]]:
        """Yield the messages, some at a time, each partition in its order.

        Raises
        ------
        ReplayError
            If the cluster does not go on.
        """
        if self.chosen.last is not None:
            newest = heapq.nlargest(self.chosen.last, (n for page in self._read() for n in page),
                                    key=_age)
            newest.reverse()
            for index in range(0, len(newest), PAGE):
                yield newest[index:index + PAGE]
        else:
            yield from self._read()

    def _read(self) -> Iterator[list[Notice]]:
        left = {(s.topic, s.partition): s.end for s in self.stretches}
        self.consumer.assign([TopicPartition(s.topic, s.partition, s.first)
                              for s in self.stretches])
        heard = time.monotonic()
        while left:
            arrived = self.consumer.consume(PAGE, timeout=0.5)
            page = []
            for message in arrived:
                error = message.error()
                if error is None:
                    page += self._take(message, left)
                elif error.code() == KafkaError._PARTITION_EOF:
                    # What is missing before the end was compacted, or is a mark of a transaction.
                    left.pop((message.topic() or "", message.partition() or 0), None)
                elif not error.retriable():
                    raise ReplayError(f"{self.source}: {message.topic()}: {error.str()}")
            if page:
                yield page
            if arrived:
                heard = time.monotonic()
            elif time.monotonic() - heard > PATIENCE:
                raise ReplayError(f"{self.source}: nothing came for {PATIENCE:.0f} s"
                                  f"{''.join(self.said[-1:])}")

    def _take(self, message: Message, left: dict[tuple[str, int], int]) -> list[Notice]:
        topic, partition, offset = whence(message)
        end = left.get((topic, partition))
        if end is None:
            return []
        if offset >= end - 1:
            del left[topic, partition]
            self.consumer.incremental_unassign([TopicPartition(topic, partition)])
        notice = notice_of(message, self.source, utcnow())
        when = notice.sent or notice.received
        early = self.chosen.since is not None and when < self.chosen.since
        late = self.chosen.until is not None and when >= self.chosen.until
        return [] if offset >= end or early or late else [notice]


def _age(notice: Notice) -> tuple[datetime, str, int, int]:
    return (notice.sent or notice.received, notice.topic, notice.partition or 0,
            notice.offset or 0)


@contextmanager
def rewind(
    source: str, cluster: KafkaCluster, chosen: Range, skip_missing: bool = False,
) -> Iterator[Rewind]:
    """Open a range of a Kafka cluster for reading.

    Parameters
    ----------
    source : str
        As ``kafka.gcn``.
    cluster : KafkaCluster
        How to reach it.
    chosen : Range
        What to read; its topics must be named.
    skip_missing : bool
        Whether topics may be absent.

    Raises
    ------
    ReplayError
        If the cluster does not answer, a topic or partition is not there, or nothing is in
        the range.
    """
    with ExitStack() as stack:
        callback = None
        if cluster.security == "oidc":
            tokens = stack.enter_context(token_source(source, cluster))
            if tokens.wait(PATIENCE, lambda: False) is None:
                raise ReplayError(f"{source}: {tokens.trouble() or 'no token comes'}")
            callback = TokenCallback(tokens)
            stack.callback(setattr, callback, "closed", True)
        said: list[str] = []
        options: dict[str, Any] = consumer_config(cluster, callback, "old") | {
            "group.id": f"{cluster.group_id}-replay", "enable.partition.eof": True,
            "enable.auto.commit": False, "log_level": 0,
            "error_cb": lambda error: said.append(f": {error.str()}")}
        try:
            consumer = Consumer(options)
        except KafkaException as e:
            raise ReplayError(f"{source}: librdkafka refuses its settings: "
                              f"{e.args[0].str()}") from None
        stack.callback(consumer.close)
        try:
            stretches = _stretches(source, consumer, chosen, skip_missing)
        except KafkaException as e:
            raise ReplayError(f"{source}: no answer from {cluster.bootstrap_servers}: "
                              f"{e.args[0].str()}") from None
        yield Rewind(source, consumer, chosen, stretches, said)


def _stretches(
    source: str, consumer: Consumer, chosen: Range, skip_missing: bool,
) -> list[Stretch]:
    found = consumer.list_topics(timeout=PATIENCE).topics
    missing = [t for t in chosen.topics if t not in found or found[t].error is not None]
    if missing and not skip_missing:
        raise ReplayError(f"{source} has no topic {', '.join(missing)}, or does not let us see it")
    places = [(topic, partition) for topic in chosen.topics if topic not in missing
              for partition in found[topic].partitions if chosen.partition in (None, partition)]
    if not places and not missing:
        raise ReplayError(f"{', '.join(chosen.topics)} has no partition {chosen.partition}")
    since = _at(consumer, places, chosen.since)
    until = _at(consumer, places, chosen.until)
    stretches = []
    for place in places:
        low, high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=PATIENCE)
        first = max(low, chosen.first or 0,
                    since.get(place, high if chosen.since is not None else low))
        end = min(high, high if chosen.end is None else chosen.end, until.get(place, high))
        if chosen.last is not None:
            first = max(first, end - chosen.last)
        if first < end:
            stretches.append(Stretch(*place, first, end))
    return stretches


def _at(
    consumer: Consumer, places: list[tuple[str, int]], moment: datetime | None,
) -> dict[tuple[str, int], int]:
    """Return the first offset at or after a moment; those without one, at the end, are left out."""
    if moment is None:
        return {}
    asked = [TopicPartition(topic, partition, int(moment.timestamp() * 1000))
             for topic, partition in places]
    found = {}
    for place in consumer.offsets_for_times(asked, timeout=PATIENCE):
        if place.error is not None:
            raise KafkaException(place.error)
        if place.offset >= 0:
            found[place.topic, place.partition] = place.offset
    return found
