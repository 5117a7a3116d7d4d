"""Parquet sources, read in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import SkyMapError
from ..skymap.parquet_units import units_of
from .columns import LONGEST_NAME
from .layouts import Layout
from .sources import BATCH, Batch, Source

LARGEST = 2 * 1024**3
"""Most bytes of a column of a row group, once unpacked: a few may be packed into millions."""


@contextmanager
def opened(path: Path, layout: Layout) -> Iterator[Source]:
    """Open a Parquet file; see `open_source`."""
    name = str(path)
    try:
        # With the default, all that was read stays in memory until the end.
        file = pq.ParquetFile(path, pre_buffer=False)
        texts = [f.name for f in file.schema_arrow if _is_text(f.type)]
        # Texts stay in a dictionary: a long one, repeated, would fill the memory.
        file.close()
        file = pq.ParquetFile(path, pre_buffer=False, read_dictionary=texts)
    except (pa.ArrowException, OSError) as e:
        raise SkyMapError(name, f"is damaged Parquet: {e}") from None

    def read(numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Batch]:
        total = max(file.metadata.num_rows, 1)
        done = 0
        _check(name, file, [*numbers, *texts])
        wanted = {n: pa.float64() for n in numbers} | {n: pa.string() for n in texts}
        try:
            for part in file.iter_batches(BATCH, columns=list(wanted)):
                done += part.num_rows
                yield Batch({n: _cast(name, n, part[n], t) for n, t in wanted.items()},
                            done / total)
        except OSError as e:
            raise SkyMapError(name, f"is damaged Parquet: {e}") from e

    with file:
        yield Source(tuple(file.schema_arrow.names), read, units_of(file.schema_arrow, name))


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string,
                                       pa.types.is_binary, pa.types.is_large_binary))


def _check(name: str, file: pq.ParquetFile, columns: Sequence[str]) -> None:
    """Refuse columns that are not one value in each row, or that would fill the memory."""
    for column in columns:
        kind = file.schema_arrow.field(column).type
        if pa.types.is_nested(kind):
            raise SkyMapError(name, f"is of {kind}, not of one value in each row", column)
    for group in range(file.metadata.num_row_groups):
        about = file.metadata.row_group(group)
        for number in range(about.num_columns):
            each = about.column(number)
            if each.path_in_schema in columns and each.total_uncompressed_size > LARGEST:
                raise SkyMapError(name, f"has {each.total_uncompressed_size:,} bytes in row group "
                                  f"{group}, more than {LARGEST:,}; write it with smaller ones",
                                  each.path_in_schema)


def _cast(name: str, column: str, values: pa.Array, wanted: pa.DataType) -> pa.Array:
    try:
        if pa.types.is_dictionary(values.type):
            longest = pc.max(pc.binary_length(values.dictionary)).as_py() or 0
            if longest > LONGEST_NAME:
                raise SkyMapError(name, f"has a text of {longest:,} bytes, more than "
                                  f"{LONGEST_NAME}", column)
            values = values.cast(values.type.value_type)
        return values.cast(wanted)
    except pa.ArrowException as e:
        raise SkyMapError(name, f"cannot be understood: {str(e)[:200]}", column) from None
