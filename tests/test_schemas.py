"""Schemas come from a registry once, and no registry stops the listener."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fastavro
import pytest

from gwbroker import dispatch, jobs, schemas
from gwbroker.conf import settings
from gwbroker.errors import ConfigError, NoticeError, SchemaUnavailable
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger.engine import read
from gwbroker.notice import Notice
from gwbroker.shown import effective
from gwbroker.streams.kafka import decode

SCHEMA = {"type": "record", "name": "Alert", "fields": [{"name": "ra", "type": "double"}]}


class Registry:
    """A registry that really answers HTTP, as it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.answer: tuple[int, bytes] = 200, json.dumps({"schema": json.dumps(SCHEMA)}).encode()
        self.location: str | None = None
        self.release: threading.Event | None = None
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append((self.path, self.headers.get("Authorization")))
                if registry.release is not None:
                    registry.release.wait(20)
                status, body = registry.answer
                self.send_response(status)
                if registry.location:
                    self.send_header("Location", registry.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        """Stop it."""
        if self.release is not None:
            self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def registry(home: Path, environment: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry, and a cluster named ``local`` that has it."""
    made = Registry()
    environment.setenv("GWBROKER_KAFKA__LOCAL__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    use(environment, f"http://{made.host}/")
    yield made
    made.close()
    schemas.forget()


def use(environment: pytest.MonkeyPatch, url: str) -> None:
    """Configure the registry's URL."""
    environment.setenv("GWBROKER_KAFKA__LOCAL__SCHEMA_REGISTRY", url)
    settings.cache_clear()
    schemas.forget()


def framed(ra: float = 1.5, number: int = 17, source: str = "kafka.local") -> Notice:
    """Return an alert in Confluent's wire format."""
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(dict(SCHEMA)), {"ra": ra})
    return Notice(b"\0" + number.to_bytes(4, "big") + file.getvalue(), source, "alerts", 0, 1)


def test_a_message_is_decoded_with_the_schema_of_its_number_asked_for_once(registry: Registry):
    assert [decode(framed(ra)) for ra in (1.5, 2.5)] == [{"ra": 1.5}, {"ra": 2.5}]
    assert registry.asked == [("/schemas/ids/17", None)]


def test_after_a_restart_a_known_schema_needs_no_registry(registry: Registry, home: Path):
    decode(framed())
    schemas.forget()
    registry.answer = 500, b""
    assert decode(framed()) == {"ra": 1.5}
    assert len(registry.asked) == 1
    (file,) = (home / "schemas").rglob("*.json")
    assert json.loads(file.read_text()) == SCHEMA


def test_a_damaged_file_of_a_schema_is_fetched_anew(registry: Registry, home: Path):
    decode(framed())
    (file,) = (home / "schemas").rglob("*.json")
    file.write_text('{"type": ')
    schemas.forget()
    assert decode(framed()) == {"ra": 1.5}
    assert len(registry.asked) == 2


def test_without_a_registry_the_bytes_are_what_they_are(registry: Registry):
    assert decode(framed(source="kafka.other")) == framed().payload
    assert decode(Notice(b"\0\0\0", "kafka.local")) == b"\0\0\0"
    assert registry.asked == []


@pytest.mark.parametrize(("status", "body", "words"), [
    (404, b"{}", "HTTP status 404"), (500, b"", "HTTP status 500"),
    (200, b"<html>", "Expecting value"), (200, b"[]", "has no schema"),
    (200, b'{"schema": "{}", "schemaType": "PROTOBUF"}', "not AVRO"),
    (200, b'{"schema": "{}", "references": [{}]}', "refers to other schemas"),
    (200, b'"' + b"x" * (5 << 20) + b'"', "more than 4 MiB"),
])
def test_what_is_no_schema_is_said_and_not_asked_for_again_at_once(
    registry: Registry, status: int, body: bytes, words: str,
):
    registry.answer = status, body
    for _ in range(3):
        with pytest.raises(SchemaUnavailable, match=f"schema 17 cannot be fetched .*{words}"):
            decode(framed())
    assert len(registry.asked) == 1


def test_a_schema_that_is_made_to_hurt_is_the_messages_error(registry: Registry):
    registry.answer = 200, json.dumps({"schema": '{"type": "array", "items": "null"}'}).encode()
    with pytest.raises(NoticeError, match="schema 17: has an array whose items take no bytes"):
        decode(framed())


def test_a_redirection_is_not_followed(registry: Registry):
    registry.answer, registry.location = (302, b""), f"http://{registry.host}/elsewhere"
    with pytest.raises(SchemaUnavailable, match="302"):
        decode(framed())
    assert [path for path, _ in registry.asked] == ["/schemas/ids/17"]


def test_a_registry_that_hangs_is_waited_for_once_and_not_long(
    registry: Registry, monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(schemas, "TIMEOUT", 0.2)
    registry.release = threading.Event()
    for number in (17, 18, 19):
        with pytest.raises(SchemaUnavailable, match="timed out"):
            decode(framed(number=number))
    assert len(registry.asked) == 1


def test_user_and_password_are_sent_and_shown_nowhere(
    registry: Registry, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
):
    use(environment, f"http://me:h%3Aush@{registry.host}")
    decode(framed())
    assert registry.asked[0][1] == "Basic " + b64encode(b"me:h:ush").decode()
    registry.answer = 401, b""
    with pytest.raises(SchemaUnavailable) as caught:
        decode(framed(number=5))
    shown = f"{caught.value} {settings()!r} {effective()} {caplog.text}"
    assert registry.host in shown
    assert "ush@" not in shown
    assert "h:ush" not in shown


def test_an_address_that_is_not_of_the_web_is_refused(registry, environment):
    use(environment, "file:///etc/passwd")
    with pytest.raises(ConfigError, match="schema_registry"):
        settings()
    use(environment, f"http://{registry.host}")


def test_while_the_registry_is_away_messages_flow_and_their_jobs_can_be_retried(
    registry: Registry, sqlite: str, handlers: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
):
    handlers("from gwbroker.streams import kafka\nCALLS = []\n"
             "@kafka.handler('alerts')\ndef on_all(notice): CALLS.append('all')\n"
             "@kafka.handler('alerts', where=lambda a: a['ra'] > 2)\n"
             "def on_some(notice): CALLS.append(kafka.decode(notice)['ra'])\n")
    registry.answer = 503, b""
    monkeypatch.setattr(schemas, "PAUSE", 0.0)
    assert all(accept([framed(1.5), framed(2.5)]))
    with read() as connection:
        rows = job_rows.listing(connection)
    dead = [row["id"] for row in rows if row["state"] == "dead"]
    assert len(rows) == 4
    assert len(dead) == 2
    assert all("schema 17 cannot be fetched from http://127.0.0.1" in str(row["error"])
               for row in rows if row["state"] == "dead")
    registry.answer = 200, json.dumps({"schema": json.dumps(SCHEMA)}).encode()
    jobs.retry(dead)
    for number in dead:
        jobs.run(number)
    assert dispatch.table()["mine.on_some"].function.__globals__["CALLS"] == [2.5]


def test_numbers_that_a_sender_makes_up_cost_few_questions_and_little_memory(registry: Registry):
    decode(framed(number=17))
    registry.asked.clear()
    registry.answer = 404, b"{}"
    began = time.monotonic()
    for number in range(1000, 4000):
        with pytest.raises(SchemaUnavailable):
            decode(framed(number=number))
    allowed = schemas.AT_ONCE + schemas.PER_SECOND * (time.monotonic() - began) + 1
    assert 10 < len(registry.asked) <= allowed
    assert len(schemas._failed) <= schemas.MOST
    assert decode(framed(number=17)) == {"ra": 1.5}
    with pytest.raises(SchemaUnavailable, match="too many others just now"):
        decode(framed(number=5000))
