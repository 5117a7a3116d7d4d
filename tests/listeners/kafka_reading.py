"""A KafkaReader in a thread, for tests: what it kept and what it said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from gwbroker.conf import KafkaCluster
from gwbroker.ledger.topics import Progress
from gwbroker.listeners.kafka_reader import KafkaReader, KafkaReaderError
from gwbroker.notice import Notice

from ..servers import poll


class Reading:
    """A reader in a thread, what it kept, and what it said.

    Parameters
    ----------
    servers : str
        Where its cluster is.
    topics : str
        What it reads.
    accept : callable, optional
        Instead of keeping notices in ``kept``.
    reader : mapping, optional
        Further arguments of the reader.
    cluster
        Further settings of the cluster.
    """

    def __init__(
        self, servers: str, *topics: str,
        accept: Callable[[Sequence[Notice]], object] | None = None,
        reader: dict[str, Any] | None = None, **cluster: Any,
    ) -> None:
        self.kept: list[Notice] = []
        self.said: list[tuple[str, str | None]] = []
        self.noted: dict[str, Progress] = {}
        self.stopping = False
        self.error: BaseException | None = None
        self.cluster = KafkaCluster(**{
            "bootstrap_servers": servers, "refresh": 0.5, "options": {"fetch.wait.max.ms": 50},
            **cluster})
        self.reader = KafkaReader(
            "kafka.test", self.cluster, topics, accept or self.kept.extend,
            lambda: self.stopping, lambda state, error: self.said.append((state, error)),
            **{"note": self._note, **(reader or {})})
        self.thread = threading.Thread(target=self._run)

    def _note(self, source: str, rows: Sequence[Progress]) -> None:
        self.noted.update({row.topic: row for row in rows})

    def _run(self) -> None:
        try:
            self.reader.run()
        except KafkaReaderError as e:
            self.error = e

    def __enter__(self) -> Reading:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping = True
        self.thread.join(60)
        assert not self.thread.is_alive()

    def wait(self, number: int, seconds: float = 20) -> list[bytes]:
        """Wait for so many messages; return what is in them, sorted."""
        poll(lambda: len(self.kept) >= number, seconds, f"{number} messages, has {len(self.kept)}")
        return sorted(notice.payload for notice in self.kept)

    def wait_for(self, words: str, seconds: float = 20) -> None:
        """Wait until it says a problem with these words last."""
        poll(lambda: self.said and words in (self.said[-1][1] or ""), seconds,
             f"it says {words!r}, said {self.said[-3:]}")

    def wait_well(self, seconds: float = 20) -> None:
        """Wait until it says that all is well."""
        poll(lambda: self.said and self.said[-1][1] is None, seconds,
             f"it is well, said {self.said[-3:]}")

    @property
    def offsets(self) -> dict[tuple[str, int | None], list[int | None]]:
        """The offsets that were kept of each partition, in the order in which they were."""
        found: dict[tuple[str, int | None], list[int | None]] = {}
        for notice in self.kept:
            found.setdefault((notice.topic, notice.partition), []).append(notice.offset)
        return found

    def assert_each_once_in_order(self) -> None:
        """Nothing is missing, doubled, or passed by another of its partition."""
        for place, offsets in self.offsets.items():
            assert offsets == list(range(len(offsets))), place
