"""Sources: files with tables, opened by content, read in batches and never as a whole."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from ..errors import SkyMapError
from .layouts import Layout

BATCH = 250_000
"""Rows that are in memory at a time."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Parameters
    ----------
    columns : mapping
        Arrow arrays by name.
    done : float
        How much of the file is read, between 0 and 1.
    torn : int
        Lines before it that have too few or too many columns, and are not in it.
    """

    columns: dict[str, pa.Array]
    done: float
    torn: int = 0

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self.columns.values()), ()))


@dataclass(frozen=True)
class Source:
    """An open file with a table.

    Parameters
    ----------
    columns : tuple of str
        What it has.
    read : callable
        From the columns that are read as numbers and those read as text to batches of rows.
    units : mapping
        Units of its columns, as far as it says.
    """

    columns: tuple[str, ...]
    read: Callable[[Sequence[str], Sequence[str]], Iterator[Batch]]
    units: dict[str, str] = field(default_factory=dict)


class Opener(Protocol):
    """What opens a file of one kind."""

    def __call__(self, path: Path, layout: Layout) -> AbstractContextManager[Source]:
        """Return the open file."""


def open_source(
    path: str | os.PathLike[str], layout: Layout,
) -> AbstractContextManager[Source]:
    """Open a file with a table: FITS, Parquet, ECSV or other text, also in gzip.

    Parameters
    ----------
    path : path-like
        The file.
    layout : Layout
        Says how a text without header looks.

    Raises
    ------
    SkyMapError
        If it cannot be read or is empty.
    """
    from . import sources_fits, sources_parquet, sources_text

    file = Path(path)
    try:
        with open(file, "rb") as f:
            start = f.read(512)
    except OSError as e:
        raise SkyMapError(str(file), f"cannot be read: {e.strerror}") from e
    if not start:
        raise SkyMapError(str(file), "is empty")
    if start.startswith(b"PAR1"):
        return sources_parquet.opened(file, layout)
    inner = _inflated(file) if start.startswith(b"\x1f\x8b") else start
    if inner.startswith(b"SIMPLE  ="):
        return sources_fits.opened(file, layout)
    if not _is_text(inner):
        raise SkyMapError(str(file), "is neither FITS, Parquet nor text")
    return sources_text.opened(file, layout)


def _is_text(start: bytes) -> bool:
    """Tell whether a file that begins so may be text: pictures and archives are not."""
    try:
        # The last letter may be cut.
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        # Text in another code is told as such when it is read.
        return not _CONTROL.search(start)
    return b"\0" not in start


def _inflated(file: Path) -> bytes:
    import gzip
    import zlib

    try:
        with gzip.open(file, "rb") as f:
            return f.read(512)
    except (OSError, EOFError, zlib.error) as e:
        raise SkyMapError(str(file), f"is damaged gzip: {e}") from None
