"""KafkaReader: read topics of one cluster, keep, then commit.

Partitions are assigned by hand and offsets committed under the group's name. The
lease of the listener sees to it that one copy reads, so no group membership is
needed: a listener that comes back after a kill reads on at once instead of waiting
for a session to time out, and a slow one is never evicted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from ..conf import KafkaCluster
from ..errors import GWBrokerError, LedgerUnavailable
from ..notice import Notice, utcnow
from .kafka_config import consumer_config
from .quiet import QuietFilter, QuietLog

log = logging.getLogger(__name__)

BATCH = 500
TIMEOUT = 2.0
"""Seconds to wait for an answer about topics or offsets; a stop has to be noticed."""

_GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC,
         KafkaError._UNKNOWN_PARTITION)


def _librdkafka_log(source: str) -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.librdkafka.{source}")
    if not logger.filters:
        logger.addFilter(QuietFilter())
    return logger


class KafkaReaderError(GWBrokerError):
    """A Kafka client cannot go on."""


class KafkaReader:
    """Read topics of one cluster for ever.

    Parameters
    ----------
    source : str
        Name of the source, as ``kafka.gcn``.
    cluster : KafkaCluster
        How to reach it.
    topics : iterable of str
        What to read; topics that do not exist yet are looked for again and again.
    accept : callable
        Takes a list of notices and keeps all of them, or raises `LedgerUnavailable`,
        after which it is called again later.
    should_stop : callable
        Asked several times a second.
    say : callable, optional
        Told how it fares: a state, and an error or None.
    """

    def __init__(
        self, source: str, cluster: KafkaCluster, topics: Iterable[str],
        accept: Callable[[Sequence[Notice]], object], should_stop: Callable[[], bool],
        say: Callable[[str, str | None], object] = lambda state, error: None,
    ) -> None:
        self.source = source
        self.cluster = cluster
        self.topics = frozenset(topics)
        self.accept = accept
        self.should_stop = should_stop
        self.say = say
        self._log = QuietLog(log)
        self._assigned: set[tuple[str, int]] = set()
        self._refresh_at = 0.0
        self._error: str | None = None
        self._missing: set[str] = set()
        self._looked = False
        self._consumer: Consumer | None = None

    def run(self) -> None:
        """Read until `should_stop`.

        Raises
        ------
        KafkaReaderError
            If the client is beyond repair, or its settings are refused.
        """
        try:
            consumer = self._consumer = Consumer(
                consumer_config(self.cluster) | {"error_cb": self._on_error},
                logger=_librdkafka_log(self.source))
        except KafkaException as e:
            raise KafkaReaderError(
                f"{self.source}: librdkafka refuses its settings: {e.args[0].str()}") from None
        try:
            while not self.should_stop():
                self._discover(consumer)
                batch = self._take(consumer)
                if batch and self._keep(consumer, batch):
                    self._commit(consumer, batch)
        finally:
            consumer.close()

    def _on_error(self, error: KafkaError) -> None:
        # librdkafka repeats itself about 20 times a second while a broker is down.
        self._error = f"{error.name()}: {error.str()}"
        self._log(logging.WARNING, error.name(), "%s: %s", self.source, self._error)
        if error.fatal():
            raise KafkaReaderError(f"{self.source}: {self._error}")

    def _discover(self, consumer: Consumer) -> None:
        now = time.monotonic()
        if now < self._refresh_at:
            return
        self._refresh_at = now + self.cluster.refresh
        try:
            found = consumer.list_topics(timeout=TIMEOUT).topics
        except KafkaException as e:
            self._trouble(f"no answer from {self.cluster.bootstrap_servers}: {e.args[0].str()}")
            self._refresh_at = now + 1.0
            return
        fresh = [
            TopicPartition(topic, partition)
            for topic in sorted(self.topics & found.keys()) if found[topic].error is None
            for partition in found[topic].partitions
            if (topic, partition) not in self._assigned
        ]
        missing = set(self.topics - found.keys())
        if missing - self._missing:
            log.info("%s: %d topics are not there yet and will be read as soon as they are",
                     self.source, len(missing))
            log.debug("%s: missing %s", self.source, ", ".join(sorted(missing)))
        self._missing = missing
        if fresh and not self._assign(consumer, fresh):
            return
        self._looked = True
        self._fine()

    def _assign(self, consumer: Consumer, fresh: list[TopicPartition]) -> bool:
        try:
            known = consumer.committed(fresh, timeout=TIMEOUT)
        except KafkaException as e:
            self._trouble(f"no answer about committed offsets: {e.args[0].str()}")
            self._refresh_at = time.monotonic() + 1.0
            return False
        # A topic that appears while we listen is read from its first message, always.
        latest = self.cluster.start == "latest" and not self._looked
        usable = [place for place in known if place.error is None]
        for place in known:
            if place.error is not None:
                self._trouble(f"{place.topic}: {place.error.str()}")
        fixed = []
        for place in usable:
            if place.offset == OFFSET_INVALID:
                place.offset = OFFSET_BEGINNING
                if latest:
                    try:
                        place.offset = consumer.get_watermark_offsets(place, timeout=TIMEOUT)[1]
                    except KafkaException as e:
                        self._trouble(f"{place.topic}: its end is not told: {e.args[0].str()}")
                        return False
                    fixed.append(place)
        if fixed:
            # Or a restart before the first message would skip what came in between.
            self._commit_offsets(consumer, fixed)
        self._assigned.update((place.topic, place.partition) for place in usable)
        consumer.incremental_assign(usable)
        log.info("%s: now also reads %s", self.source,
                 ", ".join(sorted({place.topic for place in usable})))
        return len(usable) == len(known)

    def _take(self, consumer: Consumer) -> list[Message]:
        first = consumer.poll(0.5)
        if first is None:
            return []
        # What is there already comes along, without waiting for more.
        arrived = [first, *consumer.consume(BATCH - 1, timeout=0)]
        batch = []
        for message in arrived:
            error = message.error()
            if error is None:
                batch.append(message)
            else:
                self._refuse(consumer, message, error)
        return batch

    def _refuse(self, consumer: Consumer, message: Message, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            return
        topic, partition = message.topic(), message.partition()
        self._trouble(f"{topic}: {error.str()}")
        if error.code() in _GONE and topic is not None and partition is not None:
            # Deleted; it is read anew, from where we were, if it comes again.
            if (topic, partition) in self._assigned:
                self._assigned.discard((topic, partition))
                consumer.incremental_unassign([TopicPartition(topic, partition)])
        elif error.fatal():
            raise KafkaReaderError(f"{self.source}: {error.str()}")

    def _keep(self, consumer: Consumer, batch: list[Message]) -> bool:
        notices = [self._notice(message) for message in batch]
        pause = 0.2
        paused = False
        while True:
            try:
                self.accept(notices)
            except LedgerUnavailable as e:
                self._trouble(f"the ledger is away: {e}")
                if not paused:
                    consumer.pause(consumer.assignment())
                    paused = True
                if self.should_stop():
                    return False
                # Polling goes on, so that the connection and its token stay alive.
                self._poll_paused(consumer, pause)
                pause = min(pause * 2, 5.0)
            else:
                if paused:
                    consumer.resume(consumer.assignment())
                self._fine()
                return True

    def _poll_paused(self, consumer: Consumer, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.should_stop():
            message = consumer.poll(0.1)
            error = None if message is None else message.error()
            if message is not None and error is not None:
                self._refuse(consumer, message, error)
            elif message is not None:
                # It was under way when we paused; it is to come again.
                consumer.seek(TopicPartition(*_place(message)))

    def _notice(self, message: Message) -> Notice:
        kind, milliseconds = message.timestamp()
        sent = None if kind == TIMESTAMP_NOT_AVAILABLE else _moment(milliseconds)
        return Notice(
            payload=message.value() or b"", source=self.source, topic=message.topic() or "",
            partition=message.partition(), offset=message.offset(), received=utcnow(), sent=sent)

    def _commit(self, consumer: Consumer, batch: list[Message]) -> None:
        last: dict[tuple[Any, Any], int] = {}
        for message in batch:
            place = (message.topic(), message.partition())
            last[place] = max(last.get(place, -1), message.offset() or 0)
        self._commit_offsets(
            consumer, [TopicPartition(t, p, o + 1) for (t, p), o in last.items()])

    def _commit_offsets(self, consumer: Consumer, offsets: list[TopicPartition]) -> None:
        try:
            done = consumer.commit(offsets=offsets, asynchronous=False)
            for written in done or []:
                if written.error is not None:
                    self._trouble(
                        f"offset of {written.topic} not committed: {written.error.str()}")
        except KafkaException as e:
            # The notices are kept; at worst they come again and are recognised.
            self._trouble(f"offsets not committed: {e.args[0].str()}")

    def _trouble(self, problem: str) -> None:
        self._error = problem
        self._log(logging.WARNING, problem.split(":")[0], "%s: %s", self.source, problem)
        self.say("trouble", problem)

    def _fine(self) -> None:
        self._error = None
        topics = {topic for topic, _ in self._assigned}
        self.say(f"reads {len(topics)} of {len(self.topics)} topics", None)


def _moment(milliseconds: int) -> datetime | None:
    # The producer writes what it likes there, also the year 292,278,994.
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _place(message: Message) -> tuple[str, int, int]:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise KafkaReaderError("a message came without saying from where")
    return topic, partition, offset
