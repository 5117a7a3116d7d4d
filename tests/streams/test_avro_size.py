"""How many values Avro bytes hold is known before any of them is made."""

from __future__ import annotations

import io
import json
import random
import zlib
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from gwbroker.errors import NoticeError
from gwbroker.streams import avro_size
from gwbroker.streams.avro import container, prepare, single

from .test_avro import ALERT, by_hand, written

SHAPES: dict[str, Any] = {
    "alert": ALERT,
    "numbers": {"type": "array", "items": "double"},
    "flags": {"type": "array", "items": {"type": "record", "name": "F", "fields": [
        {"name": "b", "type": "boolean"}, {"name": "n", "type": "null"}]}},
    "nested": {"type": "array", "items": {"type": "array", "items": {
        "type": "array", "items": "int"}}},
    "maps": {"type": "map", "values": {"type": "map", "values": ["null", "long", "string"]}},
    "fixed": {"type": "array", "items": {"type": "fixed", "name": "X", "size": 3}},
    "union": ["null", {"type": "record", "name": "U", "fields": [
        {"name": f"f{n}", "type": ["null", "float"]} for n in range(30)]}],
    "logical": {"type": "array", "items": {"type": "long", "logicalType": "timestamp-millis"}},
    "text": "string",
}


def values(value: Any) -> int:
    """Count the objects of a decoded value; a key of a map counts, a name of a field does not."""
    if isinstance(value, dict):
        return 1 + sum(values(each) for each in value.values())
    return 1 + sum(map(values, value)) if isinstance(value, list) else 1


def keys(value: Any) -> int:
    """Count the keys in the maps of ``maps``."""
    return sum(1 + keys(each) for each in value.values()) if isinstance(value, dict) else 0


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_counted_is_what_is_decoded_and_never_more_than_the_schema_lets_expect(name: str):
    known = prepare(json.dumps(SHAPES[name]))
    random.seed(1)
    for value in generate_many(known.parsed, 20):
        file = io.BytesIO()
        fastavro.schemaless_writer(file, known.parsed, value)
        body = file.getvalue()
        cursor = avro_size.Cursor(body)
        known.shape.step(cursor)
        decoded = single(body, known)
        more = keys(decoded) if name == "maps" else len(decoded["notes"]) if name == "alert" else 0
        assert cursor.at == len(body)
        assert cursor.values == values(decoded) + more
        assert cursor.values <= known.shape.free + known.shape.density * len(body)


def bomb(items: Any, each: bytes) -> bytes:
    """Return an array of 1,100,000 items that take a byte each, in a container of a few kB."""
    number = 1_100_000
    file = io.BytesIO()
    fastavro.schemaless_writer(file, "long", number)
    whole = file.getvalue() + each * number + b"\0"
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return by_hand({"type": "array", "items": items}, 1,
                   machine.compress(whole) + machine.flush(), b"deflate")


@pytest.mark.parametrize(("items", "each"), [
    ("boolean", b"\0"), ({"type": "array", "items": "long"}, b"\0"),
    ({"type": "map", "values": "long"}, b"\0"), (["null", "long"], b"\0"), ("string", b"\0"),
    ({"type": "record", "name": "R", "fields": [
        *({"name": f"n{n}", "type": "null"} for n in range(200)),
        {"name": "b", "type": "boolean"}]}, b"\0")],
    ids=["booleans", "arrays", "maps", "unions", "strings", "records of nulls"])
def test_a_small_message_with_a_million_values_is_refused_before_one_is_made(
    items: Any, each: bytes,
):
    message = bomb(items, each)
    assert len(message) < 20_000
    with pytest.raises(NoticeError, match="more than 1,000,000 values"):
        container(message)


def test_a_million_records_of_a_byte_are_refused():
    with pytest.raises(NoticeError, match="more than 1,000,000 values"):
        container(by_hand("boolean", 1_000_001, bytes(1_000_001)))


def test_a_large_message_that_is_mostly_a_picture_is_read():
    schema = {"type": "record", "name": "P", "fields": [
        {"name": "notes", "type": {"type": "map", "values": "string"}},
        {"name": "flags", "type": {"type": "array", "items": "boolean"}},
        {"name": "cutout", "type": "bytes"}]}
    record = {"notes": {"a": "b"}, "flags": [True] * 100, "cutout": bytes(5_000_000)}
    known = prepare(json.dumps(schema))
    # By its schema alone it might hold too many, so they are counted.
    assert known.shape.density * 5_000_000 > avro_size.MOST
    assert container(written(schema, [record])) == [record]


@pytest.mark.parametrize("body", [
    b"", b"\x02", b"\x80", b"\x80" * 12, b"\x03\x04\x01", b"\x02\x07"])
def test_damaged_bytes_end_the_counting_with_a_reason(body: bytes):
    known = prepare(json.dumps({"type": "array", "items": ["null", "string"]}))
    with pytest.raises(avro_size.TooMany, match=r"ends too early|too long|not in its schema"):
        known.shape.step(avro_size.Cursor(body))
