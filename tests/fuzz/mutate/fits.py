"""Damage to FITS: header cards with other values, cells that cannot be, gzip within gzip."""

from __future__ import annotations

import gzip
import struct
from random import Random

from . import raw

CARD, BLOCK = 80, 2880
VALUES = (
    b"0", b"1", b"-1", b"2", b"8", b"16", b"64", b"-32", b"-64", b"4096", b"999999999999",
    b"9223372036854775807", b"-9223372036854775808", b"1E400", b"1E12", b"NaN", b"T", b"F", b"''",
    b"'NUNIQ   '", b"'RING    '", b"'NESTED  '", b"'K       '", b"'1K      '", b"'0D      '",
    b"'1024E   '", b"'1000000000000D'", b"'PJ(1000000000)'", b"'QD(99)  '", b"'1A      '",
    b"'X       '", b"'UNIQ    '", b"'PROBDENSITY'", b"'PROB    '", b"'DISTMU  '", b"'(2,3)   '",
    b"'(1000000000000)'", b"'GALACTIC'", b"'IMAGE   '", b"'BINTABLE'", b"'TABLE   '",
    b"'EXPLICIT'", b"'HEALPIX '", b"'C'",
)
KEYWORDS = (
    b"NAXIS", b"NAXIS1", b"NAXIS2", b"NAXIS3", b"BITPIX", b"PCOUNT", b"GCOUNT", b"TFIELDS",
    b"THEAP", b"TFORM1", b"TFORM2", b"TTYPE1", b"TTYPE2", b"TDIM1", b"TSCAL1", b"TZERO1",
    b"TZERO2", b"TNULL1", b"XTENSION", b"EXTEND", b"ORDERING", b"NSIDE", b"INDXSCHM", b"COORDSYS",
    b"PIXTYPE", b"MOC", b"ZIMAGE", b"ZTABLE", b"ZCMPTYPE", b"CONTINUE", b"HIERARCH", b"LONGSTRN",
    b"CHECKSUM", b"TDISP1", b"FIRSTPIX",
)
CELLS = (0, 1, 3, 4, 15, 16, 63, 2**40, 4**30, 4**31 - 1, 2**62, 2**63 - 1, -1, -(2**63))
DENSITIES = (0.0, -0.0, -1.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"), 0.0795)


def mutate(data: bytes, random: Random) -> bytes:
    """Change cards, then cells, then bytes; now and then compress, once or twice."""
    if data.startswith(b"\x1f\x8b"):
        return raw.mutate(data, random)
    result = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        kind = random.randrange(10)
        if kind <= 4:
            _card(result, random)
        elif kind <= 7:
            _cell(result, random)
        elif kind == 8:
            place = BLOCK * random.randrange(len(result) // BLOCK + 1)
            result[place:place] = result[place : place + BLOCK] * random.choice((1, 3))
        else:
            result = bytearray(raw.mutate(bytes(result), random))
    made = bytes(result[: raw.LONGEST])
    packing = random.random()
    if packing < 0.05:
        made = gzip.compress(made, 1, mtime=0)
        if packing < 0.02:
            made = gzip.compress(made, 1, mtime=0) if packing < 0.01 else raw.mutate(made, random)
    return made


def _cards(data: bytearray) -> list[int]:
    """Return where the cards of all headers are, found by their form."""
    places = range(0, len(data) - CARD, CARD)
    return [p for p in places if data[p + 8 : p + 10] == b"= " or data[p : p + 3] == b"END"]


def _card(data: bytearray, random: Random) -> None:
    cards = _cards(data)
    if not cards:
        return
    place = random.choice(cards)
    kind = random.randrange(6)
    if kind <= 2:
        data[place + 10 : place + CARD] = b"%-70.70s" % random.choice(VALUES)
    elif kind == 3:
        card = b"%-8.8s= %-70.70s" % (random.choice(KEYWORDS), random.choice(VALUES))
        data[place : place + CARD] = card
    elif kind == 4:
        other = random.choice(cards)
        data[place : place + CARD] = data[other : other + CARD]
    else:
        data[place : place + 8] = b"%-8.8s" % random.choice(KEYWORDS)


def _cell(data: bytearray, random: Random) -> None:
    if len(data) < 3 * BLOCK:
        return
    place = random.randrange(2 * BLOCK, len(data) - 8) // 8 * 8
    if random.random() < 0.5:
        struct.pack_into(">q", data, place, random.choice(CELLS))
    else:
        struct.pack_into(">d", data, place, random.choice(DENSITIES))
