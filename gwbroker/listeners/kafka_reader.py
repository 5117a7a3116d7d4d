"""KafkaReader: read topics of one cluster, keep, then commit.

Partitions are assigned by hand and offsets committed under the group's name. The
lease of the listener sees to it that one copy reads, so no group membership is
needed: a listener that comes back after a kill reads on at once instead of waiting
for a session to time out, and a slow one is never evicted.

There are up to three lanes, each a client with a queue of its own. All partitions
begin in the live one. One in which more than `BEHIND` messages wait moves to the
lane for old ones, which takes short turns in between (`Pace`), and comes back when
it has caught up; the offset at which it goes on is the one after the last message
kept, so that none is skipped or passed by another. Topics declared as high-volume
have a lane with large turns.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from ..conf import KafkaCluster
from ..errors import LedgerUnavailable
from ..ledger.topics import Progress
from ..notice import Notice, utcnow
from .kafka_commits import Commits, Place
from .kafka_config import Lane as LaneName
from .kafka_config import client_config, consumer_config
from .kafka_errors import GONE, Errors, KafkaReaderError, explain
from .kafka_identity import Identity
from .kafka_lane import Lane, notice_of, whence
from .kafka_lanes import Lanes
from .kafka_pace import BEHIND, MOST, NEAR, Pace
from .kafka_places import Places
from .kafka_token import TokenCallback, TokenSource, token_source
from .kafka_topics import TopicBook
from .kafka_unreadable import UNREADABLE, Unreadable

__all__ = ["KafkaReader", "KafkaReaderError"]

SLOW = 5.0
"""Seconds without an answer after which a commit is told as trouble."""

RETRY = 15.0
"""Seconds after which a topic that could not be read is tried again."""


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
        after which it is called again later. What it returns is, for each, None if
        it was not worth keeping.
    should_stop : callable
        Asked several times a second.
    say : callable, optional
        Told how it fares: a state, and an error or None.
    share : (int, int)
        Which of how many readers of the cluster this is, counted from 0.
    bulk : collection of str
        Topics of high volume.
    crowded : callable, optional
        Tells whether so many jobs wait that a backlog had better do so too.
    note : callable, optional
        Writes what is known of the topics: the reader's name and rows.
    known : callable, optional
        Returns the topics of which something was read in earlier runs; on them ``start =
        "latest"`` means nothing any more.
    """

    def __init__(
        self, source: str, cluster: KafkaCluster, topics: Iterable[str],
        accept: Callable[[Sequence[Notice]], object], should_stop: Callable[[], bool],
        say: Callable[[str, str | None], object] = lambda state, error: None, *,
        share: tuple[int, int] = (0, 1), bulk: Collection[str] = (),
        crowded: Callable[[], bool] | None = None,
        note: Callable[[str, Sequence[Progress]], object] = lambda source, rows: None,
        known: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self.source = source
        self.cluster = cluster
        self.topics = frozenset(topics)
        self.accept = accept
        self.should_stop = should_stop
        name = source if share[0] == 0 else f"{source}.{share[0] + 1}"
        self.book = TopicBook(name, self.topics, say, note, share[1])
        self._known = known
        self._share = share
        self._bulk = frozenset(bulk)
        self._tokens: TokenSource | None = None
        self._old = Pace(crowded=crowded)
        # Live topics beside it are to feel it little, but it has to get through; most of it is
        # asked about and not kept, so that nobody else waits for it.
        self._many = Pace(turn=0.05, share=0.9, alone=1.0)
        self._commits = Commits(self._committed)
        self._errors = Errors(
            source, self.book, lambda: self._tokens is not None and bool(self._tokens.trouble()))

    def run(self) -> None:
        """Read until `should_stop`.

        Raises
        ------
        KafkaReaderError
            If the client is beyond repair, or its settings are refused.
        """
        with ExitStack() as stack:
            if self.cluster.security == "oidc":
                self._tokens = stack.enter_context(token_source(self.source, self.cluster))
                if not self._first_token(self._tokens):
                    return
            self._lanes = Lanes(self._client, self._commits)
            stack.callback(self._lanes.close)
            identity = Identity(lambda: AdminClient(
                client_config(self.cluster, self._token_callback())))
            stack.callback(identity.close)
            self._places = Places(self.cluster, self.topics, self._share, self._bulk, self._lanes,
                                  self.book, identity, self._known)
            self._unreadable = Unreadable(self.source, self._searcher, self._places, self.book,
                                          self._keep_notices, self._commits)
            stack.callback(self._unreadable.close)
            while not self.should_stop():
                self._turn()
            self.book.flush()

    def _first_token(self, tokens: TokenSource) -> bool:
        # Without one librdkafka's constructor would wait, and then fail.
        while not self.should_stop():
            if tokens.wait(0.2, self.should_stop) is not None:
                return True
            self._look_at_token(tokens)
        return False

    def _look_at_token(self, tokens: TokenSource) -> None:
        trouble = tokens.trouble()
        if trouble:
            self.book.fails("token", trouble)
        else:
            self.book.works("token")

    def _token_callback(self) -> TokenCallback | None:
        return TokenCallback(self._tokens) if self._tokens is not None else None

    def _client(self, name: LaneName) -> Lane:
        return Lane(self.source, self.cluster, name, self._token_callback(), self._errors,
                    self._refuse, self._commits.answered)

    def _searcher(self) -> Consumer:
        return Consumer({**consumer_config(self.cluster, self._token_callback(), "old"),
                         "enable.partition.eof": True})

    def _committed(
        self, topic: str, partition: int, offset: int, error: KafkaError | None,
    ) -> None:
        if error is not None:
            # The notices are kept; at worst they come again and are recognised.
            self.book.fails("commit", f"offset of {topic} not committed: "
                            f"{explain(error, self.cluster.group_id)}")
        else:
            self.book.works("commit")
            self._places.committed[topic, partition] = offset

    def _commit(self) -> None:
        self._commits.turn(self._lanes.live.consumer)
        if self._commits.waiting > SLOW:
            self.book.fails("commit", "no answer to a commit of offsets for some seconds")

    def _refuse(
        self, topic: str | None, partition: int | None, offset: int | None, error: KafkaError,
    ) -> None:
        if error.fatal():
            raise KafkaReaderError(f"{self.source}: {error.str()}")
        if topic is None:
            self.book.fails("cluster", f"{error.name()}: {error.str()}")
            return
        if error.code() in UNREADABLE and partition is not None and (offset or 0) >= 0:
            self._unreadable.refused((topic, partition), offset or 0, error)
            return
        if error.code() == KafkaError._AUTO_OFFSET_RESET and partition is not None:
            # The offset is that from which we would read.
            self._unreadable.out_of_range((topic, partition), offset or 0)
            return
        if error.code() in GONE and partition is not None:
            # Deleted; it is read anew, from where we were, if it comes again.
            self.book.topic_fails(topic, f"it was deleted ({error.str()})")
            self._lanes.drop([(topic, partition)])
            return
        self.book.topic_fails(topic, explain(error, self.cluster.group_id))
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            self._places.set_aside(topic, RETRY)

    def _turn(self) -> None:
        if self._tokens is not None:
            self._look_at_token(self._tokens)
        self._errors.turn()
        self._commit()
        self._places.refresh()
        self._unreadable.turn()
        live, old, bulk = self._lanes.live, self._lanes.old, self._lanes.bulk
        wait = 0.5
        if old is not None and old.next:
            wait = min(wait, self._old.wait())
        if bulk is not None and bulk.next:
            wait = min(wait, self._many.wait())
        batch = self._without_backlog(live, live.take(MOST, wait))
        if batch:
            self._old.live()
            self._many.live()
            if self._keep(batch):
                self._commits.add(live.kept(batch))
                self._commit()
        for lane, pace in ((old, self._old), (bulk, self._many)):
            if lane is not None and lane.next and pace.wait() == 0 and not self.should_stop():
                self._slow_turn(lane, pace)
        if old is not None:
            self._caught_up(old, live)
        if self.book.due():
            self.book.lag(self._lanes.lags())
            self.book.flush()

    def _slow_turn(self, lane: Lane, pace: Pace) -> None:
        began = time.monotonic()
        batch = lane.take(pace.size, 0)
        if batch and self._keep(batch):
            self._commits.add(lane.kept(batch), urgent=False)
        pace.took(len(batch), time.monotonic() - began)

    def _without_backlog(self, live: Lane, batch: list[Message]) -> list[Message]:
        """Move partitions that are far behind to the other lane; return the other messages."""
        if len(batch) == 0:
            return batch
        first: dict[Place, int] = {}
        for message in batch:
            topic, partition, offset = whence(message)
            first.setdefault((topic, partition), offset)
        behind = {place: offset for place, offset in first.items()
                  if (live.end(place) or 0) - offset > BEHIND}
        if not behind:
            return batch
        live.drop(behind)
        self._lanes.open("old").assign(
            [TopicPartition(*place, offset) for place, offset in behind.items()])
        return [m for m in batch if (m.topic(), m.partition()) not in behind]

    def _caught_up(self, old: Lane, live: Lane) -> None:
        """Move partitions back whose backlog is gone; close the lane when it is empty."""
        near = [place for place in old.next
                if (lag := old.lag(place)) is not None and lag <= NEAR]
        if near:
            places = [TopicPartition(*place, old.next[place] or 0) for place in near]
            old.drop(near)
            live.assign(places)
        if not old.next:
            self._lanes.rest(old)

    def _keep(self, batch: list[Message]) -> bool:
        now = utcnow()
        return self._keep_notices([notice_of(message, self.source, now) for message in batch])

    def _keep_notices(self, notices: list[Notice]) -> bool:
        pause = 0.2
        while True:
            try:
                kept = self.accept(notices)
            except LedgerUnavailable as e:
                self.book.fails("ledger", f"the ledger is away: {e}")
                self._lanes.pause()
                if self.should_stop():
                    return False
                # Polling goes on, so that the connection and its token stay alive.
                until = time.monotonic() + pause
                while time.monotonic() < until and not self.should_stop():
                    self._lanes.idle(0.1)
                pause = min(pause * 2, 5.0)
            else:
                self._lanes.resume()
                self.book.works("ledger")
                became = kept if isinstance(kept, list) else notices
                seen = Counter(notice.topic for notice in notices)
                left_out = Counter(notice.topic for notice, row in zip(
                    notices, became, strict=True) if row is None)
                for topic, number in seen.items():
                    self.book.count(topic, number - left_out[topic], number)
                return True
