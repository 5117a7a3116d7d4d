"""TopicBook: how each topic of a reader fares, and what is wrong with the reader itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..errors import LedgerError
from ..ledger.topics import MISSING, Progress
from .quiet import QuietLog

log = logging.getLogger(__name__)

EVERY = 5.0
"""Shortest time between two writes to the ledger, in seconds."""

AGAIN = 30.0
"""Seconds after which also what has not changed is written, as a sign of life."""

TROUBLES = ("size", "cluster", "token", "ledger")
"""Problems with which nothing at all arrives."""


@dataclass
class _Topic:
    seen: int = 0
    kept: int = 0
    last_seen: float | None = None
    lag: int | None = None
    problem: str | None = None
    failed: float = 0.0
    written: tuple[int | None, str | None] | None = None
    written_at: float = 0.0


class TopicBook:
    """Counts messages, remembers problems until they are over, and tells of both.

    Parameters
    ----------
    source : str
        The reader, as ``kafka.gcn`` or ``kafka.gcn.2``.
    topics : iterable of str
        What it is to read.
    say : callable
        Told how it fares: a state, and an error or None.
    write : callable
        Writes the rows to the ledger; it may raise `LedgerError`.
    readers : int
        How many readers share the cluster, of which this is one.
    """

    def __init__(
        self, source: str, topics: Iterable[str], say: Callable[[str, str | None], object],
        write: Callable[[str, Sequence[Progress]], object], readers: int = 1,
    ) -> None:
        self.source = source
        self._shared = f" as one of {readers} readers" if readers > 1 else ""
        self.say = say
        self.reads = 0
        self._write = write
        self._topics = {topic: _Topic() for topic in sorted(topics)}
        self._problems: dict[str, str] = {}
        self._log = QuietLog(log)
        self._write_at = 0.0

    def count(self, topic: str, kept: int, seen: int = 1) -> None:
        """Count messages that the ledger has dealt with, and those kept; their topic works."""
        row = self._topics.setdefault(topic, _Topic())
        row.seen += seen
        row.kept += kept
        row.last_seen = time.time()
        if row.problem is not None:
            self.topic_works(topic)

    def lag(self, lags: dict[str, int]) -> None:
        """Note how many messages of each topic wait in Kafka, where that is known."""
        for topic, lag in lags.items():
            self._topics.setdefault(topic, _Topic()).lag = lag

    def missing(self, topics: set[str]) -> None:
        """Note which topics are not there; one line in the log when there are more."""
        new = {t for t in topics if self._topics.setdefault(t, _Topic()).problem is None}
        if new:
            log.info("%s: %d topics are not there yet and will be read as soon as they are",
                     self.source, len(topics))
            log.debug("%s: missing %s", self.source, ", ".join(sorted(topics)))
        for topic in new:
            self._topics[topic].problem = MISSING
        for topic, row in self._topics.items():
            if row.problem == MISSING and topic not in topics:
                row.problem = None

    def topic_fails(self, topic: str, problem: str) -> None:
        """Note that a topic cannot be read, which does not concern the others."""
        row = self._topics.setdefault(topic, _Topic())
        row.failed = time.monotonic()
        if row.problem != problem:
            row.problem = problem
            self._log(logging.WARNING, topic, "%s: topic %s: %s", self.source, topic, problem)
            self.tell()

    def failed(self) -> list[tuple[str, float]]:
        """Return the topics that cannot be read, and when each last failed (monotonic, s)."""
        return [(topic, row.failed) for topic, row in self._topics.items()
                if row.problem not in (None, MISSING)]

    def topic_works(self, topic: str) -> None:
        """Note that a topic can be read."""
        row = self._topics[topic]
        if row.problem is not None:
            if row.problem != MISSING:
                log.info("%s: topic %s can be read", self.source, topic)
            row.problem = None
            self.tell()

    def fails(self, kind: str, problem: str) -> None:
        """Note a problem of the reader; it stays until `works` is told of the same kind."""
        if self._problems.get(kind) != problem:
            self._problems[kind] = problem
            self._log(logging.WARNING, f"{kind} {problem.split(':')[0]}", "%s: %s",
                      self.source, problem)
            self.tell()

    def works(self, kind: str) -> None:
        """Note that a problem is over, or never was."""
        if self._problems.pop(kind, None) is not None:
            self.tell()

    @property
    def problems(self) -> list[str]:
        """What is wrong now, the worst first."""
        own = sorted(self._problems.items(), key=lambda item: TROUBLES.index(item[0])
                     if item[0] in TROUBLES else len(TROUBLES))
        return [text for _, text in own] + [
            f"topic {topic}: {row.problem}" for topic, row in self._topics.items()
            if row.problem not in (None, MISSING)]

    def tell(self) -> None:
        """Say how the reader fares."""
        problems = self.problems
        more = f" (and {len(problems) - 3} more problems)" if len(problems) > 3 else ""
        error = "; ".join(problems[:3]) + more if problems else None
        nothing = any(kind in TROUBLES for kind in self._problems)
        state = "trouble" if nothing else \
            f"reads {self.reads} of {len(self._topics)} topics{self._shared}"
        self.say(state, error)

    def due(self) -> bool:
        """Tell whether it is time to `flush`."""
        return time.monotonic() >= self._write_at

    def flush(self) -> None:
        """Write what is new to the ledger; if that is away, later."""
        self._write_at = time.monotonic() + EVERY
        now = time.monotonic()
        rows = [Progress(topic, row.seen, row.kept, row.last_seen, row.lag, row.problem)
                for topic, row in self._topics.items()
                if row.seen or row.written != (row.lag, row.problem)
                or now - row.written_at > AGAIN]
        if not rows:
            return
        try:
            self._write(self.source, rows)
        except LedgerError as e:
            log.debug("%s: the counts are written later: %s", self.source, e)
            return
        for row in rows:
            topic = self._topics[row.topic]
            topic.written, topic.written_at = (row.lag, row.problem), now
            topic.seen -= row.seen
            topic.kept -= row.kept
