"""Avro is decoded as fastavro does it, less what hostile schemas and blocks do to it."""

from __future__ import annotations

import bz2
import io
import json
import zlib
from typing import Any

import fastavro
import pytest

from gwbroker.errors import NoticeError
from gwbroker.streams import avro
from gwbroker.streams.avro import container, prepare, single

POINT = {"type": "record", "name": "Point", "namespace": "sky", "fields": [
    {"name": "ra", "type": "double"}, {"name": "dec", "type": ["null", "float"]}]}
ALERT = {"type": "record", "name": "Alert", "namespace": "sky", "fields": [
    {"name": "id", "type": "long"}, {"name": "band", "type": {
        "type": "enum", "name": "Band", "symbols": ["g", "r"]}},
    {"name": "first", "type": POINT}, {"name": "more", "type": {
        "type": "array", "items": "Point"}},
    {"name": "again", "type": ["null", "sky.Point"]},
    {"name": "notes", "type": {"type": "map", "values": "string"}},
    {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 2}},
    {"name": "made", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "nothing", "type": "null"}, {"name": "cutout", "type": "bytes"}]}
RECORD = {"id": 7, "band": "r", "first": {"ra": 1.5, "dec": None},
          "more": [{"ra": 2.5, "dec": 0.5}] * 3, "again": None, "notes": {"a": "b"},
          "hash": b"xy", "made": 5, "nothing": None, "cutout": bytes(300)}


def written(schema: Any, records: list[Any], codec: str = "null") -> bytes:
    """Return a container file."""
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(json.loads(json.dumps(schema))), records,
                    codec=codec)
    return file.getvalue()


def by_hand(schema: Any, count: int, block: bytes, codec: bytes = b"null") -> bytes:
    """Return a container file with one block that claims so many records."""
    file = io.BytesIO(b"Obj\x01")
    file.seek(4)
    fastavro.schemaless_writer(file, {"type": "map", "values": "bytes"}, {
        "avro.schema": json.dumps(schema).encode(), "avro.codec": codec})
    file.write(bytes(16))
    for number in (count, len(block)):
        fastavro.schemaless_writer(file, "long", number)
    return file.getvalue() + block + bytes(16)


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_records_are_those_that_fastavro_reads(codec: str):
    whole = written(ALERT, [RECORD, {**RECORD, "id": 8}], codec)
    assert container(whole) == list(fastavro.reader(io.BytesIO(whole)))
    assert [record["id"] for record in container(whole)] == [7, 8]


def test_a_value_without_its_schema_is_read_with_the_one_given():
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(ALERT), RECORD)
    assert single(file.getvalue(), prepare(json.dumps(ALERT)))["more"][2]["ra"] == 2.5
    assert single(b"\x0e", prepare('"long"')) == 7
    with pytest.raises(NoticeError, match="not readable Avro"):
        single(file.getvalue()[:40], prepare(json.dumps(ALERT)))


def test_a_schema_is_parsed_once_however_many_messages_carry_it():
    avro._prepare.cache_clear()
    for _ in range(5):
        container(written(ALERT, [RECORD]))
    assert avro._prepare.cache_info().misses == 1


@pytest.mark.parametrize(("schema", "words"), [
    ({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]},
     "recursive"),
    ({"type": "record", "name": "A", "fields": [{"name": "b", "type": {
        "type": "record", "name": "B", "fields": [{"name": "a", "type": {
            "type": "array", "items": "A"}}]}}]}, "recursive"),
    ({"type": "array", "items": "null"}, "take no bytes"),
    ({"type": "record", "name": "R", "fields": [{"name": "x", "type": {"type": "array", "items": {
        "type": "record", "name": "E", "fields": []}}}]}, "takes no bytes"),
    ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "takes no bytes"),
    ({"type": "record", "name": "R", "fields": [
        {"name": f"n{i}", "type": "null"} for i in range(1000)]}, "fields that take no bytes"),
    ({"type": "nonsense"}, "without definition"), ({"type": 5}, "is int"), (7, "is int"),
    ("", "without definition"), ({"type": "record", "fields": []}, "not an Avro schema"),
])
def test_a_schema_made_to_hurt_is_refused_before_anything_is_decoded(schema: Any, words: str):
    with pytest.raises(NoticeError, match=words):
        prepare(json.dumps(schema))
    with pytest.raises(NoticeError, match="not readable Avro"):
        container(by_hand(schema, 1, b"\x02" * 100))


def test_a_schema_nested_deeply_is_refused():
    schema: Any = "int"
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    with pytest.raises(NoticeError, match="nested more than"):
        prepare(json.dumps(schema))


@pytest.mark.parametrize(("count", "block", "codec", "words"), [
    (1 << 60, b"\x02", b"null", "cannot hold"), (-1, b"\x02", b"null", "does not end"),
    (1, zlib.compress(bytes(65 << 20), wbits=-15), b"deflate", "larger than 64 MiB"),
    (1, bz2.compress(bytes(65 << 20)), b"bzip2", "larger than 64 MiB"),
    (1, b"", b"deflate", "cut off"), (1, b"\x02", b"snappy", "codec 'snappy' is not read"),
    (2, b"\x02", b"null", "cannot hold"),
], ids=["count", "negative", "deflate bomb", "bzip2 bomb", "cut off", "codec", "one too many"])
def test_a_block_that_claims_or_unpacks_too_much_is_refused(
    count: int, block: bytes, codec: bytes, words: str,
):
    with pytest.raises(NoticeError, match=words):
        container(by_hand("long", count, block, codec))


def test_every_beginning_of_a_file_is_read_or_refused():
    whole = written(ALERT, [RECORD])
    for end in range(4, len(whole)):
        try:
            assert container(whole[:end]) == []
        except NoticeError:
            continue
