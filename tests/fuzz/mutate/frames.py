"""Damage to a stream of VOEvent TCP frames: lengths that lie, documents that are damaged."""

from __future__ import annotations

import struct
from random import Random

from . import raw, xml

LENGTHS = (0, 1, 3, 4, 255, 65535, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def documents(data: bytes) -> list[bytes]:
    """Return the documents of a stream, the last one as far as it goes."""
    found = []
    while len(data) >= 4:
        length = struct.unpack("!I", data[:4])[0]
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def mutate(data: bytes, random: Random) -> bytes:
    """Change a document, a length, the order, or bytes."""
    parts = documents(data)
    if not parts or random.random() < 0.1:
        return raw.mutate(data, random)
    index = random.randrange(len(parts))
    kind = random.randrange(5)
    if kind <= 2:
        parts[index] = xml.mutate(parts[index], random)
    elif kind == 3:
        parts.insert(index, random.choice((b"", b"\0", b"<", parts[0], b"<Transport/>")))
    made = [struct.pack("!I", len(part)) + part for part in parts]
    if kind == 4:
        made[index] = struct.pack("!I", random.choice(LENGTHS)) + parts[index]
    return b"".join(made)[: raw.LONGEST]
