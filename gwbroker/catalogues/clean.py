"""Cleaning: rows as a file has them become galaxies, and what is wrong is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import healpy as hp
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..skymap.multiorder import DEEPEST
from . import cosmology
from .columns import SCHEMA
from .layouts import Layout
from .sources import Batch

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SMALLEST = 1e-30
LARGEST = 1e30
"""Numbers that are kept in 32 bits lie between these."""

LINE = "row"
"""What is wrong, instead of a column, if a line cannot be taken apart."""


@dataclass
class Rejected:
    """Rows that are left out for one reason.

    Parameters
    ----------
    column : str
        The column of the file that is wrong.
    reason : str
        What is wrong with it.
    first : str
        The first such row and its value.
    rows : int
        How many there are.
    """

    column: str
    reason: str
    first: str
    rows: int = 0

    def __str__(self) -> str:
        return f"{self.rows:,} rows: {self.column} {self.reason} (first: {self.first})"


class Cleaner:
    """Turns rows of a file into rows of a catalogue, counting those that are left out.

    Parameters
    ----------
    layout : Layout
        Which columns of the file are what.
    scale : mapping
        What to multiply each with, see `units.scales`.
    """

    def __init__(self, layout: Layout, scale: Mapping[str, float]) -> None:
        self.layout, self.scale = layout, scale
        self.rejected: dict[tuple[str, str], Rejected] = {}
        self.read = self.kept = 0
        self.given = dict.fromkeys(SCHEMA.names, 0)
        self.ra = [np.inf, -np.inf]
        self.dec = [np.inf, -np.inf]

    def __call__(self, batch: Batch) -> pa.RecordBatch:
        """Return the galaxies in some rows."""
        if batch.torn:
            self._count(LINE, "has too few or too many columns", "not numbered", batch.torn)
        self.read += batch.torn
        first, self.read = self.read + 1, self.read + batch.rows
        value = {wanted: self._scaled(batch, wanted) for wanted in self.layout.columns
                 if wanted != "name"}
        ra, dec = value["ra"], value["dec"]
        none = np.full(batch.rows, np.nan)
        distance = value.get("distance", none)
        redshift = value.get("redshift", none)
        good = np.ones(batch.rows, bool)
        with np.errstate(invalid="ignore"):
            for wanted, wrong, reason in (
                ("ra", ~np.isfinite(ra), "is no number"),
                ("dec", ~np.isfinite(dec), "is no number"),
                ("ra", (ra < -180) | (ra > 360), "is not a right ascension"),
                ("dec", np.abs(dec) > 90, "is not within -90 and 90"),
                ("distance", distance <= 0, "is not positive"),
                ("distance", np.isinf(distance), "is infinite"),
                ("redshift", (redshift < -0.1) | (redshift > cosmology.LARGEST),
                 "is no redshift of a galaxy"),
            ):
                wrong &= good
                if wrong.any():
                    row, column = int(np.argmax(wrong)), self.layout.columns[wanted][0]
                    # As the file has it, in whatever unit.
                    self._count(column, reason, f"{_numbers(batch, column)[row]:g} in row "
                                f"{first + row:,}", int(wrong.sum()))
                    good &= ~wrong
        self.kept += int(good.sum())
        value = {name: values[good] for name, values in value.items()}
        if good.any():
            for limits, values in ((self.ra, value["ra"]), (self.dec, value["dec"])):
                limits[:] = min(limits[0], values.min()), max(limits[1], values.max())
        return self._galaxies(value, _names(batch, self.layout, good))

    def _scaled(self, batch: Batch, wanted: str) -> Floats:
        """Return numbers in the unit that is kept."""
        found = _numbers(batch, self.layout.columns[wanted][0])
        scale = self.scale[wanted]
        return found if scale == 1 else found * scale

    def _galaxies(self, value: dict[str, Floats], names: pa.Array) -> pa.RecordBatch:
        ra, dec = value["ra"] % 360.0, value["dec"]
        none = np.full(len(ra), np.nan)
        distance, error = value.get("distance", none), value.get("distance_error", none)
        redshift = value.get("redshift", none)
        unknown = ~np.isfinite(distance) & (redshift > 0)
        if unknown.any():
            distance, error = distance.copy(), error.copy()
            distance[unknown] = cosmology.luminosity_distance(redshift[unknown])
            spread = value.get("redshift_error", none)[unknown]
            error[unknown] = cosmology.distance_error(redshift[unknown], spread)
        luminosity = value.get("luminosity", none)
        magnitude = value.get("absolute_magnitude", none)
        if "magnitude" in value:
            # m - M = 5 log10(d / 10 pc)
            modulus = 5 * np.log10(distance) + 25
            magnitude = np.where(np.isfinite(magnitude), magnitude, value["magnitude"] - modulus)
        # Brighter than -35 is no galaxy but a number that stands for "not known".
        magnitude = np.where((magnitude > -35) & (magnitude < 35), magnitude, np.nan)
        bright = np.power(10.0, -0.4 * (magnitude - self.layout.sun))
        columns = {
            "pixel": pa.array(hp.ang2pix(2**DEEPEST, ra, dec, nest=True, lonlat=True)),
            "ra": pa.array(ra), "dec": pa.array(dec),
            "distance": _small(distance), "distance_error": _small(error, zero=True),
            "redshift": _small(redshift, negative=True),
            "luminosity": _small(np.where(np.isfinite(luminosity), luminosity, bright)),
            "mass": _small(value.get("mass", none)), "name": names}
        for name, values in columns.items():
            self.given[name] += len(values) - values.null_count
        return pa.record_batch([columns[name] for name in SCHEMA.names], schema=SCHEMA)

    def _count(self, column: str, reason: str, first: str, rows: int) -> None:
        key = (column, reason)
        self.rejected.setdefault(key, Rejected(column, reason, first)).rows += rows


def _numbers(batch: Batch, column: str) -> Floats:
    return np.asarray(batch.columns[column].to_numpy(zero_copy_only=False), np.float64)


def _names(batch: Batch, layout: Layout, good: Mask) -> pa.Array:
    """Return what each galaxy is called: the first name that it has."""
    names = [batch.columns[name] for name in layout.columns.get("name", ())]
    if not names:
        return pa.nulls(int(good.sum()), pa.string())
    return pc.coalesce(*names).filter(pa.array(good))


def _small(values: Floats, zero: bool = False, negative: bool = False) -> pa.Array:
    """Return numbers in 32 bits; null where they are not known or impossible."""
    size = np.abs(values) if negative else values
    with np.errstate(invalid="ignore"):
        fine = (size > SMALLEST) & (size < LARGEST)
        if zero or negative:
            fine |= values == 0
        small = np.where(fine, values, np.nan).astype(np.float32)
    return pa.array(small, mask=~fine)
