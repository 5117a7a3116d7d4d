"""Messages of SCiMMA are what their headers say, or else what they look like."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import fastavro
import pytest

from gwbroker.errors import HandlerError, NoticeError
from gwbroker.handlers.other_voevents import read_any
from gwbroker.notice import Notice
from gwbroker.streams import scimma
from gwbroker.streams.registry import registrations
from gwbroker.streams.subject import identify
from gwbroker.streams.voevent import VOEvent

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
PACKET = b"<v:VOEvent xmlns:v='x' ivorn='ivo://a/b#1' role='observation' version='2.0'/>"


def message(payload: bytes, *headers: tuple[str, bytes], topic: str = "sn.alerts") -> Notice:
    """Return a message as Kafka brings it."""
    return Notice(payload, "kafka.scimma", topic, 0, 1, headers=headers)


def avro(*records: dict[str, Any]) -> bytes:
    """Return an Avro container."""
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema({
        "type": "record", "name": "R", "fields": [{"name": "ra", "type": "double"}]}), records)
    return file.getvalue()


@pytest.mark.parametrize(("form", "payload", "content"), [
    (b"json", b'{"a": 1}', {"a": 1}), (b"JSON", b'"text"', "text"),
    (b"circular", b'{"header": {"title": "GCN"}, "body": "x"}',
     {"header": {"title": "GCN"}, "body": "x"}),
    (b"blob", b"\x00{", b"\x00{"), (b"external", b'{"url": "http://127.0.0.1:1/"}',
                                   {"url": "http://127.0.0.1:1/"}),
    (b"avro", avro({"ra": 1.0}), {"ra": 1.0}),
    (b"avro", avro({"ra": 1.0}, {"ra": 2.0}), [{"ra": 1.0}, {"ra": 2.0}]),
    (b"gcntextnotice", b"TITLE: GCN/X\nTRIGGER_NUM: 5, Seg: 1\n  more\ntitle: again\n",
     {"title": "GCN/X\nagain", "trigger_num": "5, Seg: 1\nmore"}),
    (b"of tomorrow", b"?", b"?"), (b"\xff", b"?", b"?"),
])
def test_the_header_says_how_a_message_is_read(form: bytes, payload: bytes, content: object):
    assert scimma.read(message(payload, ("_format", form))).content == content


def test_a_voevent_is_read_as_one():
    read = scimma.read(message(PACKET, ("_format", b"voevent")))
    assert isinstance(read.content, VOEvent)
    assert (read.format, read.content.ivorn) == ("voevent", "ivo://a/b#1")


@pytest.mark.parametrize(("payload", "form", "content"), [
    (b'{"format": "circular", "content": {"body": "x"}}', "circular", {"body": "x"}),
    (b'{"format": "blob", "content": [1]}', "json", [1]),
    (b'{"a": 1}', None, {"a": 1}), (b"text", None, b"text"), (b"", None, b""),
])
def test_without_headers_it_is_the_old_envelope_or_what_it_looks_like(
    payload: bytes, form: str | None, content: object,
):
    read = scimma.read(message(payload))
    assert (read.format, read.content) == (form, content)


def test_headers_say_who_wrote_it_and_whether_it_is_a_test():
    read = scimma.read(message(b"{}", ("_id", ID.bytes), ("_sender", b"ann"), ("_test", b"true")))
    assert (read.id, read.sender, read.test) == (str(ID), "ann", True)
    assert not scimma.read(message(b"{}")).test
    assert scimma.read(message(b"{}", ("_id", b"short"))).id is None


@pytest.mark.parametrize(("form", "payload"), [
    (b"json", b"{"), (b"avro", b"{}"), (b"avro", b"Obj\x01"), (b"voevent", b"<x/>"),
    (b"voevent", b"<!DOCTYPE a><a/>"), (b"circular", b""), (b"gcntextnotice", b"\xff"),
])
def test_what_is_not_what_its_header_says_is_a_notice_error(form: bytes, payload: bytes):
    with pytest.raises(NoticeError):
        scimma.read(message(payload, ("_format", form)))


def test_the_uuid_identifies_what_has_no_better_name():
    assert identify(message(b"{}", ("_id", ID.bytes))).identifier == f"hop:{ID}"
    assert identify(message(PACKET, ("_id", ID.bytes))).identifier == "ivo://a/b#1"
    assert identify(message(b"{}", ("_id", b"?"))).identifier is None


def test_a_test_is_marked_as_one_whatever_is_inside():
    assert read_any(message(PACKET)).role == "real"
    assert read_any(message(PACKET, ("_test", b"true"))).role == "test"


def test_the_decorator_takes_topics_and_where_gets_the_message():
    before = dict(registrations)
    try:
        @scimma.handler("sn.alerts", where=lambda m: m.test, name="mine")
        def on_message(notice: Notice) -> None: ...

        made = registrations["mine"]
        assert made.topics == {"sn.alerts"}
        assert made.where is not None
        assert made.where(made.stream.alert(message(b"{}", ("_test", b""))))
        assert made.stream.wants(made.keys, message(b"{}"))
        assert not made.stream.wants(made.keys, message(b"{}", topic="other"))
    finally:
        registrations.clear()
        registrations.update(before)
    with pytest.raises(HandlerError, match="Give at least one"):
        scimma.handler()


def test_an_external_message_is_never_fetched():
    """Port 1 answers nobody: whoever asked there would fail."""
    notice = message(json.dumps({"url": "http://127.0.0.1:1/x"}).encode(), ("_format", b"external"))
    assert scimma.read(notice).content == {"url": "http://127.0.0.1:1/x"}
