"""How many notices a second can be kept when a ``where`` predicate drops nearly all of them?

Messages of 1 kB of JSON go through `gwbroker.intake.accept` in batches of 500, as the Kafka
listener hands them over; all are kept durably, one in a hundred makes a job. The peer reads
the same JSON and writes the same bytes to a table of SQLite's, by hand. One core each.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from .handlers import FILTERED
from .result import Bound, Result
from .scene import Scene

BATCH = 500


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds, size = (4, 2500) if quick else (8, 10_000)
    ours = theirs = 0.0
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with Scene() as scene:
        from gwbroker import dispatch, jobs
        from gwbroker.ledger.engine import check

        dispatch.load()
        check()
        # No Redis here: the jobs stay in the ledger.
        jobs.stay_here()
        connection = _table(scene.home / "peer.sqlite")
        for number in range(-1, rounds):
            payloads = [_payload(number * size + n) for n in range(size)]
            elapsed, peer_elapsed = _keep(payloads), _insert(connection, payloads)
            if number >= 0:
                ours += elapsed
                theirs += peer_elapsed
        connection.close()
    total = rounds * size
    yield Result("bulk", "notices kept, 99 % of them dropped by where=", total / ours, "notices/s",
                 "json.loads and executemany", total / theirs,
                 (Bound("value", ">=", 10_000),), note=f"{total} of 1 kB, batches of {BATCH}")


def _payload(number: int) -> bytes:
    alert = {"id": number, "far": (number % 100 + 0.5) * 1e-8, "ra": number % 360, "dec": 12.5,
             "properties": {f"p{k}": k / 7 for k in range(20)}}
    alert["comment"] = "x" * (1000 - len(json.dumps(alert)))
    return json.dumps(alert).encode()


def _keep(payloads: list[bytes]) -> float:
    from gwbroker.intake import accept
    from gwbroker.notice import Notice

    began = time.perf_counter()
    for start in range(0, len(payloads), BATCH):
        accept([Notice(payload, "kafka.bench", FILTERED, 0, start + n)
                for n, payload in enumerate(payloads[start:start + BATCH])])
    return time.perf_counter() - began


def _table(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE notices (id INTEGER PRIMARY KEY, far REAL, digest BLOB, "
                       "received REAL, body BLOB)")
    connection.execute("CREATE INDEX by_digest ON notices (digest)")
    return connection


def _insert(connection: sqlite3.Connection, payloads: list[bytes]) -> float:
    began = time.perf_counter()
    for start in range(0, len(payloads), BATCH):
        with connection:
            connection.executemany(
                "INSERT INTO notices (far, digest, received, body) VALUES (?, ?, ?, ?)",
                [(json.loads(p)["far"], hashlib.sha256(p).digest(), time.time(), p)
                 for p in payloads[start:start + BATCH]])
    return time.perf_counter() - began
