"""Field list: a telescope's own fields from a table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..errors import SkyMapError
from ..skymap.multiorder import Floats
from .fields import Fields
from .limits import Bools

FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".txt": "ascii.basic", ".fits": "fits"}
NAMES = ("field", "name", "id", "field_id")


def read(path: str | Path) -> Fields:
    """Return the fields of a table with columns ``ra`` and ``dec``, in degrees.

    A column ``field``, ``name`` or ``id``, if there is one, says what they are called. Case does
    not matter. Units other than degrees are understood where the format has them.

    Parameters
    ----------
    path : str or Path
        ``.ecsv``, ``.csv``, ``.txt`` (columns apart by spaces) or ``.fits``.

    Raises
    ------
    SkyMapError
        If it cannot be read, a column is missing, or a position is not on the sphere; it names
        file, column and value.
    """
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise SkyMapError(str(path), f"its name does not end in {', '.join(FORMATS)}")
    try:
        table = Table.read(path, format=kind)
    except (OSError, ValueError, IndexError, TypeError) as e:
        said = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise SkyMapError(str(path), f"is not a table that can be read: {said}") from None
    columns = {str(name).lower(): name for name in table.colnames}
    ra = _angles(table, columns, "ra", str(path))
    _refuse(str(path), "ra", ra, ~((ra >= -180) & (ra <= 360)), "is not from -180 to 360")
    dec = _angles(table, columns, "dec", str(path))
    _refuse(str(path), "dec", dec, ~(np.abs(dec) <= 90), "is not from -90 to 90")
    label = next((columns[name] for name in NAMES if name in columns), None)
    names = [str(n) for n in table[label]] if label else [str(n) for n in range(1, len(ra) + 1)]
    if len(set(names)) < len(names):
        twice = next(n for n, times in Counter(names).items() if times > 1)
        raise SkyMapError(str(path), f"{twice!r} is there twice", str(label))
    return Fields(tuple(names), ra % 360.0, dec)


def _angles(table: Table, columns: dict[str, str], name: str, source: str) -> Floats:
    if name not in columns:
        raise SkyMapError(source, f"is missing; there are {', '.join(table.colnames)}", name)
    column = table[columns[name]]
    if len(column) == 0:
        raise SkyMapError(source, "the table has no rows", name)
    try:
        values = np.ma.filled(np.ma.asarray(column, np.float64), np.nan)
        if column.unit is not None:
            values = np.asarray((values * column.unit).to_value("deg"), np.float64)
    except (TypeError, ValueError) as e:
        raise SkyMapError(source, f"is not an angle in degrees: {e}", name) from None
    if values.ndim != 1:
        raise SkyMapError(source, f"has {values.shape[1]} values in each row, not one", name)
    _refuse(source, name, values, ~np.isfinite(values), "is not a finite number")
    return np.asarray(values, np.float64)


def _refuse(source: str, column: str, values: Floats, bad: Bools, problem: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise SkyMapError(source, f"{values[row]:g} in row {row + 1} {problem}", column)
