"""Any Kafka topic: JSON, Avro or bytes."""

from __future__ import annotations

import contextlib
import io

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwbroker.errors import HandlerError, NoticeError
from gwbroker.notice import Notice
from gwbroker.streams import kafka
from gwbroker.streams.kafka import decode, stream

SCHEMA = {"type": "record", "name": "Alert", "fields": [{"name": "ra", "type": "double"}]}


def avro(*records: dict[str, float]) -> bytes:
    """Return an Avro object container file."""
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(dict(SCHEMA)), records)
    return file.getvalue()


@pytest.mark.parametrize("topic", ["", "a topic", "a/b", "a" * 250, None, 3, "ä"])
def test_what_cannot_be_a_topic_is_refused(topic: object):
    with pytest.raises(HandlerError, match="letters, digits"):
        kafka.handler(topic)  # type: ignore[arg-type]


def test_a_handler_without_topic_is_refused():
    with pytest.raises(HandlerError, match="Give at least one"):
        kafka.handler()


def test_a_message_is_wanted_by_its_topic_alone():
    assert stream.wants(("a", "b"), Notice(b"\xff", topic="b"))
    assert not stream.wants(("a",), Notice(b"", topic="c"))


@pytest.mark.parametrize(("payload", "content"), [
    (b'{"a": 1}', {"a": 1}), (b" \n[1]", [1]), (b"\xef\xbb\xbf{}", {}), (b"  ", b"  "),
    (b"text", b"text"), (b"", b""), (b"\xff\x00", b"\xff\x00"), (b"<a/>", b"<a/>"),
])
def test_where_gets_json_as_a_value_and_else_the_bytes(payload: bytes, content: object):
    assert stream.alert(Notice(payload)) == content


def test_where_gets_one_avro_record_by_itself_and_several_as_a_list():
    assert decode(Notice(avro({"ra": 1.5}))) == {"ra": 1.5}
    assert decode(Notice(avro({"ra": 1.0}, {"ra": 2.0}))) == [{"ra": 1.0}, {"ra": 2.0}]


@pytest.mark.parametrize("payload", [
    b"{", b"[1,", b'{"a": NaN}', b"Obj\x01", b"Obj\x01\xff\xff\xff\xff\xff\xff\xff\xff\x01",
])
def test_damaged_content_is_a_notice_error(payload: bytes):
    with pytest.raises(NoticeError):
        decode(Notice(payload))


@given(st.data())
def test_damaged_avro_is_read_or_refused_and_nothing_else(data: st.DataObject):
    whole = bytearray(avro({"ra": 1.0}, {"ra": 2.0}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(4, len(whole)))
    with contextlib.suppress(NoticeError):
        decode(Notice(bytes(whole[:end])))


def test_a_damaged_block_of_compressed_avro_is_a_notice_error():
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(dict(SCHEMA)), [{"ra": 1.0}], codec="deflate")
    whole = file.getvalue()
    # After the header's sync marker: count and size, of one byte each, and the block.
    block = whole.index(whole[-16:]) + 16 + 2
    with pytest.raises(NoticeError, match="Avro: error: Error -3"):
        decode(Notice(whole[:block] + b"\xff" + whole[block + 1:]))


def test_an_avro_schema_nested_too_deeply_is_a_notice_error():
    deep = b'{"type":"array","items":' * 5000 + b'"int"' + b"}" * 5000
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(dict(SCHEMA)), [{"ra": 1.0}])
    size = io.BytesIO()
    fastavro.schemaless_writer(size, "bytes", deep)
    start = file.getvalue().index(b"avro.schema") + len(b"avro.schema")
    with pytest.raises(NoticeError, match="not readable Avro"):
        decode(Notice(file.getvalue()[:start] + size.getvalue() + b"\0" + bytes(16)))


def test_an_avro_schema_that_is_no_schema_is_a_notice_error():
    whole = avro({"ra": 1.0})
    with pytest.raises(NoticeError):
        decode(Notice(whole.replace(b'"record"', b'"recard"')))
