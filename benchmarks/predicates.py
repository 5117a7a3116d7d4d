"""How many survey alerts a second can a listener decode and ask a predicate about?

Avro packets of 60 kB, shaped like those planned for Rubin (a detection with about a hundred
columns, 20 earlier ones, 20 of forced photometry, two cut-outs), lie on a topic of a real Apache
Kafka; a handler with ``batch=`` and ``where=`` wants one in a hundred. The peer is a bare
consumer with the same settings of librdkafka, the same decoder and the same predicate, which
keeps nothing and commits each batch synchronously. They take turns on the same topics.
"""

from __future__ import annotations

import io
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .result import Bound, Result
from .scene import Scene

if TYPE_CHECKING:
    from gwbroker.conf import KafkaCluster
    from tests.kafka_server import Kafka

BATCH = 500
SCHEMA_NUMBER = 703
REGISTRY = "http://127.0.0.1:9"
"""It is never asked: the schema is in the folder of the home, as after a restart."""

DETECTION: dict[str, Any] = {"type": "record", "name": "Detection", "fields": [
    *({"name": f"flux{n}", "type": ["null", "float"] if n % 2 else "double"} for n in range(90)),
    *({"name": f"flag{n}", "type": ["null", "string"]} for n in range(5))]}
FORCED = {"type": "record", "name": "Forced", "fields": [
    {"name": f"flux{n}", "type": "double"} for n in range(15)]}
SCHEMA = {"type": "record", "name": "Alert", "namespace": "bench", "fields": [
    {"name": "id", "type": "long"}, {"name": "detection", "type": DETECTION},
    {"name": "earlier", "type": ["null", {"type": "array", "items": "Detection"}]},
    {"name": "forced", "type": {"type": "array", "items": FORCED}},
    {"name": "difference", "type": ["null", "bytes"]},
    {"name": "template", "type": ["null", "bytes"]}]}

_numbers = itertools.count(1)


def interesting(alert: dict[str, Any]) -> bool:
    """Tell whether an alert is one of the hundredth part that is wanted."""
    wanted: bool = alert["id"] % 100 == 0 and alert["detection"]["flux0"] >= 0
    return wanted


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    number, rounds = (1000, 2) if quick else (2500, 4)
    with Scene() as scene:
        scene.configure(f'[kafka.bench]\nbootstrap_servers = "unused:1"\n'
                        f'schema_registry = "{REGISTRY}"\n')
        from gwbroker import dispatch, jobs, schemas
        from gwbroker.ledger.engine import check
        from gwbroker.streams import kafka as stream
        from tests.kafka_server import Kafka

        kinds = {"schema in the message": _container, "schema of a registry": _framed}
        topics = [f"bench.survey.{n}" for n in range(len(kinds) * (rounds + 1))]
        stream.handler(*topics, where=interesting, batch=BATCH, name="benchmark.survey")(
            lambda notices: None)
        dispatch.load()
        check()
        # No Redis here: the jobs stay in the ledger.
        jobs.stay_here()
        schemas._store(REGISTRY, SCHEMA_NUMBER, json.dumps(SCHEMA))
        with Kafka() as kafka:
            for kind, pack in kinds.items():
                mine = [topics.pop() for _ in range(rounds + 1)]
                yield _compare(kafka, kind, pack, mine, number)
        scene.log.clear()


def _compare(
    kafka: Kafka, kind: str, pack: Callable[[dict[str, Any]], bytes], topics: list[str],
    number: int,
) -> Result:
    ours = theirs = 0.0
    for turn, topic in enumerate(topics):
        kafka.create_topic(topic)
        size = 0
        for _ in range(0, number, BATCH):
            payloads = [pack(_alert()) for _ in range(BATCH)]
            size = len(payloads[0])
            kafka.publish(topic, *payloads, timeout=120)
        # The second finds the messages in the server's memory: each is second in turn.
        order = (_read, _bare) if turn % 2 else (_bare, _read)
        took = {read: read(kafka, topic, number) for read in order}
        if turn:
            ours += took[_read]
            theirs += took[_bare]
        kafka.delete_topic(topic)
    total = number * (len(topics) - 1)
    return Result("predicates", f"asked about, {kind}", total / ours, "alerts/s", "bare consumer",
                  total / theirs, (Bound("ratio", ">=", 0.8),),
                  note=f"{total} of {size / 1000:.0f} kB, batches of {BATCH}, 1 % kept")


def _alert() -> dict[str, Any]:
    def detection() -> dict[str, Any]:
        return {**{f"flux{n}": random.random() for n in range(90)},
                **{f"flag{n}": "good" for n in range(5)}}

    return {"id": next(_numbers), "detection": detection(),
            "earlier": [detection() for _ in range(20)],
            "forced": [{f"flux{n}": 1.0 for n in range(15)}] * 20,
            "difference": random.randbytes(20_000), "template": random.randbytes(20_000)}


def _parsed() -> Any:
    from gwbroker.streams import avro

    return avro.prepare(json.dumps(SCHEMA))


def _container(alert: dict[str, Any]) -> bytes:
    import fastavro

    file = io.BytesIO()
    fastavro.writer(file, _parsed().parsed, [alert])
    return file.getvalue()


def _framed(alert: dict[str, Any]) -> bytes:
    import fastavro

    file = io.BytesIO()
    fastavro.schemaless_writer(file, _parsed().parsed, alert)
    return b"\0" + SCHEMA_NUMBER.to_bytes(4, "big") + file.getvalue()


def _cluster(kafka: Kafka) -> KafkaCluster:
    from gwbroker.conf import KafkaCluster

    return KafkaCluster(bootstrap_servers=kafka.bootstrap_servers,
                        group_id=f"bench{next(_numbers)}")


def _read(kafka: Kafka, topic: str, number: int) -> float:
    """Let our reader ask about so many; return the seconds from the first to the last."""
    from gwbroker.intake import accept
    from gwbroker.listeners.kafka_reader import KafkaReader

    began: list[float] = []
    seen = kept = 0

    def count(notices: Sequence[Any]) -> object:
        nonlocal seen, kept
        if not began:
            began.append(time.perf_counter())
        made = accept(notices)
        seen += len(notices)
        kept += sum(each is not None for each in made)
        return made

    cluster = _cluster(kafka)
    KafkaReader("kafka.bench", cluster, [topic], count, lambda: seen >= number,
                bulk=[topic]).run()
    elapsed = time.perf_counter() - began[0]
    assert kafka.committed(cluster.group_id, topic) == {0: number}
    assert kept == number // 100, kept
    return elapsed


def _bare(kafka: Kafka, topic: str, number: int) -> float:
    """Let a bare consumer ask about so many; return the seconds."""
    from confluent_kafka import Consumer, TopicPartition

    from gwbroker.listeners.kafka_config import consumer_config
    from gwbroker.streams import avro

    cluster, schema = _cluster(kafka), _parsed()
    consumer = Consumer(consumer_config(cluster, lane="bulk"))
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages = consumer.consume(BATCH, timeout=30)
    began = time.perf_counter()
    read = kept = 0
    while True:
        for message in messages:
            body = message.value()
            framed = body[0] == 0
            kept += interesting(avro.single(body[5:], schema) if framed
                                else avro.container(body)[0])
        read += len(messages)
        if messages:
            consumer.commit(message=messages[-1], asynchronous=False)
        if read >= number:
            break
        messages = consumer.consume(BATCH, timeout=1)
    consumer.close()
    assert kept == number // 100, kept
    return time.perf_counter() - began
