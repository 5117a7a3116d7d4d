"""hop-client, as others run it, publishes to a real Kafka; gwbroker's handlers get it all."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from gwbroker import dispatch, jobs
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger.engine import read

from .kafka_server import Kafka
from .listeners.kafka_reading import Reading
from .peers import peer
from .servers import poll

PUBLISHER = '''
import sys
from hop import models
from hop.io import Stream

with Stream(auth=False).open(sys.argv[1], "w") as stream:
    stream.write(models.JSONBlob({"a": 1}))
    stream.write(models.VOEvent.load(
        b"<voe:VOEvent xmlns:voe='x' ivorn='ivo://a/b#1' role='observation' version='2.0'/>"),
        test=True)
    stream.write(models.AvroBlob({"a": 1, "b": None, "c": [1.5, 2.5]}))
    stream.write(models.Blob(b"\\x00\\x01"))
    stream.write(models.GCNCircular({"title": "GCN CIRCULAR", "number": "5"}, "We saw it."))
    stream.write(models.GCNTextNotice.load(b"TITLE: GCN/X\\nTRIGGER_NUM: 5\\n"))
    stream.write(models.ExternalMessage("http://127.0.0.1:1/large"))
    stream.write(b"", {"_note": b"no content at all"})
'''

HANDLERS = '''
from gwbroker.streams import scimma
GOT = []

@scimma.handler("TOPIC")
def on_all(notice):
    message = scimma.read(notice)
    GOT.append((message.format, message.id, message.test, getattr(
        message.content, "ivorn", message.content)))
'''


def test_what_hop_client_publishes_is_read_by_its_framing(
    kafka: Kafka, sqlite: str, handlers: Callable[[str], Path],
):
    program = peer("hop")
    topic = f"hop.{uuid.uuid4().hex[:8]}"
    kafka.create_topic(topic)
    handlers(HANDLERS.replace("TOPIC", topic))
    jobs.stay_here()
    count = 0

    def keep(notices):
        nonlocal count
        accept(notices)
        count += len(notices)

    with Reading(kafka.bootstrap_servers, topic, accept=keep):
        subprocess.run(
            [Path(program).with_name("python"), "-c", PUBLISHER,
             f"kafka://{kafka.bootstrap_servers}/{topic}"],
            check=True, timeout=60, capture_output=True)
        poll(lambda: count == 8, 20, "eight messages")
    with read() as connection:
        rows = [row for row in job_rows.listing(connection) if row["handler"] == "mine.on_all"]
    for row in rows:
        jobs.run(row["id"])
    got = dispatch.table()["mine.on_all"].function.__globals__["GOT"]
    assert [(form, test, content) for form, _, test, content in got] == [
        ("json", False, {"a": 1}), ("voevent", True, "ivo://a/b#1"),
        ("avro", False, {"a": 1, "b": None, "c": [1.5, 2.5]}), ("blob", False, b"\x00\x01"),
        ("circular", False, {"header": {"title": "GCN CIRCULAR", "number": "5"},
                             "body": "We saw it."}),
        ("gcntextnotice", False, {"title": "GCN/X", "trigger_num": "5"}),
        ("external", False, {"url": "http://127.0.0.1:1/large"}), ("blob", False, b"")]
    assert len({uuid.UUID(number) for _, number, _, _ in got}) == 8
