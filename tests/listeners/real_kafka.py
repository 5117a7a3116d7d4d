"""A KafkaReader in a thread, for the tests against a real Kafka."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from gwbroker.conf import KafkaCluster
from gwbroker.listeners.kafka_reader import KafkaReader, KafkaReaderError
from gwbroker.notice import Notice

from ..kafka_server import Kafka
from ..servers import poll

_numbers = itertools.count(1)


def fresh(name: str) -> str:
    """Return a name for a topic, group or user that nobody else has."""
    return f"{re.sub('[^a-z]', '.', name.lower())}.{next(_numbers)}"


class Reading:
    """A reader in a thread, what it kept, and what it said; ``with`` runs it.

    Parameters
    ----------
    kafka : Kafka
        What it reads.
    topics
        Their names.
    accept : callable, optional
        Instead of keeping the notices in `kept`.
    values
        Further settings of the cluster.
    """

    def __init__(
        self, kafka: Kafka, *topics: str,
        accept: Callable[[Sequence[Notice]], object] | None = None, **values: Any,
    ) -> None:
        self.kafka = kafka
        self.kept: list[Notice] = []
        self.said: list[tuple[float, str, str | None]] = []
        self.stopping = False
        self.error: BaseException | None = None
        defaults = {"bootstrap_servers": kafka.bootstrap_servers, "group_id": fresh("group"),
                    "refresh": 0.5}
        self.cluster = KafkaCluster(**{**defaults, **values})
        self.source = fresh("kafka.test")
        self.reader = KafkaReader(
            self.source, self.cluster, topics, accept or self.kept.extend,
            lambda: self.stopping, self._say)
        self.thread = threading.Thread(target=self._run)

    def _say(self, state: str, error: str | None) -> None:
        self.said.append((time.monotonic(), state, error))

    def _run(self) -> None:
        try:
            self.reader.run()
        except KafkaReaderError as e:
            self.error = e

    @property
    def state(self) -> str:
        """What it said last of how it fares."""
        return self.said[-1][1] if self.said else ""

    @property
    def trouble(self) -> str:
        """What it said last of what is wrong; empty if all is well."""
        return (self.said[-1][2] or "") if self.said else ""

    @property
    def payloads(self) -> list[bytes]:
        """What it kept, in the order in which it came."""
        return [notice.payload for notice in self.kept]

    def wait(self, number: int, seconds: float = 15) -> list[bytes]:
        """Wait until it has kept so many messages; return them."""
        poll(lambda: len(self.kept) >= number, seconds,
             f"{number} messages; there are {len(self.kept)}, and {self.said[-3:]}")
        return self.payloads

    def wait_for_trouble(self, pattern: str, seconds: float = 10) -> str:
        """Wait until it says that something is wrong; return what."""
        poll(lambda: re.search(pattern, self.trouble), seconds,
             f"trouble like {pattern!r}; it said {self.said[-3:]}")
        return self.trouble

    def wait_until_well(self, seconds: float = 15) -> None:
        """Wait until it says that all is well."""
        poll(lambda: self.said and not self.trouble, seconds, f"no trouble; {self.said[-3:]}")

    def committed(self, topic: str) -> dict[int, int]:
        """Return the offsets that its group has committed."""
        return self.kafka.committed(self.cluster.group_id, topic)

    def stop(self) -> float:
        """Stop it; return how many seconds that took."""
        began = time.monotonic()
        self.stopping = True
        self.thread.join(60)
        assert not self.thread.is_alive(), "the reader does not stop"
        return time.monotonic() - began

    def __enter__(self) -> Reading:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
