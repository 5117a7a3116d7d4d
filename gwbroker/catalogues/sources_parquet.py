"""Parquet sources, read in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SkyMapError
from .layouts import Layout
from .sources import BATCH, Batch, Source


@contextmanager
def opened(path: Path, layout: Layout) -> Iterator[Source]:
    """Open a Parquet file; see `open_source`."""
    name = str(path)
    try:
        # With the default, all that was read stays in memory until the end.
        file = pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as e:
        raise SkyMapError(name, f"is damaged Parquet: {e}") from None

    def read(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Batch]:
        total = max(file.metadata.num_rows, 1)
        done = 0
        wanted = {n: pa.float64() for n in numbers} | {n: pa.string() for n in texts}
        try:
            for part in file.iter_batches(BATCH, columns=list(wanted)):
                done += part.num_rows
                yield Batch({n: _cast(name, n, part[n], t) for n, t in wanted.items()},
                            done / total)
        except OSError as e:
            raise SkyMapError(name, f"is damaged Parquet: {e}") from e

    with file:
        units = {f.name: f.metadata[b"unit"].decode() for f in file.schema_arrow
                 if f.metadata and b"unit" in f.metadata}
        yield Source(tuple(file.schema_arrow.names), read, units)


def _cast(name: str, column: str, values: pa.Array, wanted: pa.DataType) -> pa.Array:
    try:
        return values.cast(wanted)
    except pa.ArrowException as e:
        raise SkyMapError(name, f"cannot be understood: {str(e)[:200]}", column) from None
