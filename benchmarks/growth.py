"""Does a notice cost more when the ledger is full?

A notice is accepted, its job claimed and finished, with 10^3 and with 10^6 notices (10^5 with
``--quick``) and as many finished jobs in the ledger. The peer of the large ledger is the small
one: they take turns, in blocks. The bound of 1.3 leaves room for one more level in each index.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from .handlers import TOPIC
from .result import Bound, Result, percentile
from .scene import Scene

SMALL = 1000


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    large = 100_000 if quick else 1_000_000
    blocks, size = (6, 50) if quick else (10, 100)
    times: dict[int, list[float]] = {SMALL: [], large: []}
    with Scene() as scene:
        from gwbroker import dispatch, jobs
        from gwbroker.conf import settings
        from gwbroker.ledger.engine import check, dispose

        dispatch.load()
        jobs.stay_here()
        numbers = itertools.count()
        for rows in times:
            _use(scene.home, rows)
            settings.cache_clear()
            check()
            dispose()
            _fill(scene.home / f"{rows}.sqlite", rows)
        for _ in range(blocks):
            for rows, found in times.items():
                _use(scene.home, rows)
                settings.cache_clear()
                # The first few open the connection and read the indices.
                found += [_one(next(numbers)) for _ in range(size + 10)][10:]
    yield Result(
        "growth", f"one notice at {large:,} rows, p50", 1e3 * percentile(times[large], 50), "ms",
        f"at {SMALL:,} rows", 1e3 * percentile(times[SMALL], 50), (Bound("ratio", "<=", 1.3),),
        note="accepted, its job claimed and finished; durable")


def _use(home: Path, rows: int) -> None:
    os.environ["GWBROKER_DATABASE_URL"] = f"sqlite:///{home / f'{rows}.sqlite'}"


def _one(number: int) -> float:
    from gwbroker.intake import accept
    from gwbroker.ledger import jobs as rows
    from gwbroker.ledger.engine import write
    from gwbroker.notice import Notice

    notice = Notice(json.dumps({"fresh": number}).encode(), "kafka.bench", TOPIC, 1, number)
    began = time.perf_counter()
    kept, = accept([notice])
    with write(durable=False) as connection:
        job = connection.exec_driver_sql(
            "SELECT id FROM jobs WHERE notice_id = ?", (kept.id,)).scalar_one()
        assert rows.claim(connection, job, "benchmark")
    with write(durable=False) as connection:
        assert rows.finish(connection, job, "benchmark")
    return time.perf_counter() - began


def _fill(path: Path, rows: int) -> None:
    """Write notices with finished jobs straight into the tables, which is quick."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    now = time.time() - rows
    with connection:
        connection.executemany(
            "INSERT INTO notices (id, source, topic, partition, offset, digest, size, received, "
            "identifier) VALUES (?, 'kafka.bench', ?, 0, ?, ?, 300, ?, ?)",
            ((n, TOPIC, n, hashlib.sha256(b"%d" % n).digest(), now + n, f"bench:{n}")
             for n in range(1, rows + 1)))
        connection.executemany("INSERT INTO payloads (notice_id, body) VALUES (?, ?)",
                               ((n, b"x" * 300) for n in range(1, rows + 1)))
        connection.executemany(
            "INSERT INTO jobs (notice_id, handler, queue, args, key, state, attempts, sends, "
            "created, due, sent, started, finished, claimant) VALUES "
            "(?, 'benchmark.begin', 'general', '[]', ?, 'done', 1, 1, ?, ?, ?, ?, ?, 'host:1:ab')",
            ((n, f"{n}:benchmark.begin", *[now + n] * 5) for n in range(1, rows + 1)))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
