"""Damage to bytes of which nothing is known."""

from __future__ import annotations

import struct
from random import Random

MARKS = (
    b"\0", b"\xff", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\x80",
    b"\x1f\x8b\x08\0\0\0\0\0", b"Obj\x01", b"SIMPLE  =", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"<",
    b"&", b"&#0;", b"]]>", b"{", b"[", b'"', b"\\u0000", b"\\ud800", b"1e999", b"-1", b"NaN",
    b"9" * 400, b"../" * 9, b"%00", b"A" * 5000, b"\n" * 50,
)
"""Pieces that mean something to one parser or another."""

LONGEST = 200_000
"""Bytes to which an input may grow: findings must come of small inputs, too."""


def mutate(data: bytes, random: Random) -> bytes:
    """Flip, cut, repeat, move and insert a few times."""
    result = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        _once(result, random)
    return bytes(result[:LONGEST])


def _once(data: bytearray, random: Random) -> None:
    place = random.randint(0, len(data))
    end = min(len(data), place + random.choice((1, 2, 4, 16, 64, 512)))
    kind = random.randrange(8)
    if kind == 0 and data:
        data[place % len(data)] ^= 1 << random.randrange(8)
    elif kind == 1 and data:
        data[place % len(data)] = random.randrange(256)
    elif kind == 2:
        data[place:end] = b""
    elif kind == 3:
        data[place:place] = data[place:end] * random.choice((1, 2, 50))
    elif kind == 4:
        data[place:place] = random.choice(MARKS)
    elif kind == 5:
        data[place:end] = random.choice(MARKS)
    elif kind == 6:
        width = random.choice("BHIQ")
        top = 1 << 8 * struct.calcsize(width)
        value = random.choice((0, 1, top // 2 - 1, top // 2, top - 1, random.randrange(top)))
        packed = struct.pack(random.choice("<>") + width, value)
        data[place : place + len(packed)] = packed
    else:
        del data[place:]
