"""Lane: one Kafka client and the partitions that it reads.

librdkafka puts what it fetches from all partitions of a client into one queue, so that a
backlog on one hides what is live on the others. A reader therefore has several lanes.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from ..conf import KafkaCluster
from ..notice import DOUBTFUL, INCOMPLETE, Notice
from .kafka_commits import Place
from .kafka_config import Lane as LaneName
from .kafka_config import consumer_config, largest
from .kafka_errors import KafkaReaderError
from .kafka_token import TokenCallback
from .quiet import QuietFilter

HEAD = 64 * 1024
"""Bytes that are kept of a message that is too large to be kept."""

_error_pending = ctypes.pythonapi.PyErr_Occurred
_error_pending.restype = ctypes.c_void_p
"""Called, it raises what a function in C has left behind."""


class Lane:
    """A client, the partitions assigned to it by hand, and the next offset of each.

    Parameters
    ----------
    source : str
        What errors and the log call it.
    cluster : KafkaCluster
        How to reach it.
    name : {"live", "old", "bulk"}
        Which lane of its reader it is.
    token : TokenCallback, optional
        Has the tokens, where there are such.
    on_error : callable
        Told errors of the client itself.
    refuse : callable
        Gets what came instead of a message: topic, partition, offset, error.
    answered : callable
        Told how a commit went: the error of all, and the offsets with each its own.

    Raises
    ------
    KafkaReaderError
        If librdkafka refuses the settings.
    """

    def __init__(
        self, source: str, cluster: KafkaCluster, name: LaneName, token: TokenCallback | None,
        on_error: Callable[[KafkaError], None],
        refuse: Callable[[str | None, int | None, int | None, KafkaError], None],
        answered: Callable[[KafkaError | None, list[TopicPartition]], None],
    ) -> None:
        self.next: dict[Place, int | None] = {}
        self._ends: dict[Place, int] = {}
        self._refuse = refuse
        self._paused = False
        self._token = token
        config = consumer_config(cluster, token, name) | {
            "error_cb": on_error, "on_commit": answered,
            # It tells the end, behind which may be nothing but marks of transactions, and what
            # is not there any more.
            "enable.partition.eof": True, "auto.offset.reset": "error"}
        try:
            self.consumer = Consumer(config, logger=_librdkafka_log(source))
        except KafkaException as e:
            raise KafkaReaderError(
                f"{source}: librdkafka refuses its settings: {e.args[0].str()}") from None

    def assign(self, places: Iterable[TopicPartition]) -> None:
        """Read these too, each from its offset."""
        fresh = list(places)
        self.next.update({(p.topic, p.partition): p.offset if p.offset >= 0 else None
                          for p in fresh})
        self.consumer.incremental_assign(fresh)
        if self._paused:
            self.consumer.pause(fresh)

    def drop(self, places: Iterable[Place]) -> None:
        """Read these no more; what was fetched of them is forgotten."""
        ours = [place for place in places if place in self.next]
        for place in ours:
            del self.next[place]
            self._ends.pop(place, None)
        if ours:
            self.consumer.incremental_unassign([TopicPartition(*place) for place in ours])

    def take(self, most: int, timeout: float) -> list[Message]:
        """Return what has come, waiting for a first message (s) but not for more."""
        arrived = []
        if timeout > 0:
            first = self.consumer.poll(timeout)
            if first is None:
                return []
            arrived.append(first)
        if most > len(arrived):
            arrived += self.consumer.consume(most - len(arrived), timeout=0)
        usable = [message for message in arrived if self._usable(message)]
        if not usable:
            self._reach_ends()
        return usable

    def _usable(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            # One that was under way when its partition was dropped comes again elsewhere.
            return (message.topic(), message.partition()) in self.next
        if error.code() != KafkaError._PARTITION_EOF:
            self._refuse(message.topic(), message.partition(), message.offset(), error)
        elif (message.topic(), message.partition()) in self.next:
            topic, partition, offset = whence(message)
            self._ends[topic, partition] = offset
        return False

    def _reach_ends(self) -> None:
        """Note where partitions end, once all that came of them is kept."""
        for place, end in self._ends.items():
            self.next[place] = max(self.next[place] or 0, end)
        self._ends.clear()

    def pause(self) -> None:
        """Fetch nothing until `resume`; go on calling `idle` meanwhile."""
        if not self._paused:
            self._paused = True
            self.consumer.pause(self.consumer.assignment())

    def resume(self) -> None:
        """Fetch again."""
        if self._paused:
            self._paused = False
            self.consumer.resume(self.consumer.assignment())

    def idle(self, timeout: float) -> None:
        """Poll while paused, so that the connection and its token stay alive."""
        message = self.consumer.poll(timeout)
        if message is not None and self._usable(message):
            # It was under way when we paused; it is to come again.
            topic, partition, offset = whence(message)
            self.consumer.seek(TopicPartition(topic, partition, offset))

    def kept(self, batch: Iterable[Message]) -> dict[Place, int]:
        """Note that these messages are in the ledger; return what is to be committed."""
        done: dict[Place, int] = {}
        for message in batch:
            topic, partition, offset = whence(message)
            done[topic, partition] = offset + 1
        self.next.update({place: offset for place, offset in done.items() if place in self.next})
        self._reach_ends()
        return done

    def lag(self, place: Place) -> int | None:
        """Return how many messages wait in Kafka behind those kept; None if that is not known.

        It is known, without asking, once something of the partition has been fetched.
        """
        position = self.next.get(place)
        if position is None:
            return None
        end = self.end(place)
        return None if end is None else max(0, end - position)

    def end(self, place: Place) -> int | None:
        """Return the offset after the last message of a partition, as last heard."""
        try:
            _, high = self.consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
        except KafkaException:
            return None
        return high if high >= 0 else None

    def close(self, patience: float = 0.0) -> None:
        """Close the client, waiting no longer than this (s) for its good-bye to the brokers."""
        if self._token is not None:
            self._token.closed = True
        # A broker that hangs would keep us for a minute.
        thread = threading.Thread(target=self.consumer.close, name="close Kafka client",
                                  daemon=True)
        thread.start()
        thread.join(patience)


def _librdkafka_log(source: str) -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.librdkafka.{source}")
    if not logger.filters:
        logger.addFilter(QuietFilter())
    return logger


def whence(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a message."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise KafkaReaderError("a message came without saying from where")
    return topic, partition, offset


def notice_of(message: Message, source: str, received: datetime) -> Notice:
    """Wrap a message in a notice: its bytes, as they are, and what Kafka says of it.

    Of one that is larger than any answer of Kafka may be, because it was compressed, only the
    beginning is taken, and a header says so.
    """
    kind, milliseconds = message.timestamp()
    sent = None if kind == TIMESTAMP_NOT_AVAILABLE else _moment(milliseconds)
    headers, payload = _headers(message), _bytes(message.value())
    if len(payload) > largest():
        digest = hashlib.sha256(payload).hexdigest()
        headers = (*headers, (INCOMPLETE, (
            f"the message has {len(payload):,} bytes, of which the first {HEAD:,} are kept; its "
            f"SHA-256 is {digest}; it was compressed on its way, and more than {largest():,} "
            "are not kept (four times max_message)").encode()))
        payload = payload[:HEAD]
    return Notice(
        payload=payload, source=source, topic=message.topic() or "",
        partition=message.partition(), offset=message.offset(), received=received, sent=sent,
        headers=headers)


def _headers(message: Message) -> tuple[tuple[str, bytes], ...]:
    try:
        found: Any = message.headers()
        if found:
            # confluent-kafka returns a list with an error pending when the name of a header is
            # not UTF-8; it would come up at any later place. What is in the list is not touched.
            _error_pending()
    except (UnicodeDecodeError, SystemError):
        return ((DOUBTFUL, b"a Kafka header of it has a name that is not UTF-8, so that none can "
                           b"be read; `gwbroker jobs retry` handles it without headers"),)
    return tuple((name, _bytes(value)) for name, value in found or ())


def _bytes(value: str | bytes | None) -> bytes:
    # A deserializer could have made it text; there is none here.
    return value.encode() if isinstance(value, str) else value or b""


def _moment(milliseconds: int) -> datetime | None:
    # The producer writes what it likes there, also the year 292,278,994.
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
