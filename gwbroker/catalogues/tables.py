"""Tables: results with units and provenance, as ECSV, CSV, Parquet or JSON by the name."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from ..skymap.atomic import write_whole

SUFFIXES = (".ecsv", ".csv", ".parquet", ".json")
"""What a table can be written as."""

Column = npt.NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Columns of one length, their units, and where they came from.

    Parameters
    ----------
    columns : mapping
        Arrays by name; not-a-number, or None in a column of text, is what is not known.
    units : mapping
        Units of those columns that have one.
    provenance : mapping
        Whatever is to be known about the whole table, ready for JSON.
    """

    columns: Mapping[str, Column]
    units: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as plain values, ready for JSON; None is what is not known."""
        lists = [[plain(v) for v in values] for values in self.columns.values()]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*lists, strict=True)]

    def as_dict(self) -> dict[str, Any]:
        """Return the whole table, ready for JSON."""
        return {**self.provenance, "units": dict(self.units), "rows": self.rows()}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table, whole or not at all; the end of the name says in which format.

        Raises
        ------
        SkyMapError
            If the name ends in nothing known, or the file cannot be written.
        """
        check_suffix(path)
        write = {".ecsv": self._ecsv, ".csv": self._csv, ".parquet": self._parquet,
                 ".json": self._json}[Path(path).suffix.lower()]
        try:
            write_whole(path, write())
        except OSError as e:
            raise SkyMapError(os.fspath(path), f"cannot be written: {e.strerror}") from e

    def _json(self) -> bytes:
        return (json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n").encode()

    def _csv(self) -> bytes:
        import csv

        text = io.StringIO()
        for name, value in self.provenance.items():
            text.write(f"# {name}: {json.dumps(value, ensure_ascii=False)}\n")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows():
            writer.writerow("" if v is None else v for v in row.values())
        return text.getvalue().encode()

    def _ecsv(self) -> bytes:
        from astropy.table import MaskedColumn
        from astropy.table import Table as AstropyTable

        made = AstropyTable(meta=dict(self.provenance))
        for name, values in self.columns.items():
            if values.dtype == object:
                unknown = np.array([v is None for v in values], bool)
                values = np.array(["" if v is None else str(v) for v in values], str)
            else:
                unknown = np.isnan(values) if values.dtype.kind == "f" else np.zeros(
                    len(values), bool)
            made[name] = MaskedColumn(values, mask=unknown, unit=self.units.get(name))
        text = io.StringIO()
        made.write(text, format="ascii.ecsv")
        return text.getvalue().encode()

    def _parquet(self) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrays, fields = [], []
        for name, values in self.columns.items():
            text = values.dtype == object
            arrays.append(pa.array(values.tolist() if text else values,
                                   pa.string() if text else None, from_pandas=not text))
            unit = {"unit": self.units[name]} if name in self.units else None
            fields.append(pa.field(name, arrays[-1].type, metadata=unit))
        about = {"provenance": json.dumps(dict(self.provenance), ensure_ascii=False)}
        sink = io.BytesIO()
        pq.write_table(pa.table(arrays, pa.schema(fields, metadata=about)), sink)
        return sink.getvalue()


def check_suffix(path: str | os.PathLike[str]) -> None:
    """Refuse a name that does not say in which format to write.

    Raises
    ------
    SkyMapError
        Naming those that there are.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise SkyMapError(os.fspath(path), f"ends in {suffix or 'nothing'!r}; a table is written "
                          f"as {', '.join(SUFFIXES)}")


def plain(value: Any) -> Any:
    """Return a value of an array as JSON has it: no more digits than it is kept with."""
    if isinstance(value, np.float32):
        value = float(str(value))
    elif isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
