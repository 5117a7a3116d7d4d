"""FITS sources: binary tables, read through a memory map in batches of rows."""

from __future__ import annotations

import gzip
import os
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from ..errors import SkyMapError
from .layouts import Layout
from .sources import BATCH, Batch, Source

EXPANSION = 200
"""How many times as large as packed a table may be; zeros alone are 1000 times as large."""


@contextmanager
def opened(path: Path, layout: Layout) -> Iterator[Source]:
    """Open a FITS file with a table; see `open_source`."""
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(open(path, "rb"))
        if file.read(2) == b"\x1f\x8b":
            # A memory map needs the file as it is.
            plain = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".fits"))
            try:
                _inflate(path, plain)
            except (OSError, EOFError, zlib.error) as e:
                raise SkyMapError(str(path), f"cannot be inflated: {e}") from e
            file = stack.enter_context(open(plain.name, "rb"))
        hdus, table = _table(str(path), file)
        stack.enter_context(hdus)
        if table is None:
            raise SkyMapError(str(path), "has no binary table")
        yield _source(str(path), table)


def _inflate(path: Path, plain: IO[bytes]) -> None:
    """Unpack a file, unless it would be so much larger that it cannot be a table."""
    left = EXPANSION * path.stat().st_size
    with gzip.open(path, "rb") as packed:
        while piece := packed.read(8 * 1024**2):
            left -= len(piece)
            if left < 0:
                raise SkyMapError(str(path), f"is more than {EXPANSION} times as large once "
                                  "inflated; inflate it yourself if it is to be trusted")
            plain.write(piece)
    plain.flush()


def _table(name: str, file: IO[bytes]) -> tuple[fits.HDUList, fits.BinTableHDU | None]:
    """Return the open file and its first table."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        with warnings.catch_warnings():
            # astropy warns of what is damaged, and goes on with what it makes of it.
            warnings.simplefilter("error", AstropyWarning)
            hdus = fits.open(file, memmap=True)
            table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            if table is not None and table._data_offset + table._data_size > size:
                raise SkyMapError(name, "is truncated FITS")
            return hdus, table
    except (OSError, ValueError, TypeError, AstropyWarning) as e:
        raise SkyMapError(name, f"is damaged FITS: {' '.join(str(e).split())}") from e


def _source(name: str, table: fits.BinTableHDU) -> Source:
    present = {column.name: column for column in table.columns}

    def read(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Batch]:
        rows = int(table.header["NAXIS2"])
        for column in (*numbers, *texts):
            if "P" in (form := str(present[column].format)) or "Q" in form:
                raise SkyMapError(name, f"is of variable length ({form}), not of one value in "
                                  "each row", column)
        for start in range(0, rows, BATCH):
            part = table.data[start : start + BATCH]
            columns: dict[str, pa.Array] = {n: _numbers(name, n, part[n]) for n in numbers}
            columns |= {n: pa.array([str(v).strip() or None for v in part[n]], pa.string())
                        for n in texts}
            yield Batch(columns, min((start + BATCH) / rows, 1.0))

    units = {n: str(column.unit) for n, column in present.items() if column.unit}
    return Source(tuple(present), read, units)


def _numbers(name: str, column: str, values: Any) -> pa.Array:
    """Return a column as 64-bit numbers."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise SkyMapError(name, f"has shape {array.shape[1:]} in each row", column)
    if array.dtype.kind not in "iufb":
        text = [str(v).strip() for v in array]
        try:
            array = np.array([v or "nan" for v in text], np.float64)
        except ValueError as e:
            raise SkyMapError(name, f"holds text: {e}", column) from None
    return pa.array(array.astype(np.float64))
