"""The bytes of a FITS file: loaded, inflated, and checked before astropy sees them."""

from __future__ import annotations

import io
import os
import re
import zlib
from typing import BinaryIO

import numpy as np

from ..errors import SkyMapError

START = b"SIMPLE  ="
"""How every FITS file begins."""

MOST = 999
"""Most axes and most columns that there may be (FITS standard 4.0, sections 4.4.1 and 7.3.1)."""

CARDS = 10_000
"""Most cards of all headers; 999 columns with all that can be said of them need fewer."""

MEMBERS = 10_000
"""Most gzip members in one file; tools that write many put 64 KiB into each."""

_GZIP = b"\x1f\x8b"
_CHUNK = 64 * 1024
_CARD = 80
_BLOCK = 36
# Cards in a block of 2880 bytes; every header begins with a new block.
_END = b"END".ljust(_CARD)
_COUNTS = re.compile(rb"(NAXIS\d{0,3}|PCOUNT|GCOUNT|TFIELDS) {0,3}= *([^ /]{1,70})")
_BEGIN = np.array([b"NAXI", b"PCOU", b"GCOU", b"TFIE"])


def load(path: str | os.PathLike[str], name: str, limit: int) -> bytes:
    """Return a file's bytes, at most one more than `limit`.

    Raises
    ------
    SkyMapError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as f:
            # What is read at once is allocated at once.
            known = os.fstat(f.fileno()).st_size
            return f.read(min(known, limit) + 1) if known else drain(f, limit)
    except OSError as e:
        raise SkyMapError(name, f"cannot be read: {e.strerror}") from e
    except ValueError as e:
        # The path has a zero byte in it.
        raise SkyMapError(repr(name), f"cannot be read: {e}") from None


def drain(stream: BinaryIO, limit: int) -> bytes:
    """Return what a pipe gives until it ends, at most one byte more than `limit`."""
    made = io.BytesIO()
    while made.tell() <= limit and (piece := stream.read(min(2**20, limit + 1 - made.tell()))):
        made.write(piece)
    return made.getvalue()


def inflate(content: bytes, name: str, limit: int) -> bytes:
    """Return the bytes uncompressed, and never more than `limit` of them.

    Raises
    ------
    SkyMapError
        If there are more, or it is damaged gzip, or what is inside is not FITS.
    """
    if not content.startswith(_GZIP):
        if len(content) > limit:
            raise SkyMapError(name, f"is larger than {limit} bytes")
        return content
    made = io.BytesIO()
    place = members = 0
    # What follows the last member is padding, as tapes and some archives add it.
    while content.startswith(_GZIP, place):
        members += 1
        if members > MEMBERS:
            raise SkyMapError(name, f"is gzip of more than {MEMBERS} members")
        place = _member(content, place, made, name, limit)
    return made.getvalue()


def _member(content: bytes, place: int, made: io.BytesIO, name: str, limit: int) -> int:
    """Inflate one member of gzip; return where the next one begins."""
    stream = zlib.decompressobj(31)
    while not stream.eof:
        piece = content[place : place + _CHUNK]
        if not piece:
            raise SkyMapError(name, "is truncated gzip")
        place += len(piece)
        try:
            if made.tell() < len(START):
                # What does not even begin as FITS is not worth the memory.
                made.write(stream.decompress(piece, len(START) - made.tell()))
                if made.tell() >= len(START):
                    check_start(made.getvalue(), name)
                piece = stream.unconsumed_tail
            made.write(stream.decompress(piece, limit + 1 - made.tell()))
        except zlib.error as e:
            raise SkyMapError(name, f"is damaged gzip: {e}") from None
        if made.tell() > limit:
            raise SkyMapError(name, f"is larger than {limit} bytes after decompression")
    return place - len(stream.unused_data)


def check_start(content: bytes, name: str) -> None:
    """Refuse what is not FITS.

    Raises
    ------
    SkyMapError
        Naming what it begins with.
    """
    if not content.startswith(START):
        found = repr(content[: len(START)]) if content else "nothing"
        raise SkyMapError(name, f"is not FITS, it starts with {found}")


def check_counts(content: bytes, name: str) -> None:
    """Refuse a file that promises more axes or columns than there may be, or negative sizes.

    astropy would make a list as long as the header says, and of a part of negative size it
    would go back in the file and read it again, for ever. Of a header of a megabyte it makes
    an object for each card, in a time that grows with their square, and many parts cost as much.

    Raises
    ------
    SkyMapError
        Naming the keyword.
    """
    # Wherever a header is, its cards begin at multiples of 80 (FITS standard 4.0, section 3.3);
    # the few places that look like one are found without reading all the data as text.
    cards = np.frombuffer(content, np.dtype((np.void, _CARD)), len(content) // _CARD)
    starts = np.ndarray(len(cards), "S4", cards, strides=(_CARD,))
    parts = _BLOCK * np.flatnonzero(starts[::_BLOCK] == b"XTEN")
    if len(parts) > MOST:
        raise SkyMapError(name, f"has {len(parts)} parts, more than {MOST}")
    left = CARDS
    for part in (0, *parts):
        header = cards[part : part + left + 1].view(f"S{_CARD}") == _END
        # Without an end it is as long as the file; astropy says so if that is not long.
        left -= int(np.argmax(header)) if header.any() else len(header)
        if left < 0:
            raise SkyMapError(name, f"has more than {CARDS} cards in its headers")
    for number in np.flatnonzero(np.isin(starts, _BEGIN)):
        place = int(number) * _CARD
        card = _COUNTS.match(content, place, place + _CARD)
        if card is None:
            continue
        keyword, text = (each.decode("ascii", "replace") for each in card.groups())
        try:
            value = float(text)
        except ValueError:
            continue
        if value < 0:
            raise SkyMapError(name, f"{keyword} is {text}, which is negative")
        if value > MOST and keyword in ("NAXIS", "TFIELDS"):
            raise SkyMapError(name, f"{keyword} is {text}, more than {MOST}")
