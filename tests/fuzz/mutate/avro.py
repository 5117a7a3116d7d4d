"""Damage to Avro: schemas of other types, lengths that lie, codecs that inflate."""

from __future__ import annotations

import io
import json
from random import Random

import fastavro

from . import json as json_
from . import raw

LENGTHS = (0, 1, -1, 63, 64, -64, 2**20, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, 2**63 - 1,
           -(2**63))
TYPES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


def varint(value: int) -> bytes:
    """Return an Avro long."""
    number = ((value << 1) ^ (value >> 63)) & (2**64 - 1)
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


def mutate(data: bytes, random: Random) -> bytes:
    """Change a length or a piece of the schema, or the bytes."""
    kind = random.randrange(6)
    if kind <= 1:
        place = random.randint(0, len(data))
        cut = random.choice((0, 1, 2))
        return (data[:place] + varint(random.choice(LENGTHS)) + data[place + cut :])[: raw.LONGEST]
    if kind == 2:
        return data.replace(random.choice((b"deflate", b"null", b"bzip2", b"xz")),
                            random.choice((b"deflate", b"bzip2", b"xz", b"snappy", b"zstandard")))
    if kind <= 4:
        return _reschemed(data, random)
    return raw.mutate(data, random)


def _reschemed(data: bytes, random: Random) -> bytes:
    """Change the schema in the container and leave the records as they are."""
    start = data.find(b'{"type"')
    if start < 0:
        start = data.find(b"{")
    try:
        schema, length = json.JSONDecoder().raw_decode(data[start:].decode("latin-1"))
    except (ValueError, RecursionError):
        return raw.mutate(data, random)
    changed = json.dumps(_schema(schema, random)).encode()
    old = varint(length)
    if data[start - len(old) : start] != old:
        return raw.mutate(data, random)
    return data[: start - len(old)] + varint(len(changed)) + changed + data[start + length :]


def _schema(schema: object, random: Random) -> object:
    kind = random.randrange(4)
    if kind == 0:
        return json_.change(schema, random)
    if isinstance(schema, dict) and isinstance(schema.get("fields"), list) and schema["fields"]:
        field = random.choice(schema["fields"])
        if not isinstance(field, dict):
            return schema
        field["type"] = random.choice((
            random.choice(TYPES), {"type": "array", "items": random.choice(TYPES)},
            {"type": "map", "values": "null"}, {"type": "array", "items": "null"},
            {"type": "fixed", "name": "f", "size": random.choice(LENGTHS)},
            ["null", random.choice(TYPES)], schema.get("name", "a"),
            {"type": "bytes", "logicalType": "decimal", "precision": 10**6, "scale": 0},
            {"type": "int", "logicalType": "date"},
            {"type": "long", "logicalType": "timestamp-micros"},
            {"type": "array", "items": {"type": "record", "name": "e", "fields": []}}))
    return schema


def container(schema: dict[str, object], records: list[object], codec: str = "null") -> bytes:
    """Return an Avro object container file."""
    buffer = io.BytesIO()
    fastavro.writer(buffer, fastavro.parse_schema(schema), records, codec=codec,
                    sync_marker=b"0123456789abcdef")
    return buffer.getvalue()
