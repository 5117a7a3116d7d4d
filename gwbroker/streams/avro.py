"""Avro from strangers: schemas read once, records decoded quickly, bombs refused.

fastavro parses the schema of a container file again for every message, follows a recursive
schema until the C stack is full (which ends the process), and unpacks whatever a block's
codec makes of it. Alerts of a survey all carry the same schema, so it is read once; what is
in the schema and the size of a block are checked before anything is decoded.

The formats are those of the Avro specification 1.11: object container files, and single
values without a schema.
"""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import NoticeError
from ..notice import uncollected
from . import avro_size

MAGIC = b"Obj\x01"
LARGEST = 64 << 20
"""Bytes that the compressed blocks of a message may have when they are unpacked."""

DEEPEST = 64
"""Levels of types in types; the deepest survey alert has six."""

NULLS = 200
"""Fields without any bytes that one record may have: each costs memory and no message."""

_SYNC = 16
_CODECS = ("null", "deflate", "bzip2", "xz")
_PRIMITIVE = frozenset(
    ("null", "boolean", "int", "long", "float", "double", "bytes", "string"))


class _Bad(Exception):
    """A container or schema is not usable; the reason."""


@dataclass(frozen=True)
class Schema:
    """A schema, parsed and checked, and what its values look like in bytes."""

    parsed: Any
    shape: avro_size.Shape


def prepare(text: str | bytes) -> Schema:
    """Return a schema parsed and checked; the same text is parsed once.

    Raises
    ------
    NoticeError
        If it is no schema, or one that could be used to fill memory or stack.
    """
    known = _prepare(text)
    if isinstance(known, str):
        raise NoticeError("schema", text[:40], known)
    return known


@lru_cache(maxsize=64)
def _prepare(text: str | bytes) -> Schema | str:
    # A text stands for a refusal: errors are to be remembered too.
    import fastavro

    try:
        value = json.loads(text)
        _check(value, {}, "", 0)
        parsed = fastavro.parse_schema(value, _force=True)
        parsed = {"type": parsed} if isinstance(parsed, str) else parsed
        return Schema(parsed, avro_size.shape(parsed))
    except _Bad as e:
        return str(e)
    except (ValueError, RecursionError) as e:
        return f"is not JSON, or nested too deeply: {type(e).__name__}: {str(e)[:120]}"
    # fastavro refuses in many ways, KeyError and AttributeError among them.
    except Exception as e:
        return f"is not an Avro schema: {type(e).__name__}: {str(e)[:120]}"


def _check(schema: Any, named: dict[str, bool | None], space: str, depth: int) -> bool:
    """Tell whether a value of a type always takes at least a byte."""
    if depth > DEEPEST:
        raise _Bad(f"has types nested more than {DEEPEST} deep")
    if isinstance(schema, str):
        if schema in _PRIMITIVE:
            return schema != "null"
        size = named.get(_full(schema, space), named.get(schema))
        if size is None:
            raise _Bad(f"uses type {schema!r:.80} before its end or without definition; "
                       "recursive types are refused")
        return size
    if isinstance(schema, list):
        for each in schema:
            _check(each, named, space, depth + 1)
        return True
    if not isinstance(schema, Mapping):
        raise _Bad(f"has a type that is {type(schema).__name__}")
    kind = schema.get("type")
    if not isinstance(kind, str):
        return _check(kind, named, space, depth + 1)
    if kind in ("record", "error", "enum", "fixed"):
        return _check_named(kind, schema, named, space, depth)
    if kind in ("array", "map"):
        solid = _check(schema.get("items" if kind == "array" else "values"), named, space,
                       depth + 1)
        if kind == "array" and not solid:
            raise _Bad("has an array whose items take no bytes")
        return True
    return _check(kind, named, space, depth + 1)


def _check_named(
    kind: str, schema: Mapping[str, Any], named: dict[str, bool | None], space: str, depth: int,
) -> bool:
    space = str(schema.get("namespace", space))
    name = _full(str(schema.get("name", "")), space)
    if "." in name:
        space = name.rpartition(".")[0]
    if kind == "enum":
        solid = True
    elif kind == "fixed":
        size = schema.get("size")
        solid = isinstance(size, int) and size > 0
    else:
        named[name] = None
        fields = schema.get("fields")
        sizes = [_check(field.get("type"), named, space, depth + 1)
                 for field in fields if isinstance(field, Mapping)] \
            if isinstance(fields, list) else []
        if sizes.count(False) > NULLS:
            raise _Bad(f"has a record with more than {NULLS} fields that take no bytes")
        solid = any(sizes)
    if not solid and depth:
        raise _Bad(f"has type {name!r:.80}, which takes no bytes")
    named[name] = solid
    return solid


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def single(body: bytes, schema: Schema) -> Any:
    """Return the one value that bytes without a schema hold.

    Raises
    ------
    NoticeError
        If they do not fit the schema, or would become too many objects.
    """
    from billiard.exceptions import SoftTimeLimitExceeded
    from fastavro import schemaless_reader

    try:
        avro_size.check(body, schema.shape)
        with uncollected(len(body)):
            return schemaless_reader(io.BytesIO(body), schema.parsed, None)
    except SoftTimeLimitExceeded:
        raise
    except avro_size.TooMany as e:
        raise NoticeError("payload", body[:20], f"is not readable Avro: {e}") from None
    # Damaged bytes fail in each decoder's own way, struct's and datetime's among them.
    except Exception as e:
        raise NoticeError("payload", body[:20],
                          f"is not readable Avro: {type(e).__name__}: {e}") from None


def container(payload: bytes) -> list[Any]:
    """Return the records of an Avro object container file.

    Raises
    ------
    NoticeError
        If it is damaged, or its schema or codec is not one that is read here.
    """
    from billiard.exceptions import SoftTimeLimitExceeded
    from fastavro import schemaless_reader

    try:
        file = io.BytesIO(payload)
        file.seek(len(MAGIC))
        meta = dict(_metadata(file))
        sync = file.read(_SYNC)
        schema = prepare(meta.get("avro.schema", b""))
        codec = meta.get("avro.codec", b"null").decode("ascii", "replace")
        found: list[Any] = []
        for count, block in _blocks(file, sync, codec):
            # At least one byte each, as the schema was checked for.
            if count > len(block):
                raise _Bad(f"a block of {len(block)} bytes cannot hold {count} records")
            avro_size.check(block, schema.shape, count)
            inner = io.BytesIO(block)
            with uncollected(len(block)):
                found += [schemaless_reader(inner, schema.parsed, None) for _ in range(count)]
        return found
    except SoftTimeLimitExceeded:
        raise
    except NoticeError as e:
        raise NoticeError("payload", payload[:20],
                          f"is not readable Avro: its schema {e.problem}") from None
    except (_Bad, avro_size.TooMany) as e:
        raise NoticeError("payload", payload[:20], f"is not readable Avro: {e}") from None
    # As above; and each codec fails in its own way.
    except Exception as e:
        raise NoticeError("payload", payload[:20],
                          f"is not readable Avro: {type(e).__name__}: {e}") from None


def _long(file: io.BytesIO) -> int:
    """Read a zig-zag number of variable length."""
    result = shift = 0
    while shift < 70:
        byte = file.read(1)
        if not byte:
            raise _Bad("it ends too early")
        result |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return (result >> 1) ^ -(result & 1)
        shift += 7
    raise _Bad("it has a number that is too long")


def _bytes(file: io.BytesIO, size: int) -> bytes:
    found = file.read(size) if size >= 0 else b""
    if size < 0 or len(found) != size:
        raise _Bad("it ends too early")
    return found


def _metadata(file: io.BytesIO) -> Iterator[tuple[str, bytes]]:
    while count := _long(file):
        if count < 0:
            count = -count
            _long(file)
        for _ in range(count):
            name = _bytes(file, _long(file)).decode("utf-8", "replace")
            yield name, _bytes(file, _long(file))


def _blocks(file: io.BytesIO, sync: bytes, codec: str) -> Iterator[tuple[int, bytes]]:
    if codec not in _CODECS:
        raise _Bad(f"its codec {codec!r:.40} is not read here; readable: {', '.join(_CODECS)}")
    end = file.getbuffer().nbytes
    room = LARGEST
    while file.tell() < end:
        count = _long(file)
        block = _bytes(file, _long(file))
        if file.read(_SYNC) != sync or count < 0:
            raise _Bad("a block does not end with the file's mark")
        found = _unpack(block, codec, room)
        if codec != "null":
            room -= len(found)
        yield count, found


def _unpack(block: bytes, codec: str, room: int) -> bytes:
    if codec == "null":
        return block
    machine: Any = {
        "deflate": lambda: zlib.decompressobj(-15), "bzip2": bz2.BZ2Decompressor,
        "xz": lzma.LZMADecompressor}[codec]()
    # One more than there is room for, because 0 would mean without limit.
    made: bytes = machine.decompress(block, room + 1)
    if not machine.eof or len(made) > room:
        raise _Bad("a block is cut off, or all are larger than "
                   f"{LARGEST >> 20} MiB unpacked")
    return made
