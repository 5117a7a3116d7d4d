"""Text sources: CSV, ECSV and texts without header, also in gzip, in batches of rows."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from ..errors import SkyMapError
from .layouts import Layout
from .sources import Batch, Source

BLOCK = 8 * 1024**2
"""Bytes of text that are in memory at a time."""

LONGEST_HEADER = 4 * 1024**2
"""Most bytes before the first row."""

NOTHING = ["", "null", "NULL", "Null", "nan", "NaN", "NAN", "-", "--", "NA", "N/A", "None",
           "none", "masked", "..."]
"""What means that a value is not there."""


@contextmanager
def opened(path: Path, layout: Layout) -> Iterator[Source]:
    """Open a text; see `open_source`."""
    head = _head(path, layout)
    source = str(path)

    def read(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Batch]:
        size = max(path.stat().st_size, 1)
        torn = 0

        def count(row: Any) -> str:
            nonlocal torn
            torn += 1
            return "skip"

        types: dict[str, pa.DataType] = {name: pa.float64() for name in numbers}
        types |= {name: pa.string() for name in texts}
        try:
            with pa.OSFile(source) as raw:
                stream = pa.CompressedInputStream(raw, "gzip") if head.gzip else raw
                with arrow_csv.open_csv(
                    _Checked(stream, source),
                    read_options=arrow_csv.ReadOptions(
                        column_names=list(head.columns), skip_rows=head.lines, block_size=BLOCK,
                        use_threads=False),
                    parse_options=arrow_csv.ParseOptions(
                        delimiter=head.delimiter, invalid_row_handler=count,
                        quote_char='"' if not layout.header else False),
                    convert_options=arrow_csv.ConvertOptions(
                        column_types=types, include_columns=[*numbers, *texts],
                        null_values=NOTHING, strings_can_be_null=True),
                ) as reader:
                    for part in reader:
                        known, torn = torn, 0
                        yield Batch(dict(zip(part.schema.names, part.columns, strict=True)),
                                    min(raw.tell() / size, 1.0), known)
                    if torn:
                        empty = {n: pa.array([], t) for n, t in types.items()}
                        yield Batch(empty, 1.0, torn)
        except (pa.ArrowInvalid, pa.ArrowKeyError) as e:
            raise _said(source, e, head.columns) from None
        except OSError as e:
            raise SkyMapError(source, f"cannot be read: {e}") from e

    yield Source(head.columns, read, head.units)


class _Checked(io.RawIOBase):
    """A stream that is refused where it is not UTF-8; Arrow would write to standard error."""

    def __init__(self, stream: Any, source: str) -> None:
        self._stream, self._source = stream, source
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._stream.read(size)
        try:
            self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as e:
            line = e.object[:e.start].rpartition(b"\n")[2] + e.object[e.start:e.end]
            raise SkyMapError(self._source, f"has {line[-60:]!r} in a row, which is not UTF-8; "
                              "the text must be UTF-8") from None
        return piece


@dataclass(frozen=True)
class _Head:
    """What stands before the first row of a text: `lines` lines, and what they say."""

    columns: tuple[str, ...]
    delimiter: str
    lines: int
    units: dict[str, str]
    gzip: bool


def _head(path: Path, layout: Layout) -> _Head:
    """Read the header: comments, an ECSV header, the names of the columns."""
    with open(path, "rb") as f:
        zipped = f.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else open(path, "rb") as f:
            # The last piece may be a part of a line, which is no matter after the header.
            text = f.read(LONGEST_HEADER).decode("utf-8-sig", "replace")
    except (OSError, EOFError, zlib.error) as e:
        raise SkyMapError(str(path), f"is damaged gzip: {e}") from None
    comments, line, number = [], "", 0
    for number, line in enumerate(io.StringIO(text), 1):  # noqa: B007
        if not line.startswith("#") and line.strip():
            break
        comments.append(line[1:].removeprefix(" ").rstrip("\n"))
    else:
        raise SkyMapError(str(path), "has no rows")
    if layout.header:
        found = line.rstrip("\r\n").split(layout.delimiter)
        if len(found) != len(layout.header):
            raise SkyMapError(
                str(path), f"has {len(found)} columns in its first row, but {layout.name} "
                f"has {len(layout.header)}, with {layout.delimiter!r} between them")
        return _Head(layout.header, layout.delimiter, number - 1, {}, zipped)
    delimiter, units = _ecsv(str(path), comments)
    delimiter = delimiter or next((d for d in ",\t;|" if d in line), " ")
    try:
        found = next(csv.reader([line.strip()], delimiter=delimiter))
    except csv.Error as e:
        raise SkyMapError(str(path), f"has no names of columns: {e}") from None
    names = tuple(name.strip() for name in found)
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice == "" and delimiter == " ":
        raise SkyMapError(str(path), "has several spaces between its columns; one comma, tab or "
                          f"space is understood (first line: {line.strip()[:60]!r})")
    if twice is not None:
        raise SkyMapError(str(path), "is there twice", twice or "without name")
    return _Head(names, delimiter, number, units, zipped)


def _ecsv(source: str, comments: list[str]) -> tuple[str, dict[str, str]]:
    """Return the delimiter and the units that an ECSV header gives, if it is one."""
    if not comments or not comments[0].startswith("%ECSV"):
        return "", {}
    from astropy.table.meta import YamlParseError, get_header_from_yaml

    try:
        header = get_header_from_yaml(comments[1:])
        columns, delimiter = header["datatype"], str(header.get("delimiter", " "))
        units = {str(each["name"]): str(each["unit"]) for each in columns if each.get("unit")}
    except (YamlParseError, KeyError, TypeError, AttributeError) as e:
        raise SkyMapError(source, f"has a damaged ECSV header: {e}"[:300]) from None
    if len(delimiter) != 1:
        raise SkyMapError(source, f"has {delimiter!r} between columns instead of one letter")
    return delimiter, units


def _said(source: str, error: Exception, columns: Sequence[str]) -> SkyMapError:
    """Return what Arrow says is wrong, in one line and with the name of the column."""
    text = " ".join(str(error).split())
    # It counts columns from 0 and lines from 1.
    wrong = re.match(r"In CSV column #(\d+): (?:Row #(\d+): )?.*invalid value (.*)", text)
    if wrong is None or not int(wrong[1]) < len(columns):
        return SkyMapError(
            source, f"cannot be understood: {text[:300]} (columns: {', '.join(columns[:12])})")
    where = f" in line {wrong[2]}" if wrong[2] else ""
    return SkyMapError(source, f"{wrong[3][:60]}{where} is not a number (angles are in degrees)",
                       columns[int(wrong[1])])
