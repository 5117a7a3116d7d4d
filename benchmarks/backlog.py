"""How long do live alerts wait while 40,000 old circulars are read on another topic?

From the arrival of a Kafka message (``notice.received``) to the first line of its handler, and
from its publication to there, which also counts the time for which the listener is busy with old
ones. The peer is the same broker when nothing else comes: one block before the old circulars
and one after them.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

from .handlers import OTHER, TOPIC
from .latency import JOBS
from .result import Bound, Result, percentile
from .scene import Scene

LIVE = (TOPIC, OTHER)


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    old, size = (5000, 150) if quick else (40_000, 400)
    with Scene() as scene:
        from gwbroker.streams.gcn import CIRCULARS
        from tests.kafka_server import Kafka

        # A real one: librdkafka's mock cluster forgets all but the last 5 MiB of a partition.
        with Kafka() as kafka:
            scene.kafka(kafka.bootstrap_servers)
            for topic in (*LIVE, CIRCULARS):
                kafka.create_topic(topic)
                kafka.publish(topic, _circular(0) if topic == CIRCULARS else _alert())
            scene.redis()
            scene.worker("general", "--concurrency", str(JOBS + 1))
            scene.worker("events", "-Q", "events")
            scene.beat()
            scene.marks.take(len(LIVE))
            _live(scene, kafka, 50)
            quiet = _live(scene, kafka, size)
            kafka.publish(CIRCULARS, *(_circular(n) for n in range(1, old + 1)))
            began = time.monotonic()
            busy: list[tuple[float, float]] = []
            while _kept(CIRCULARS) <= old:
                busy += _live(scene, kafka, 20)
            read = time.monotonic() - began
            # The jobs of the old ones are still being done; that is to be felt as little.
            after = _live(scene, kafka, size)
    yield Result("backlog", "old circulars kept meanwhile", old / read, "notices/s",
                 note=f"{old} old circulars in {read:.0f} s; {len(busy)} live notices meanwhile, "
                 f"{len(after)} while their jobs went on, {len(quiet)} when all was quiet")
    for name, column in (("arrival", 0), ("publication", 1)):
        for percent in (50, 99):
            peer = percentile([each[column] for each in quiet], percent)
            bounds = (Bound("ratio", "<=", 3.0),) if percent == 99 else ()
            for when, found in (("backlog", busy), ("its jobs", after)):
                yield Result(
                    "backlog", f"{name} to handler start, {when}, p{percent}",
                    1e3 * percentile([each[column] for each in found], percent), "ms",
                    "quiet", 1e3 * peer, bounds)


def _live(scene: Scene, kafka: Any, size: int) -> list[tuple[float, float]]:
    """Publish so many live notices; return the seconds since arrival and publication of each."""
    found = []
    for _ in range(size):
        time.sleep(random.uniform(0.005, 0.040))
        now = time.time()
        kafka.publish(random.choice(LIVE), _alert())
        (arrived, began), = scene.marks.take(1)
        found.append((began - arrived, began - now))
    return found


def _alert() -> bytes:
    return json.dumps({"ra": 1.0, "at": time.time(), "number": random.random()}).encode()


def _circular(number: int) -> bytes:
    # From 2001 on, one every five hours.
    created = 1_000_000_000_000 + 18_000_000 * number
    return json.dumps({
        "circularId": 10_000 + number, "subject": f"GRB 0{number % 90000:05d}A: observations",
        "eventId": f"GRB 0{number % 90000:05d}A", "createdOn": created,
        "submitter": "A. Person at an institute", "submittedHow": "email",
        "body": f"We observed the field {number}. " + "No source was found in it. " * 60,
    }).encode()


def _kept(topic: str) -> int:
    from sqlalchemy import func, select

    from gwbroker.ledger.engine import read
    from gwbroker.ledger.models import notices

    with read() as connection:
        return int(connection.execute(
            select(func.count()).where(notices.c.topic == topic)).scalar_one())
