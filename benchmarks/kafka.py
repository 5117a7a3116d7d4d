"""How many notices a second does the Kafka listener keep and commit?

A topic of a real Apache Kafka holds notices of 2 kB, in JSON, that no handler asks for; in a last
part VOEvents, each of which makes a job. The reader keeps them in a ledger on SQLite, durably,
and commits each batch. The peer is a bare consumer with the same settings of librdkafka that
drops what it reads and commits each batch synchronously; a second one writes the bytes to a
table of SQLite's with an index, durably, before it commits. They take turns on the same topic.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .result import Bound, Result
from .scene import Scene

if TYPE_CHECKING:
    from gwbroker.conf import KafkaCluster
    from tests.kafka_server import Kafka

SIZES = {1: 600, 10: 3000, 100: 10_000, 500: 20_000}
"""Batch sizes, and how many notices are read in each turn."""

PACKET = """<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="observation"
 ivorn="ivo://bench.test/source#{number}"><Who><AuthorIVORN>ivo://bench.test/source</AuthorIVORN>
<Date>2026-01-01T00:00:00</Date></Who><What>{params}</What></voe:VOEvent>
"""

_numbers = itertools.count(1)


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds = 3
    with Scene() as scene:
        from gwbroker import dispatch, jobs
        from gwbroker.ledger.engine import check
        from tests.kafka_server import Kafka

        dispatch.load()
        check()
        # No Redis here; these notices make no jobs.
        jobs.stay_here()
        with Kafka() as kafka:
            for size, number in SIZES.items():
                yield from _compare(
                    kafka, scene.home, size, number // 4 if quick else number, rounds)
            yield from _compare(kafka, scene.home, 0, SIZES[500], rounds)
            yield from _compare(kafka, scene.home, 500, SIZES[500] // 2, rounds, packet=True)


def _compare(
    kafka: Kafka, home: Path, size: int, number: int, rounds: int, packet: bool = False,
) -> Iterator[Result]:
    table = _table(home / "peer.sqlite")
    seconds = [0.0, 0.0, 0.0]
    for turn in range(-1, rounds):
        # New messages each time: one that the ledger has already is quicker to deal with.
        topic = kafka.create_topic(f"bench.kafka.{next(_numbers)}")
        kafka.publish(topic, *(_payload(next(_numbers), packet) for _ in range(number)),
                      timeout=120)
        read = (topic, number, size or 500)
        runs: tuple[Callable[[], float], ...] = (
            partial(_read, kafka, topic, number, size),
            partial(_bare, kafka, *read, lambda payloads: None),
            partial(_bare, kafka, *read, partial(_insert, table)))
        # Who comes later finds the messages in the server's memory: they take turns in that too.
        for place in range(3):
            which = (turn + place) % 3
            took = runs[which]()
            if turn >= 0:
                seconds[which] += took
        kafka.delete_topic(topic)
    table.close()
    ours, bare, by_hand = (rounds * number / each for each in seconds)
    what = f"kept and committed, batches of {size}" if size else "kept and committed, as it comes"
    if packet:
        what += ", VOEvents with a job each"
    note = f"{rounds} times {number} notices"
    if not size:
        note += "; the reader chooses its batches, as for any backlog; the peers' are of 500"
    yield Result("kafka", what, ours, "notices/s", "bare consumer", bare,
                 (Bound("ratio", ">=", 0.5),))
    yield Result("kafka", what, ours, "notices/s", "consumer that keeps", by_hand,
                 () if packet else (Bound("ratio", ">=", 0.5),), note=note)


def _cluster(kafka: Kafka) -> KafkaCluster:
    from gwbroker.conf import KafkaCluster

    return KafkaCluster(bootstrap_servers=kafka.bootstrap_servers,
                        group_id=f"bench{next(_numbers)}")


def _read(kafka: Kafka, topic: str, number: int, size: int) -> float:
    """Let our reader keep and commit so many; return the seconds from the first to the last."""
    from unittest.mock import patch

    from gwbroker.intake import accept
    from gwbroker.listeners import kafka_reader

    began: list[float] = []
    kept = 0

    def count(notices: Sequence[Any]) -> object:
        nonlocal kept
        if not began:
            began.append(time.perf_counter())
        made = accept(notices)
        kept += len(notices)
        return made

    cluster = _cluster(kafka)
    # It decides itself how many to take, and that so many are a backlog to be read slowly.
    sizes = {"MOST": size, "BEHIND": number} if size else {"MOST": kafka_reader.MOST}
    with patch.multiple(kafka_reader, **sizes):
        kafka_reader.KafkaReader(
            "kafka.bench", cluster, [topic], count, lambda: kept >= number).run()
    elapsed = time.perf_counter() - began[0]
    assert kafka.committed(cluster.group_id, topic) == {0: number}
    return elapsed


def _bare(
    kafka: Kafka, topic: str, number: int, size: int, keep: Callable[[list[bytes]], None],
) -> float:
    """Let a consumer read, keep and commit so many; return the seconds."""
    from confluent_kafka import Consumer, TopicPartition

    from gwbroker.listeners.kafka_config import consumer_config

    cluster = _cluster(kafka)
    consumer = Consumer(consumer_config(cluster))
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages = consumer.consume(size, timeout=30)
    began = time.perf_counter()
    read = 0
    while True:
        read += len(messages)
        if messages:
            keep([message.value() or b"" for message in messages])
            consumer.commit(message=messages[-1], asynchronous=False)
        if read >= number:
            break
        messages = consumer.consume(size, timeout=1)
    consumer.close()
    elapsed = time.perf_counter() - began
    assert kafka.committed(cluster.group_id, topic) == {0: number}
    return elapsed


def _table(path: Path) -> sqlite3.Connection:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE notices (id INTEGER PRIMARY KEY, digest BLOB, received REAL,"
                       " body BLOB)")
    connection.execute("CREATE INDEX by_digest ON notices (digest)")
    return connection


def _insert(connection: sqlite3.Connection, payloads: list[bytes]) -> None:
    with connection:
        connection.executemany(
            "INSERT INTO notices (digest, received, body) VALUES (?, ?, ?)",
            [(hashlib.sha256(p).digest(), time.time(), p) for p in payloads])


def _payload(number: int, packet: bool) -> bytes:
    if packet:
        params = "".join(f'<Param name="p{k}" value="{(number + k) / 7}" ucd="meta.id"/>\n'
                         for k in range(24))
        return PACKET.format(number=number, params=params).encode()
    alert = {"$schema": "https://gcn.nasa.gov/schema/v7.2.0/gcn/notices/bench.schema.json",
             "id": [f"bench{number}"], "alert_datetime": "2026-01-01T00:00:00Z",
             "ra": number % 360, "dec": 12.5, "ra_dec_error": 0.1,
             "properties": {f"p{k}": (number + k) / 7 for k in range(40)}}
    alert["additional_info"] = "x" * (2000 - len(json.dumps(alert)))
    return json.dumps(alert).encode()
