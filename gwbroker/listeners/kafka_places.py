"""Places: which partitions there are, which of them are ours, and where each is read from."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, KafkaException, TopicPartition

from ..conf import KafkaCluster
from .kafka_commits import Place
from .kafka_identity import Identity
from .kafka_lanes import Lanes
from .kafka_topics import TopicBook

log = logging.getLogger(__name__)

TIMEOUT = 2.0
"""Seconds to wait for an answer about topics or offsets; a stop has to be noticed."""

OTHERS = 30.0
"""Seconds between looks whether somebody else commits under our group."""

PROBATION = 10.0
"""Seconds without an error after which a topic that is read again is taken to work."""

ALIEN = 600.0
"""Seconds for which somebody else's commit is told after it was last seen."""


def is_ours(topic: str, partition: int, share: tuple[int, int]) -> bool:
    """Tell whether a partition falls to a reader: the same for all of them, without a word.

    Parameters
    ----------
    topic, partition
        Which one.
    share : (int, int)
        The number of the reader, from 0, and how many there are.
    """
    index, readers = share
    return (zlib.crc32(topic.encode()) + partition) % readers == index


class Places:
    """Finds partitions and gives them to the lanes.

    Parameters
    ----------
    cluster : KafkaCluster
        How it is configured.
    topics : frozenset of str
        What is to be read.
    share : (int, int)
        The number of the reader, from 0, and how many there are.
    bulk : frozenset of str
        Topics of high volume.
    lanes : Lanes
        Who read.
    book : TopicBook
        Told of problems.
    identity : Identity
        Tells which topics were made anew.
    known : callable
        Returns the topics of which something was read in earlier runs.
    """

    def __init__(
        self, cluster: KafkaCluster, topics: frozenset[str], share: tuple[int, int],
        bulk: frozenset[str], lanes: Lanes, book: TopicBook, identity: Identity,
        known: Callable[[], Collection[str]],
    ) -> None:
        self.committed: dict[Place, int] = {}
        self._cluster = cluster
        self._topics = topics
        self._share = share
        self._bulk = bulk
        self._lanes = lanes
        self._book = book
        self._identity = identity
        self._known = known
        self._refresh_at = 0.0
        self._others_at = time.monotonic() + OTHERS
        self._aliens: float | None = None
        self._aside: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._at_start: set[Place] | None = None
        self._held: set[Place] = set()
        self._expired: set[Place] = set()

    def refresh(self) -> None:
        """Look for new topics and partitions, if it is time to."""
        now = time.monotonic()
        if now < self._refresh_at:
            return
        self._refresh_at = now + self._cluster.refresh
        try:
            found = self._lanes.live.consumer.list_topics(timeout=TIMEOUT).topics
        except KafkaException as e:
            self._book.fails("cluster", f"no answer from {self._cluster.bootstrap_servers}: "
                             f"{e.args[0].str()}")
            self._refresh_at = now + 1.0
            return
        self._book.works("cluster")
        for topic in self._topics & found.keys():
            error = found[topic].error
            if error is not None:
                self._book.topic_fails(topic, error.str())
        self._book.missing(set(self._topics - found.keys()))
        if self._at_start is None:
            # What was read in an earlier run is not new, though its offset may be forgotten.
            new = (self._topics & found.keys()) - set(self._known())
            self._at_start = {(topic, partition) for topic in new
                              for partition in found[topic].partitions}
        self._leave(self._topics - found.keys())
        self._begin_anew(self._identity.changed(self._topics & found.keys()))
        fresh = self._fresh(found, now)
        if fresh and not self._assign(fresh):
            return
        self._forgive(found, now)
        if now >= self._others_at:
            self._look_for_others(now)
        self._book.reads = len({topic for topic, _ in self._lanes.places()})
        self._book.tell()

    def set_aside(self, topic: str, seconds: float) -> None:
        """Stop reading a topic for a while, then try it again."""
        self._lanes.drop([place for place in self._lanes.places() if place[0] == topic])
        self._aside[topic] = time.monotonic() + seconds

    def _leave(self, gone: Collection[str]) -> None:
        """Read topics no more that are not there; they may come again as others."""
        places = [place for place in self._lanes.places() if place[0] in gone]
        self._lanes.drop(places)
        for place in places:
            self.committed.pop(place, None)
            self._at_start = (self._at_start or set()) - {place}
            log.info("%s: topic %s is not there any more", self._book.source, place[0])

    def _begin_anew(self, topics: Collection[str]) -> None:
        """Read topics from their beginning that were deleted and made anew."""
        places = [place for place in self._lanes.places() if place[0] in topics]
        self._leave(topics)
        if places:
            log.warning("%s: deleted and made anew, and read from the beginning: %s",
                        self._book.source, ", ".join(sorted(topics)))
            self._give([TopicPartition(*place, OFFSET_BEGINNING) for place in places])

    def hold(self, place: Place) -> None:
        """Stop reading a partition until it is released."""
        self._lanes.drop([place])
        self._held.add(place)

    def first(self, place: Place) -> int | None:
        """Return the offset of a partition's first message; None if Kafka does not tell."""
        try:
            low, _ = self._lanes.live.consumer.get_watermark_offsets(
                TopicPartition(*place), timeout=TIMEOUT)
        except KafkaException as e:
            self._book.topic_fails(place[0], f"its beginning is not told: {e.args[0].str()}")
            return None
        return low

    def release(self, place: Place, offset: int) -> None:
        """Read a partition again, from an offset."""
        self._held.discard(place)
        self._give([TopicPartition(*place, offset)])

    def _give(self, places: list[TopicPartition]) -> None:
        many = [place for place in places if place.topic in self._bulk]
        if many:
            self._lanes.open("bulk").assign(many)
        self._lanes.live.assign([place for place in places if place.topic not in self._bulk])

    def _fresh(self, found: Mapping[str, Any], now: float) -> list[TopicPartition]:
        for topic, until in list(self._aside.items()):
            if now >= until:
                del self._aside[topic]
        known = self._lanes.places() | self._held
        return [
            TopicPartition(topic, partition)
            for topic in sorted(self._topics & found.keys())
            if found[topic].error is None and topic not in self._aside
            for partition in found[topic].partitions
            if (topic, partition) not in known and is_ours(topic, partition, self._share)
        ]

    def _forgive(self, found: Mapping[str, Any], now: float) -> None:
        read = {topic for topic, _ in self._lanes.places()}
        for topic, failed in self._book.failed():
            well = topic in read and topic in found and found[topic].error is None
            if well and now - max(failed, self._since.get(topic, 0.0)) > PROBATION:
                self._book.topic_works(topic)

    def _assign(self, fresh: list[TopicPartition]) -> bool:
        live = self._lanes.live
        try:
            known = live.consumer.committed(fresh, timeout=TIMEOUT)
        except KafkaException as e:
            self._book.fails("cluster", f"no answer about committed offsets of the group "
                             f"{self._cluster.group_id}: {e.args[0].str()}")
            self._refresh_at = time.monotonic() + 1.0
            return False
        usable, fixed = [], []
        for place in known:
            if place.error is not None:
                self._book.topic_fails(place.topic, place.error.str())
                continue
            if place.offset >= 0:
                self.committed[place.topic, place.partition] = place.offset
            if place.offset == OFFSET_INVALID:
                place.offset = OFFSET_BEGINNING
                # What appears while we listen is read from its first message, always.
                if self._cluster.start == "latest" and \
                        (place.topic, place.partition) in (self._at_start or ()):
                    try:
                        place.offset = live.consumer.get_watermark_offsets(
                            place, timeout=TIMEOUT)[1]
                    except KafkaException as e:
                        self._book.topic_fails(
                            place.topic, f"its end is not told: {e.args[0].str()}")
                        continue
                    fixed.append(place)
            usable.append(place)
        # Or a restart before the first message would skip what came in between.
        self._lanes.commits.add({(p.topic, p.partition): p.offset for p in fixed})
        self._give(usable)
        self._since.update({place.topic: time.monotonic() for place in usable})
        if usable:
            log.info("%s: now also reads %s", self._book.source,
                     ", ".join(sorted({place.topic for place in usable})))
        return True

    def _look_for_others(self, now: float) -> None:
        """Notice when the offsets of our group move and it was not us.

        Kafka forgets those of a topic on which nothing comes for a week; then they are
        committed again.
        """
        self._others_at = now + OTHERS
        live = self._lanes.live
        if not self._lanes.commits.idle:
            return
        asked = [place for place in live.next if place in self.committed]
        if not asked:
            return
        try:
            known = live.consumer.committed([TopicPartition(*p) for p in asked], timeout=TIMEOUT)
        except KafkaException as e:
            log.debug("%s: no answer about offsets: %s", self._book.source, e.args[0].str())
            return
        expired: dict[Place, int] = {}
        for place in known:
            ours = self.committed[place.topic, place.partition]
            if place.error is not None or place.offset == ours:
                continue
            if place.offset < 0:
                expired[place.topic, place.partition] = ours
            else:
                self._aliens = now
                self.committed[place.topic, place.partition] = place.offset
        # Twice, because one that is made anew begins without, too, and that is noticed soon.
        self._lanes.commits.add({place: at for place, at in expired.items()
                                 if place in self._expired})
        self._expired = set(expired)
        if self._aliens is None:
            return
        if now - self._aliens > ALIEN:
            self._aliens = None
            self._book.works("group")
        else:
            self._book.fails("group", "another program commits under the group "
                             f"{self._cluster.group_id}: give this one a group_id of its own")
