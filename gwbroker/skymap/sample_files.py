"""Posterior samples in files: HDF5, CSV, ECSV or whitespace-separated text."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SkyMapError
from .multiorder import Floats

NAMES = {
    "ra": ("ra", "rightascension", "right_ascension", "alpha"),
    "dec": ("dec", "declination", "delta"),
    "distance": ("luminosity_distance", "distance", "dist", "distmpc"),
}
"""What the columns may be called, whatever the case."""

GROUP = "posterior_samples"
"""The table in an HDF5 file."""

DISTANCES = {"Mpc": 1.0, "kpc": 1e-3, "Gpc": 1e3, "pc": 1e-6}

LIMIT = 2 * 2**30
"""Most bytes of a file."""


@dataclass(frozen=True)
class Samples:
    """Posterior samples.

    Parameters
    ----------
    ra, dec : float64, shape (N,)
        Degrees.
    distance : float64, shape (N,), optional
        Luminosity distance, Mpc.
    """

    ra: Floats
    dec: Floats
    distance: Floats | None


def read(path: str | os.PathLike[str], unit: str | None = None) -> Samples:
    """Read posterior samples from a file: HDF5, ECSV, CSV or whitespace-separated text.

    Columns are found by the usual names (`NAMES`). Angles are in the unit that the file states,
    or in `unit`, or else in radians, as LIGO/Virgo/KAGRA write them.

    Parameters
    ----------
    path : path-like
        The file; an HDF5 file has one table ``posterior_samples``, or is one table.
    unit : {"rad", "deg"}, optional
        Of right ascension and declination, where the file does not say.

    Raises
    ------
    SkyMapError
        If it cannot be read, lacks a column, or a value cannot be in its unit; names file,
        column and value.
    """
    name = os.fspath(path)
    if unit not in (None, "rad", "deg"):
        raise SkyMapError("unit", f"{unit!r} is neither rad nor deg")
    try:
        size = Path(path).stat().st_size
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as e:
        raise SkyMapError(name, f"cannot be read: {e.strerror}") from e
    if not start:
        raise SkyMapError(name, "is empty")
    if size > LIMIT:
        raise SkyMapError(name, f"has {size} bytes, more than {LIMIT}")
    table = _hdf5(name) if start == b"\x89HDF\r\n\x1a\n" else _text(name)
    found = {key: _column(name, table, key) for key in NAMES}
    ra, dec = (_angles(name, key, found[key], unit) for key in ("ra", "dec"))
    far = found["distance"]
    return Samples(ra, dec, None if far is None else _distances(name, far))


def _column(name: str, table: Mapping[str, Any], key: str) -> Any:
    by_lower = {str(column).lower(): column for column in table}
    for wanted in NAMES[key]:
        if wanted in by_lower:
            return table[by_lower[wanted]]
    if key == "distance":
        return None
    raise SkyMapError(name, f"is missing: there are {', '.join(map(str, table))[:200]}", key)


def _values(name: str, column: Any, key: str) -> tuple[Floats, str]:
    """Return the numbers of a column and the unit that it states, if any."""
    values = np.ma.asarray(getattr(column, "value", column))
    if values.dtype.kind not in "fiu":
        shown = values.ravel()[0] if values.size else ""
        raise SkyMapError(name, f"holds {values.dtype.name} instead of numbers, as {shown!r}", key)
    if np.ma.is_masked(values):
        row = int(np.argmax(np.ma.getmaskarray(values)))
        raise SkyMapError(name, f"has no value in row {row}", key)
    return np.asarray(values, np.float64), str(getattr(column, "unit", None) or "")


def _angles(name: str, key: str, column: Any, unit: str | None) -> Floats:
    values, stated = _values(name, column, key)
    if stated not in ("", "rad", "deg"):
        raise SkyMapError(name, f"is in {stated}; write it in degrees or radians", key)
    if stated == "deg" or (not stated and unit == "deg"):
        return values
    most = 2 * np.pi if key == "ra" else np.pi / 2
    bad = np.abs(values) > most + 1e-6
    if bad.any():
        row = int(np.argmax(bad))
        raise SkyMapError(
            name, f"{values[row]:g} in row {row} is no angle in radians; if it is in degrees, say"
                  " so (--unit deg), if in hours, write it in degrees", key)
    return np.degrees(values)


def _distances(name: str, column: Any) -> Floats:
    values, stated = _values(name, column, "distance")
    if stated and stated not in DISTANCES:
        raise SkyMapError(name, f"is in {stated}, not in {', '.join(DISTANCES)}", "distance")
    return values * DISTANCES.get(stated, 1.0)


def _hdf5(name: str) -> Mapping[str, Any]:
    try:
        import h5py
    except ImportError as e:
        raise SkyMapError(
            name, "is HDF5, and h5py is not installed: python -m pip install h5py") from e
    try:
        with h5py.File(name, "r") as file:
            places: list[str] = []

            def visit(place: str, item: Any) -> None:
                if place.rpartition("/")[2] == GROUP:
                    places.append(place)

            file.visititems(visit)
            if len(places) > 1:
                raise SkyMapError(
                    name, f"has several tables of samples: {', '.join(sorted(places))[:200]};"
                          " write the one that is meant into a file of its own")
            item = file[places[0]] if places else _only(file)
            if isinstance(item, h5py.Dataset):
                rows = item[()]
                return {field: rows[field] for field in rows.dtype.names or ()}
            return {key: item[key][()] for key in item if isinstance(item[key], h5py.Dataset)}
    except SkyMapError:
        raise
    # h5py raises nearly anything on damaged files.
    except Exception as e:
        raise SkyMapError(name, f"is damaged HDF5: {type(e).__name__}: {e}") from e


def _only(file: Any) -> Any:
    """Return the one table of a file without a group of the usual name, or the file."""
    import h5py

    inside = [item for item in file.values()
              if isinstance(item, h5py.Dataset) and item.dtype.names]
    return inside[0] if len(inside) == 1 else file


def _text(name: str) -> Mapping[str, Any]:
    from astropy.io import ascii as text

    with open(name, "rb") as file:
        first = file.readline(200)
    if b"\0" in first:
        raise SkyMapError(name, "is neither HDF5 nor text")
    kind = "ecsv" if first.startswith(b"# %ECSV") else "csv" if b"," in first else "basic"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = text.read(name, format=kind)
    # astropy's readers raise nearly anything on what is no table.
    except Exception as e:
        problem = " ".join(str(e).split())[:200]
        raise SkyMapError(name, f"is no table: {type(e).__name__}: {problem}") from e
    return {column: table[column] for column in table.colnames}
