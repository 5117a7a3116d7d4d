"""Commits: commits offsets, one request after the other, and says how each went.

A commit takes a round trip, which may be a tenth of a second, and when the one broker that
keeps the group's offsets hangs it takes a minute. Messages that other brokers have need not
wait for that: what is committed is in the ledger already. (A thread of its own could not wait
for it either: while one thread polls a client, the commit of another does not get through.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

Place = tuple[str, int]
"""A topic and the number of one of its partitions."""

LATER = 1.0
"""Seconds within which what is not urgent is committed."""


class Commits:
    """Commits what it is given, in that order, in as few requests as that takes.

    Parameters
    ----------
    told : callable
        Told of each offset that was committed, or not: topic, partition, offset, error.
    """

    def __init__(self, told: Callable[[str, int, int, KafkaError | None], None]) -> None:
        self._told = told
        self._pending: dict[Place, int] = {}
        self._due = 0.0
        self._since: float | None = None

    def add(self, offsets: Mapping[Place, int], *, urgent: bool = True) -> None:
        """Commit these at the next `turn`: the next offset to be read of each partition."""
        if not offsets:
            return
        now = time.monotonic()
        due = now if urgent else now + LATER
        self._due = min(self._due, due) if self._pending else due
        self._pending.update(offsets)

    def turn(self, consumer: Consumer) -> None:
        """Send what is due, unless there is no answer yet to what was sent before."""
        if self._since is None and self._pending and time.monotonic() >= self._due:
            offsets = [TopicPartition(*place, at) for place, at in self._pending.items()]
            self._pending.clear()
            self._since = time.monotonic()
            try:
                consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as e:
                self.answered(e.args[0], offsets)

    def answered(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """Note an answer; librdkafka calls this while its client is polled."""
        self._since = None
        for place in offsets:
            self._told(place.topic, place.partition, place.offset, place.error or error)

    @property
    def waiting(self) -> float:
        """For how long the last request has had no answer, in seconds."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def idle(self) -> bool:
        """Whether all has been committed, or refused."""
        return not self._pending and self._since is None

    def finish(self, consumer: Consumer, seconds: float) -> None:
        """Commit what is left, within so many seconds, with a client that reads nothing more."""
        self._due = 0.0
        end = time.monotonic() + seconds
        while not self.idle and time.monotonic() < end:
            self.turn(consumer)
            consumer.poll(0.05)
