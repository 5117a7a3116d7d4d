"""How long from the arrival of a Kafka message to the start of its handler?

The peer is a bare Celery app on the same Redis: `apply_async` to the start of the task. Blocks
of the one and of the other take turns, so that the machine's noise falls on both.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

from .handlers import TOPIC
from .result import Bound, Result, percentile
from .scene import Scene

JOBS = 2
"""Processes that run jobs, here and there; the listener has one more."""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    blocks, size, warm = (6, 20, 20) if quick else (12, 25, 50)
    ours: list[float] = []
    theirs: list[float] = []
    with Scene() as scene:
        from gwbroker.embedded.kafka import MockKafka

        with MockKafka() as kafka:
            scene.kafka(kafka.bootstrap_servers)
            kafka.publish(TOPIC, b'{"warm": true}')
            scene.redis()
            scene.worker("general", "--concurrency", str(JOBS + 1))
            scene.beat()
            scene.peer(JOBS)
            scene.marks.take(1)
            from .peer_app import begin

            number = 0

            def notice() -> float:
                nonlocal number
                number += 1
                kafka.publish(TOPIC, json.dumps({"number": number, "ra": 1.0}).encode())
                return _one(scene)

            def task() -> float:
                begin.apply_async((time.time(),))
                return _one(scene)

            for _ in range(warm):
                notice()
                task()
            for _ in range(blocks):
                ours += _block(notice, size)
                theirs += _block(task, size)
    for percent, limit in ((50, 1.5), (99, 2.0)):
        yield Result(
            "latency", f"Kafka arrival to handler start, p{percent}",
            1e3 * percentile(ours, percent), "ms", "bare Celery apply_async to task start",
            1e3 * percentile(theirs, percent), (Bound("ratio", "<=", limit),),
            note=f"{len(ours)} each, ledger durable" if percent == 50 else "")


def _one(scene: Scene) -> float:
    (asked, began), = scene.marks.take(1)
    return began - asked


def _block(measure_one: object, size: int) -> list[float]:
    found = []
    for _ in range(size):
        time.sleep(random.uniform(0.005, 0.020))
        found.append(measure_one())  # type: ignore[operator]
    return found
