"""Candidates: positions that may be the counterpart of an event, with what is known of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from . import cosmology, units
from .layouts import Layout
from .lines import lines
from .rows import name_of, number_of, row_of
from .sources import open_source

Floats = npt.NDArray[np.float64]

MOST = 10_000_000
"""Most candidates that are read from a table."""

PIECE = 10_000
"""Lines of JSON that are looked at together."""

NUMBERS = ("ra", "dec", "redshift", "redshift_error", "distance", "distance_error",
           "host_magnitude", "host_offset")
"""What is a number."""

LAYOUT = Layout("candidates", {
    "name": ("name", "Name", "NAME", "id", "ID", "objid", "objname"),
    "ra": ("ra", "RA", "RAJ2000"),
    "dec": ("dec", "DEC", "Dec", "DEJ2000"),
    "redshift": ("redshift", "z"),
    "redshift_error": ("redshift_error", "z_err", "e_z"),
    "distance": ("distance", "dist"),
    "distance_error": ("distance_error", "e_dist"),
    "host_magnitude": ("host_magnitude",),
    "host_offset": ("host_offset",),
}, optional=frozenset({"name", *NUMBERS} - {"ra", "dec"}), remedy="it may be called {names}")
"""What the columns of a table of candidates, or the keys of its JSON, may be called."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Positions that may be the counterpart of an event.

    Not-a-number is what is not known.

    Parameters
    ----------
    name : object, shape (N,)
        What each is called, or None.
    ra, dec : float64, shape (N,)
        Position, degrees (ICRS).
    redshift, redshift_error : float64, shape (N,)
        Its redshift or that of its host, and the standard deviation.
    distance, distance_error : float64, shape (N,)
        Luminosity distance and standard deviation, Mpc; goes before the redshift.
    host_magnitude : float64, shape (N,)
        R magnitude of the supposed host.
    host_offset : float64, shape (N,)
        How far the position is from it, arcseconds.
    """

    name: npt.NDArray[np.object_]
    ra: Floats
    dec: Floats
    redshift: Floats
    redshift_error: Floats
    distance: Floats
    distance_error: Floats
    host_magnitude: Floats
    host_offset: Floats

    def __len__(self) -> int:
        return len(self.ra)

    @classmethod
    def of(cls, ra: npt.ArrayLike, dec: npt.ArrayLike, *, source: str = "candidates",
           name: Sequence[str | None] | None = None, **known: npt.ArrayLike) -> Candidates:
        """Return candidates, checked.

        Parameters
        ----------
        ra, dec : array_like
            Degrees.
        source : str
            Where they are from, for error messages.
        name : sequence of str, optional
            What they are called.
        **known : array_like
            What else is known, see the class.

        Raises
        ------
        SkyMapError
            If a position is not on the sky or a number is impossible, naming it.
        """
        values = {key: np.atleast_1d(np.asarray(v, np.float64))
                  for key, v in {"ra": ra, "dec": dec, **known}.items()}
        size = len(values["ra"])
        for column in NUMBERS:
            values.setdefault(column, np.full(size, np.nan))
            if values[column].shape != (size,):
                raise SkyMapError(source, f"has {values[column].size} values, not {size}", column)
        _check(source, values)
        names = np.empty(size, object)
        names[:] = [None] * size if name is None else [name_of(source, each) for each in name]
        return cls(name=names, **values)

    @classmethod
    def from_rows(
        cls, rows: Iterable[Mapping[str, Any]], source: str, ra_unit: str | None = None,
    ) -> Candidates:
        """Return candidates from JSON objects.

        Parameters
        ----------
        rows : iterable of mapping
            With the keys of `LAYOUT`, degrees and Mpc.
        source : str
            Where they are from, for error messages.
        ra_unit : {"deg", "hour"}, optional
            Unit of the right ascension; by default degrees.

        Raises
        ------
        SkyMapError
            Naming the key and its value.
        """
        rows = list(rows)
        scale = units.scales(source, LAYOUT, units.stated(LAYOUT, {}, ra_unit))
        found: dict[str, list[Any]] = {}
        for wanted, names in LAYOUT.columns.items():
            found[wanted] = [next((row[n] for n in names if row.get(n) is not None), None)
                             for row in rows]
        for column in NUMBERS:
            found[column] = [scale[column] * number_of(source, column, v) for v in found[column]]
        return cls.of(source=source, name=found.pop("name"), **found)

    @classmethod
    def from_line(
        cls, line: str | bytes, source: str, ra_unit: str | None = None,
    ) -> Candidates:
        """Return the candidate in a line of JSON, see `from_rows`.

        Raises
        ------
        SkyMapError
            If it is none.
        """
        return cls.from_rows([row_of(line, source)], source, ra_unit)

    @classmethod
    def read(cls, path: str | os.PathLike[str], ra_unit: str | None = None) -> Candidates:
        """Return the candidates in a table: CSV, ECSV, FITS or Parquet, or lines of JSON.

        What the columns say that they are in is converted.

        Parameters
        ----------
        path : path-like
            The file.
        ra_unit : {"deg", "hour"}, optional
            Unit of the right ascension; by default what the file says, or degrees.

        Raises
        ------
        SkyMapError
            If it cannot be read, a unit is of another kind, or right ascensions look like hours;
            it names column and value.
        """
        source = os.fspath(path)
        with open_source(path, LAYOUT) as opened:
            if opened.columns and opened.columns[0].startswith(("{", "[")):
                return cls._read_json(source, ra_unit)
            layout = LAYOUT.find(source, opened.columns)
            said = units.stated(layout, opened.units, ra_unit)
            scale = units.scales(source, layout, said)
            names = layout.columns.get("name", ())[:1]
            numbers = {w: c[0] for w, c in layout.columns.items() if w != "name"}
            parts: dict[str, list[Any]] = {c: [] for c in (*numbers.values(), *names)}
            for batch in opened.read(list(numbers.values()), list(names)):
                if batch.torn:
                    have = "row has" if batch.torn == 1 else "rows have"
                    raise SkyMapError(source, f"{batch.torn:,} {have} too few or too many columns")
                for column, values in parts.items():
                    values.extend(batch.columns[column].to_pylist())
                if len(parts[numbers["ra"]]) > MOST:
                    raise SkyMapError(source, f"has more than {MOST:,} candidates")
        known = {w: scale[w] * np.array(parts[c], np.float64) for w, c in numbers.items()}
        found = cls.of(source=source, name=parts[names[0]] if names else None, **known)
        return found if numbers["ra"] in said else found._not_in_hours(source, numbers["ra"])

    @classmethod
    def _read_json(cls, source: str, ra_unit: str | None) -> Candidates:
        with open(source, "rb") as f:
            return cls.from_lines(lines(f), source, ra_unit)

    @classmethod
    def from_lines(
        cls, each_line: Iterable[str | bytes], source: str, ra_unit: str | None = None,
    ) -> Candidates:
        """Return the candidates in lines of JSON, one each, see `from_rows`.

        Raises
        ------
        SkyMapError
            Naming the line, or if right ascensions look like hours.
        """
        parts: list[Candidates] = []
        numbered = ((n, line) for n, line in enumerate(each_line, 1) if line.strip())
        while some := [(n, row_of(line, f"{source}, line {n}"))
                       for n, line in islice(numbered, PIECE)]:
            parts.append(cls._from_numbered(some, source, ra_unit))
            if len(parts) * PIECE > MOST:
                raise SkyMapError(source, f"has more than {MOST:,} candidates")
        if not parts:
            raise SkyMapError(source, "has no candidates")
        found = cls(**{f.name: np.concatenate([getattr(c, f.name) for c in parts])
                       for f in fields(cls)})
        return found if ra_unit else found._not_in_hours(source, "ra")

    @classmethod
    def _from_numbered(
        cls, rows: list[tuple[int, dict[str, Any]]], source: str, ra_unit: str | None,
    ) -> Candidates:
        try:
            return cls.from_rows([row for _, row in rows], source, ra_unit)
        except SkyMapError:
            # Which line it is is only asked when one is wrong: together they are much faster.
            for number, row in rows:
                cls.from_rows([row], f"{source}, line {number}", ra_unit)
            raise

    def _not_in_hours(self, source: str, column: str) -> Candidates:
        """Return the same, unless their right ascensions look like hours."""
        if len(self):
            units.refuse_hours(source, column, len(self), (self.ra.min(), self.ra.max()),
                               (self.dec.min(), self.dec.max()))
        return self

    def distances(self) -> tuple[Floats, Floats, npt.NDArray[np.object_]]:
        """Return luminosity distances and errors, Mpc, and what each is from.

        A redshift is turned into a distance by Planck18.
        """
        given = np.isfinite(self.distance)
        distance = np.where(given, self.distance, cosmology.luminosity_distance(self.redshift))
        error = np.where(given, self.distance_error, cosmology.distance_error(
            self.redshift, self.redshift_error))
        known = np.isfinite(distance)
        origin = np.full(len(self), None, object)
        origin[known] = f"redshift, {cosmology.NAME}"
        origin[given] = "given"
        return distance, np.where(known, error, np.nan), origin


def _check(source: str, values: Mapping[str, Floats]) -> None:
    with np.errstate(invalid="ignore"):
        for column, wrong, problem in (
            ("ra", ~np.isfinite(values["ra"]), "is not a finite number of degrees"),
            ("ra", (values["ra"] < -180) | (values["ra"] > 360),
             "is not within -180 and 360 degrees"),
            ("dec", ~(np.abs(values["dec"]) <= 90), "is not within -90 and 90 degrees"),
            ("redshift", (values["redshift"] < -0.1) | (values["redshift"] > cosmology.LARGEST),
             f"is not a redshift below {cosmology.LARGEST:g}"),
            ("distance", (values["distance"] <= 0) | np.isinf(values["distance"]),
             "is not a positive distance in Mpc"),
            *((c, (values[c] < 0) | np.isinf(values[c]), "is not a positive number")
              for c in ("redshift_error", "distance_error", "host_offset")),
        ):
            if wrong.any():
                row = int(np.argmax(wrong))
                # Where there is but one, as in a line, its number says nothing.
                where = f" in row {row + 1}" if len(wrong) > 1 else ""
                raise SkyMapError(source, f"{values[column][row]:g}{where} {problem}", column)
