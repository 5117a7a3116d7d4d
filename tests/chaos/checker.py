"""Checker: holds what was published against what the broker kept and did."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from .plan import Message

EXAMPLES = 5


@dataclass
class Findings:
    """What is wrong, by kind, with a few examples of each; and what is only to be told."""

    notices: int = 0
    lost: int = 0
    twice: int = 0
    disorder: int = 0
    other: int = 0
    repeated: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.twice or self.disorder or self.other)

    def note(self, what: str, examples: list[Any], kind: str) -> None:
        """Add to a count, if there is anything to add."""
        if examples:
            setattr(self, kind, getattr(self, kind) + len(examples))
            shown = "; ".join(str(each) for each in examples[:EXAMPLES])
            self.problems.append(f"{len(examples)} {what}: {shown}")


class Checker:
    """Compares, once nothing is disturbed any more.

    Parameters
    ----------
    published : list of Message
        All that was sent.
    places : dict
        Kafka's (topic, partition, offset) of what it acknowledged, and its number.
    sink : Path
        What the outside was told.
    """

    def __init__(
        self, published: list[Message], places: dict[tuple[str, int, int], int], sink: Path,
    ) -> None:
        self._published, self._places, self._sink = published, places, sink
        self._missing: set[int] = set()
        self.found = Findings(notices=len(published))

    def check(self, connection: psycopg.Connection[Any]) -> Findings:
        """Check everything."""
        self._kept(connection)
        self._jobs(connection)
        self._effects(connection)
        self._order(connection)
        self._outside()
        return self.found

    def done(self, connection: psycopg.Connection[Any]) -> tuple[int, int]:
        """Return how many messages are not kept yet, and how many jobs are not finished."""
        kept, = connection.execute(
            "SELECT count(*) FROM notices WHERE source LIKE 'kafka.%'").fetchone() or (0,)
        packets, = connection.execute(
            "SELECT count(*) FROM notices WHERE source LIKE 'vtp.%' AND duplicate_of IS NULL"
        ).fetchone() or (0,)
        wanted = sum(1 for message in self._published if message.topic == "voevent")
        jobs, = connection.execute(
            "SELECT count(*) FROM jobs WHERE state NOT IN ('done', 'dead')").fetchone() or (0,)
        return max(0, len(self._places) - kept) + max(0, wanted - packets), jobs

    def _kept(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(
            'SELECT topic, partition, "offset", digest, duplicate_of, id, source FROM notices'
        ).fetchall()
        kept = Counter((t, p, o) for t, p, o, *_, source in rows if source.startswith("kafka."))
        self.found.note("acknowledged by Kafka and never kept",
                        sorted(set(self._places) - set(kept)), "lost")
        self.found.note("Kafka offsets kept twice, so that two copies of a listener accepted",
                        [place for place, n in kept.items() if n > 1], "twice")
        digests = {hashlib.sha256(m.payload).digest(): m.number for m in self._published}
        roots = Counter(bytes(row[3]) for row in rows if row[4] is None)
        self._missing = {n for d, n in digests.items() if d not in roots}
        self.found.note("packets never kept", sorted(self._missing - set(self._places.values())),
                        "lost")
        self.found.note("payloads kept as new twice, a duplicate not recognised",
                        [d.hex()[:12] for d, n in roots.items() if n > 1], "twice")
        self.found.note("payloads kept that nobody published",
                        [d.hex()[:12] for d in set(roots) - set(digests)], "other")
        first = {row[5]: bytes(row[3]) for row in rows if row[4] is None}
        self.found.note("duplicates of something else",
                        [row[5] for row in rows if row[4] and first.get(row[4]) != bytes(row[3])],
                        "other")

    def _jobs(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(
            "SELECT id, handler, state, error FROM jobs WHERE state <> 'done'").fetchall()
        poison = sum(1 for m in {m.number: m for m in self._published
                                 if m.topic == "chaos.poison"})
        dead = [row for row in rows if row[2] == "dead" and row[1] == "chaos.poison"]
        if len(dead) != poison:
            self.found.note("poison", [f"{poison} were published, {len(dead)} are dead"], "other")
        self.found.note("jobs not done that should be", [
            row for row in rows if not (row[1] == "chaos.poison" and row[2] == "dead")], "other")

    def _effects(self, connection: psycopg.Connection[Any]) -> None:
        seen = Counter((str(handler), int(number)) for handler, number in connection.execute(
            "SELECT handler, number FROM chaos_effects").fetchall())
        self._compare(seen, [(h, m.number) for m in self._published for h in m.expected
                             if h != "chaos.outside"])

    def _compare(self, seen: Counter[tuple[str, int]], expected: list[tuple[str, int]]) -> None:
        # What was never kept is counted already.
        self.found.note("effects that never came", sorted(
            each for each in set(expected) - set(seen) if each[1] not in self._missing), "lost")
        self.found.note("effects that came again",
                        [each for each, n in seen.items() for _ in range(n - 1)], "twice")
        self.found.note("effects that nobody asked for", sorted(set(seen) - set(expected)),
                        "other")

    def _order(self, connection: psycopg.Connection[Any]) -> None:
        by_subject: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for subject, *row in connection.execute(
                "SELECT subject, place, began, at, number FROM chaos_effects "
                "WHERE subject IS NOT NULL ORDER BY id"):
            by_subject[str(subject)].append(tuple(row))
        wrong, overlapping = [], []
        for subject, rows in by_subject.items():
            for before, after in itertools.pairwise(rows):
                if after[0] <= before[0]:
                    wrong.append(f"{subject}: {after[0]} after {before[0]}")
                if after[1] < before[2]:
                    overlapping.append(f"{subject}: {after[0]} began while {before[0]} ran")
        self.found.note("effects out of order within their event", wrong, "disorder")
        self.found.note("jobs of one event at the same time", overlapping, "disorder")

    def _outside(self) -> None:
        lines = self._sink.read_text().splitlines() if self._sink.exists() else []
        calls = [(key, int(number)) for key, number in (line.split() for line in lines)]
        # The outside takes a key once; what came again with its key was a call repeated
        # because its process was killed in between, and is counted apart.
        keys = set(calls)
        self.found.repeated = len(calls) - len(keys)
        self._compare(Counter(("chaos.outside", number) for _, number in keys),
                      [("chaos.outside", m.number) for m in self._published
                       if "chaos.outside" in m.expected])
