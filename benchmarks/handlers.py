"""The handlers that the measured broker has besides the built-in ones."""

from __future__ import annotations

import time

from benchmarks.marks import mark
from gwbroker.notice import Notice
from gwbroker.streams import kafka

TOPIC = "benchmark.notices"
OTHER = "benchmark.notices.other"
FILTERED = "benchmark.filtered"


@kafka.handler(TOPIC, OTHER, name="benchmark.begin", retries=0)
def begin(notice: Notice) -> None:
    """Say when it began; does nothing else."""
    now = time.time()
    mark(notice.received.timestamp(), now)


@kafka.handler(FILTERED, name="benchmark.rare", where=lambda alert: alert["far"] < 1e-8)
def rare(notice: Notice) -> None:
    """Take the one notice in a hundred that is significant."""
