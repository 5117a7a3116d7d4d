"""How many notices a second go through one handler, for as long as they come?

All are published to Kafka at once; the time runs from the arrival of the first to the end of
the last job. The peer is a bare Celery app with the same number of processes, which gets as
many tasks from one process by `apply_async` while it works them off. They take turns.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from .handlers import TOPIC
from .latency import JOBS
from .result import Bound, Result
from .scene import Scene


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds, size = (2, 1000) if quick else (3, 3000)
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
            for number in range(-1, rounds):
                rate = _notices(scene, kafka, number, 200 if number < 0 else size)
                peer_rate = _tasks(scene, 200 if number < 0 else size)
                if number >= 0:
                    ours.append(rate)
                    theirs.append(peer_rate)
    yield Result(
        "throughput", "notices through one handler", sum(ours) / rounds, "notices/s",
        "bare Celery tasks", sum(theirs) / rounds, (Bound("ratio", ">=", 0.6),),
        note=f"{rounds} times {size} in one go, each kept and each job noted as done")


def _notices(scene: Scene, kafka: object, series: int, size: int) -> float:
    from sqlalchemy import func, select

    from gwbroker.ledger.engine import read
    from gwbroker.ledger.jobs import unfinished
    from gwbroker.ledger.models import jobs

    kafka.publish(TOPIC, *(  # type: ignore[attr-defined]
        json.dumps({"series": series, "number": n, "ra": 1.0}).encode() for n in range(size)))
    first = min(asked for asked, _ in scene.marks.take(size, 300))

    def ended() -> bool:
        with read() as connection:
            return not unfinished(connection)

    scene.wait(ended, 60, "all jobs have ended")
    with read() as connection:
        last: float = connection.execute(select(func.max(jobs.c.finished))).scalar_one()
    return size / (last - first)


def _tasks(scene: Scene, size: int) -> float:
    from .peer_app import begin

    for _ in range(size):
        begin.apply_async((time.time(),))
    marks = scene.marks.take(size, 300)
    return size / (max(began for _, began in marks) - min(asked for asked, _ in marks))
