"""Sky maps as Parquet columns: a row per cell, or one row of lists as databases export them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import SkyMapError
from . import header
from .atomic import write_whole
from .fits import DISTANCES, LIMIT, check_units, from_columns
from .multiorder import SkyMap
from .parquet_units import units_of

COLUMNS = ("UNIQ", "PROBDENSITY", *(column.upper() for column in DISTANCES))
"""The columns of a map; read in any case, written in capitals."""

_KEY = b"gwbroker"


def read(content: bytes, name: str = "sky map", limit: int = LIMIT) -> SkyMap:
    """Read a sky map from Parquet.

    It has the columns UNIQ, PROBDENSITY and, if there are distances, DISTMU, DISTSIGMA and
    DISTNORM, in any case and order: a row per cell, or one row with a list per column (or
    its text ``{1,2,...}``, as PostgreSQL writes arrays). Other columns are ignored.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        What to call it in error messages.
    limit : int
        Most bytes of numbers to accept.

    Raises
    ------
    SkyMapError
        If it is damaged, larger than `limit`, has no map or an invalid one, or a column is in
        another unit; ranges of pixels, without UNIQ, are not a map.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        wanted = _wanted(file, name)
        units = units_of(file.schema_arrow, name)
        check_units({upper: units.get(own, "") for upper, own in wanted.items()}, name)
        _check_kinds(file, wanted, name)
        _check_size(file, set(wanted.values()), name, limit)
        table = file.read(columns=list(wanted.values()))
        metadata = file.schema_arrow.metadata or {}
    except (pa.ArrowException, OSError, ValueError) as e:
        raise SkyMapError(name, f"is damaged Parquet: {type(e).__name__}: {e}") from e
    columns = {upper: _numbers(table.column(own), upper, name) for upper, own in wanted.items()}
    meta, history = _kept(metadata.get(_KEY, b"{}"))
    return from_columns(name, columns, meta, history).validate(name)


def write(
    skymap: SkyMap, path: str | os.PathLike[str], provenance: Mapping[str, str] | None = None
) -> None:
    """Write a sky map as Parquet, a row per cell, whole or not at all.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    path : path-like
        Where to write; its folder must exist.
    provenance : mapping, optional
        Where the map came from, added to its history.
    """
    units = {"PROBDENSITY": "sr-1", **{c.upper(): unit for c, unit in DISTANCES.items()}}
    arrays = {column.upper(): values for column, values in skymap.columns.items()}
    fields = [
        pa.field(column, pa.from_numpy_dtype(values.dtype), nullable=False,
                 metadata={"unit": units[column]} if column in units else None)
        for column, values in arrays.items()
    ]
    kept = {"meta": header.plain(skymap.meta),
            "history": header.lines(skymap.history, provenance)}
    schema = pa.schema(fields, {_KEY: json.dumps(kept)})
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=schema), buffer, compression="zstd")
    write_whole(path, buffer.getvalue())


def _wanted(file: pq.ParquetFile, name: str) -> dict[str, str]:
    """Return the file's own names of the columns of a map."""
    names = file.schema_arrow.names
    wanted: dict[str, str] = {}
    for own in names:
        if own.upper() in wanted:
            raise SkyMapError(name, f"is there twice, as {wanted[own.upper()]} and {own}", own)
        if own.upper() in COLUMNS:
            wanted[own.upper()] = own
    for needed in COLUMNS[:2]:
        if needed not in wanted:
            found = ", ".join(names[:10]) or "none"
            raise SkyMapError(
                name, f"is missing; a map needs UNIQ and PROBDENSITY, here are: {found}", needed
            )
    return wanted


def _check_kinds(file: pq.ParquetFile, wanted: Mapping[str, str], name: str) -> None:
    """Refuse columns of other than numbers, unread: a small file may repeat a long text often."""
    rows = file.metadata.num_rows
    for upper, own in wanted.items():
        kind = file.schema_arrow.field(own).type
        if _is_list(kind) or _is_text(kind):
            if rows != 1:
                raise SkyMapError(
                    name, f"holds {rows} {'texts' if _is_text(kind) else 'lists'}: one map is read,"
                    " write each to its own file", upper)
            kind = kind.value_type if _is_list(kind) else pa.int64()
        if not (pa.types.is_integer(kind) or
                (upper != "UNIQ" and pa.types.is_floating(kind))):
            kinds = "integers" if upper == "UNIQ" else "numbers"
            raise SkyMapError(name, f"holds {kind} instead of {kinds}", upper)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_size(file: pq.ParquetFile, wanted: set[str], name: str, limit: int) -> None:
    """Refuse a small file that inflates to a large one."""
    size = 0
    for group in range(file.metadata.num_row_groups):
        row_group = file.metadata.row_group(group)
        for number in range(row_group.num_columns):
            chunk = row_group.column(number)
            if chunk.path_in_schema.partition(".")[0] in wanted:
                # A digit and a comma of text become a number of 8 bytes.
                grows = 4 if chunk.physical_type == "BYTE_ARRAY" else 1
                size += max(8 * chunk.num_values, grows * chunk.total_uncompressed_size)
    if size > limit:
        raise SkyMapError(name, f"is larger than {limit} bytes after decompression")


def _numbers(column: pa.ChunkedArray, upper: str, name: str) -> npt.NDArray[Any]:
    if _is_list(column.type) or _is_text(column.type):
        one = column[0]
        if not one.is_valid:
            raise SkyMapError(name, "is null", upper)
        if isinstance(one, pa.StringScalar | pa.LargeStringScalar):
            return _literal(one.as_py(), upper, name)
        column = one.values
    if column.null_count:
        if upper in ("UNIQ", "PROBDENSITY"):
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise SkyMapError(name, f"row {row} is null", upper)
        # Of this cell's distance nothing is known.
        column = pc.fill_null(column.cast(pa.float64()), float("nan"))
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def _literal(text: str, upper: str, name: str) -> npt.NDArray[Any]:
    """Read an array as PostgreSQL writes it: ``{1,2,3}``."""
    if not (text.startswith("{") and text.endswith("}")):
        raise SkyMapError(name, f"holds text, {text[:20]!r}, and not numbers or an array", upper)
    # Numbers as objects of Python would take ten times the memory.
    parts = pc.split_pattern(pa.array([text[1:-1] or None], pa.large_string()), ",")[0].values
    try:
        cast = pc.utf8_trim_whitespace(parts or pa.array([], pa.string())).cast(
            pa.int64() if upper == "UNIQ" else pa.float64())
    except pa.ArrowInvalid as e:
        raise SkyMapError(name, f"is not an array of numbers: {e}", upper) from None
    values: npt.NDArray[Any] = cast.to_numpy(zero_copy_only=False)
    return values


def _kept(text: bytes) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return keywords and history that we have written, or none."""
    try:
        kept = json.loads(text)
    except (ValueError, RecursionError):
        return {}, ()
    meta = kept.get("meta") if isinstance(kept, dict) else None
    told = kept.get("history") if isinstance(kept, dict) else None
    return (
        dict(header.plain(meta)) if isinstance(meta, dict) else {},
        tuple(header.printable(str(line)) for line in told) if isinstance(told, list) else (),
    )
