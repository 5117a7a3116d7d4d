"""Unreadable: messages that cannot be unpacked or are gone, and where reading can go on.

Who may publish on a topic may publish what librdkafka refuses to unpack: a zstd message of
3 kB that has 100 MiB inside, a damaged batch. librdkafka then asks for the same batch for
ever. How many messages were packed together nobody tells, so the end is searched for: ever
further behind, until something can be read, then back by halves.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ..notice import INCOMPLETE, Notice, utcnow
from .kafka_commits import Commits, Place
from .kafka_places import Places
from .kafka_topics import TopicBook

log = logging.getLogger(__name__)

UNREADABLE = (KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG, KafkaError.INVALID_MSG)
"""What librdkafka says of a batch that it cannot unpack, or whose checksum is wrong."""

ANSWER = 10.0
"""Seconds to wait for Kafka to tell whether one offset can be read."""

REMOVED = "Kafka has removed these messages before they were read; the listener was away too long"
"""What is said of messages older than the topic's retention."""

AGAIN = 15.0
"""Seconds after which a search that came to nothing is begun anew."""


@dataclass(frozen=True)
class Span:
    """Messages of one partition that cannot be read, from an offset up to, not with, another.

    Both are the same if they could be read after all.
    """

    place: Place
    first: int
    end: int
    reason: str

    def notice(self, source: str) -> Notice:
        """Return what is kept in their stead."""
        topic, partition = self.place
        text = f"{self.reason}; offsets {self.first} to {self.end - 1} are left out"
        payload = f"{topic} [{partition}] {text}\n".encode()
        return Notice(payload, source=source, topic=topic, partition=partition, offset=self.first,
                      received=utcnow(), headers=((INCOMPLETE, text.encode()),))


class Search(threading.Thread):
    """Finds out where messages that cannot be read end, with a client of its own.

    Parameters
    ----------
    make : callable
        Returns a consumer that tells the end of a partition.
    place : (str, int)
        Topic and partition.
    first : int
        Offset of the first that cannot be read.
    reason : str
        What librdkafka says of it.
    """

    def __init__(
        self, make: Callable[[], Consumer], place: Place, first: int, reason: str,
    ) -> None:
        super().__init__(name=f"search {place[0]} {place[1]}", daemon=True)
        self.place = place
        self.first = first
        self.reason = reason
        self.found: Span | None = None
        self.stopped = False
        self._make = make
        self.start()

    def run(self) -> None:
        """Search; `found` is None if Kafka did not answer."""
        try:
            consumer = self._make()
            try:
                self.found = Span(self.place, self.first, self._end(consumer), self.reason)
            finally:
                consumer.close()
        except (KafkaException, TimeoutError) as e:
            log.warning("%s [%d]: where unreadable messages end is not known yet: %s",
                        *self.place, e)

    def _end(self, consumer: Consumer) -> int:
        _, high = consumer.get_watermark_offsets(TopicPartition(*self.place), timeout=ANSWER)
        if self._readable(consumer, self.first):
            return self.first
        bad, good, step = self.first, high, 1
        while bad + step < high:
            if self._readable(consumer, bad + step):
                good = bad + step
                break
            bad, step = bad + step, 2 * step
        while good - bad > 1:
            middle = (bad + good) // 2
            if self._readable(consumer, middle):
                good = middle
            else:
                bad = middle
        return good

    def _readable(self, consumer: Consumer, offset: int) -> bool:
        consumer.assign([TopicPartition(*self.place, offset)])
        deadline = time.monotonic() + ANSWER
        while time.monotonic() < deadline and not self.stopped:
            message = consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                return True
            if error.code() in UNREADABLE:
                return False
        raise TimeoutError("no answer from Kafka")


class Unreadable:
    """The partitions whose next messages cannot be read, until reading goes on behind them.

    Parameters
    ----------
    source : str
        Of the notices.
    make : callable
        Returns a consumer for a search.
    places : Places
        Takes partitions away from the lanes, and gives them back.
    book : TopicBook
        Told of problems.
    keep : callable
        Keeps notices; tells whether it did.
    commits : Commits
        Told from where reading goes on.
    """

    def __init__(
        self, source: str, make: Callable[[], Consumer], places: Places, book: TopicBook,
        keep: Callable[[list[Notice]], bool], commits: Commits,
    ) -> None:
        self._source = source
        self._make = make
        self._places = places
        self._book = book
        self._keep = keep
        self._commits = commits
        self._searches: dict[Place, Search] = {}
        self._again: dict[Place, tuple[float, int]] = {}
        self._out_of_range: dict[Place, tuple[float, int]] = {}

    def refused(self, place: Place, offset: int, error: KafkaError) -> None:
        """Note that a message cannot be read, and begin to look for the end of such."""
        if place in self._searches or place in self._again:
            return
        self._places.hold(place)
        self._book.topic_fails(place[0], f"messages of partition {place[1]} from offset {offset} "
                               f"on cannot be read ({error.str()}); looking for their end")
        self._searches[place] = Search(self._make, place, offset, error.str())

    def out_of_range(self, place: Place, offset: int) -> None:
        """Note that Kafka has no message at the offset from which one is to be read."""
        self._places.hold(place)
        self._out_of_range[place] = (0.0, offset)

    def turn(self) -> None:
        """Go on behind what cannot be read, where its end is known by now."""
        now = time.monotonic()
        for place, (due, offset) in list(self._again.items()):
            if now >= due:
                del self._again[place]
                self._places.release(place, offset)
        for place, (due, offset) in list(self._out_of_range.items()):
            first = self._places.first(place) if now >= due else None
            if first is None:
                self._out_of_range[place] = (now + AGAIN if now >= due else due, offset)
                continue
            # One that ends before our offset was made anew; one that begins behind it was cut.
            if offset < first and not self._leave_out(Span(place, offset, first, REMOVED)):
                return
            del self._out_of_range[place]
            self._places.release(place, first)
        for place, search in list(self._searches.items()):
            if search.is_alive():
                continue
            span = search.found
            if span is None:
                # As if nothing had been tried: if it cannot be read still, that is said again.
                del self._searches[place]
                self._again[place] = (now + AGAIN, search.first)
                continue
            if span.end > span.first and not self._leave_out(span):
                return
            del self._searches[place]
            self._book.topic_works(place[0])
            self._places.release(place, span.end)

    def _leave_out(self, span: Span) -> bool:
        """Keep a notice in the stead of messages; tell whether it is kept."""
        if not self._keep([span.notice(self._source)]):
            return False
        self._commits.add({span.place: span.end})
        log.warning("%s: topic %s, partition %d: offsets %d to %d are left out: %s",
                    self._source, *span.place, span.first, span.end - 1, span.reason)
        return True

    def close(self) -> None:
        """End the searches."""
        for search in self._searches.values():
            search.stopped = True
