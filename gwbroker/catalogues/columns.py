"""Columns: what a catalogue keeps of each galaxy, and what a source may give."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

LONGEST_NAME = 200
"""Most letters of a name."""


@dataclass(frozen=True)
class Column:
    """One column of a catalogue.

    Parameters
    ----------
    name : str
        Its name.
    unit : str
        Its unit; empty if it has none.
    type : pyarrow.DataType
        How it is kept.
    meaning : str
        What it is, in one line.
    """

    name: str
    unit: str
    type: pa.DataType
    meaning: str


KEPT = (
    Column("pixel", "", pa.int64(), "HEALPix number at level 29, NESTED, ICRS"),
    Column("ra", "deg", pa.float64(), "right ascension (ICRS)"),
    Column("dec", "deg", pa.float64(), "declination (ICRS)"),
    Column("distance", "Mpc", pa.float32(), "luminosity distance"),
    Column("distance_error", "Mpc", pa.float32(), "its standard deviation"),
    Column("redshift", "", pa.float32(), "redshift"),
    Column("luminosity", "Lsun", pa.float32(), "luminosity in one band, of suns in that band"),
    Column("mass", "Msun", pa.float32(), "stellar mass"),
    Column("name", "", pa.string(), "what the galaxy is called"),
)
"""What is kept of each galaxy, sorted by pixel."""

SCHEMA = pa.schema([(column.name, column.type) for column in KEPT])

UNITS = {column.name: column.unit for column in KEPT}

GIVEN = ("name", "ra", "dec", "distance", "distance_error", "redshift", "redshift_error",
         "luminosity", "mass", "magnitude", "absolute_magnitude")
"""What a source may give; the last two only to find the luminosity."""
