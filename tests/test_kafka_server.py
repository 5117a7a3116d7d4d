"""The Kafka of the tests is a real one, and does as it is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from . import kafka_jars
from .kafka_server import Kafka
from .servers import Absent, poll


def _read(kafka: Kafka, topic: str, number: int, partition: int = 0) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "look",
                         "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0)])
    try:
        found = consumer.consume(number, timeout=15)
        consumer.commit(message=found[-1], asynchronous=False)
        return [message.value() or b"" for message in found]
    finally:
        consumer.close()


def test_what_was_published_outlives_an_orderly_and_a_hard_restart() -> None:
    with Kafka() as kafka:
        kafka.create_topic("a", 2)
        kafka.publish("a", b"0", partition=1, key=b"k", headers=[("h", b"v")], timestamp=1_000_000)
        kafka.restart()
        kafka.publish("a", b"1", partition=1)
        kafka.kill()
        assert not kafka.pid
        kafka.start()
        kafka.publish("a", b"2", partition=1)
        assert kafka.end_offsets("a") == {0: 0, 1: 3}
        assert _read(kafka, "a", 3, partition=1) == [b"0", b"1", b"2"]
        assert kafka.committed("look", "a") == {1: 3}
        folder = kafka.folder
    assert not folder.exists()


def test_a_port_that_somebody_was_quicker_to_take_is_left_to_him() -> None:
    kafka = Kafka()
    taken = kafka._ports[1]
    with socket.create_server(("127.0.0.1", taken)), kafka:
        kafka.create_topic("a")
        kafka.publish("a", b"0")
        assert kafka.end_offsets("a") == {0: 1}
        assert taken not in kafka._ports


def test_a_frozen_kafka_goes_on_where_it_was(kafka: Kafka) -> None:
    kafka.create_topic("server.frozen")
    kafka.pause()
    sent = threading.Thread(target=kafka.publish, args=("server.frozen", b"1"))
    try:
        sent.start()
        sent.join(0.5)
        assert sent.is_alive()
    finally:
        kafka.resume()
    sent.join(30)
    assert kafka.end_offsets("server.frozen") == {0: 1}


def test_a_topic_can_grow_expire_and_go(kafka: Kafka) -> None:
    kafka.create_topic("server.topic")
    kafka.publish("server.topic", b"1", b"2")
    kafka.expire("server.topic", 1)
    assert _read(kafka, "server.topic", 1) == [b"2"]
    kafka.add_partitions("server.topic", 3)
    assert kafka.end_offsets("server.topic") == {0: 2, 1: 0, 2: 0}
    kafka.delete_topic("server.topic")


def test_kafka_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    kafka_jars.jars()  # fetched here, if need be
    script = textwrap.dedent("""
        import time
        from tests.kafka_server import Kafka
        kafka = Kafka()
        kafka.start()
        print(kafka.pid, kafka.folder, flush=True)
        time.sleep(60)
        """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
                          cwd=Path(__file__).parents[1],
                          env=os.environ | {"TMPDIR": str(tmp_path)}) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline().split()[0])
        parent.kill()
    poll(lambda: not Path(f"/proc/{pid}/stat").exists()
         or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z",
         5, "Kafka has died")


@pytest.mark.parametrize(("said", "reason"), [
    ('echo \'openjdk version "11.0.2" 2019-01-15\' >&2', "Java 17 or newer"),
    ("echo 'not what you think' >&2", "Java 17 or newer"),
])
def test_an_old_java_is_named_in_one_line(
    said: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\n{said}\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(Absent, match=reason) as caught:
        kafka_jars.java()
    assert "\n" not in str(caught.value)


def test_a_maven_that_fails_is_named_in_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text("#!/bin/sh\necho '[ERROR] no route to the repository'\necho more\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(Absent, match=r"no route to the repository$"):
        kafka_jars.jars()
    assert [p.name for p in (tmp_path / "cache/gwbroker-tests").iterdir()] == ["kafka.lock"]


def test_without_maven_the_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(Absent, match="no mvn is installed"):
        kafka_jars.jars()


def test_fetching_beforehand_only_says_what_is_missing_and_fails_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr(kafka_jars, "CI", False)
    kafka_jars.main()
    assert "no java is installed. What needs Kafka is left out." in capsys.readouterr().out
    monkeypatch.setattr(kafka_jars, "CI", True)
    with pytest.raises(SystemExit, match="no java is installed, and CI is set"):
        kafka_jars.main()
