"""Units: what the numbers in a table are in, and what makes them those that are kept."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ..errors import SkyMapError
from .layouts import Layout

KINDS = {
    "ra": ("deg", "an angle", "in degrees"), "dec": ("deg", "an angle", "in degrees"),
    "host_offset": ("arcsec", "an angle", "in arcseconds"),
    "distance": ("Mpc", "a length", "in Mpc"), "distance_error": ("Mpc", "a length", "in Mpc"),
    "mass": ("solMass", "a mass", "in solar masses"),
    "luminosity": ("solLum", "a luminosity", "in solar luminosities"),
    "redshift": ("", "a redshift", "without a unit"),
    "redshift_error": ("", "a redshift", "without a unit"),
    "magnitude": ("mag", "a magnitude", "in magnitudes"),
    "absolute_magnitude": ("mag", "a magnitude", "in magnitudes"),
    "host_magnitude": ("mag", "a magnitude", "in magnitudes"),
}
"""Of each number that is read: its unit here, of what kind that is, and how to write it."""

HOURS = 24.0
"""What right ascensions in hours are below."""

MANY = 100
"""So many positions, all over the sky and all below 24, are probably in hours."""

# What people write, in any case, of what astropy has another name for.
_NAMES = {
    "deg": {**dict.fromkeys(("h", "hr", "hour", "hours", "hourangle"), "15 deg"),
            "degree": "deg", "degrees": "deg", "radian": "rad", "radians": "rad"},
    "solMass": dict.fromkeys(("msun", "m_sun", "msol", "m_sol", "solmass", "solar mass",
                              "solar masses"), "solMass"),
    "solLum": dict.fromkeys(("lsun", "l_sun", "lsol", "l_sol", "sollum", "solar luminosity",
                             "solar luminosities"), "solLum"),
}
_NUMBER = re.compile(r"1|none|dimensionless|redshift|z")
_MAGNITUDE = re.compile(r"(?:(?:ab|st|vega)[ _-]?)?mags?(?: ?\((?:ab|st|vega)\))?")
# A power of ten as FITS or CDS writes it, or a number; a name, perhaps with powers of one digit.
_UNIT = re.compile(
    r"(?:(?:10(?:\*\*|\^|\+)(?P<power>\d{1,2})|(?P<factor>\d{1,15}(?:\.\d{1,15})?(?:e[-+]?\d\d?)?))"
    r"[ .*]*)?(?P<name>[a-z_°](?:[a-z_° .*/-]|(?<!\d)\d){0,30})", re.IGNORECASE)


def scales(source: str, layout: Layout, units: Mapping[str, str]) -> dict[str, float]:
    """Return what to multiply each number with, so that it is in the unit that is kept.

    Parameters
    ----------
    source : str
        The file, for error messages.
    layout : Layout
        Which columns it has, with what a column is in that says nothing.
    units : mapping
        What the columns say, by their names, see `stated`.

    Raises
    ------
    SkyMapError
        If a unit is of another kind or not known, naming column and unit.
    """
    found = {}
    for wanted, (column, *_) in layout.columns.items():
        if column in units and wanted in KINDS:
            found[wanted] = _scale(source, column, wanted, units[column])
        else:
            found[wanted] = layout.mass_unit if wanted == "mass" else 1.0
    return found


def stated(layout: Layout, units: Mapping[str, str], ra_unit: str | None) -> dict[str, str]:
    """Return the units that are said of columns that are read, by the file or by the user.

    Parameters
    ----------
    layout : Layout
        Which columns it has.
    units : mapping
        What the file says of its columns.
    ra_unit : {"deg", "hour"}, optional
        What the user says of the right ascension; goes before what the file says.

    Raises
    ------
    SkyMapError
        If `ra_unit` is neither.
    """
    if ra_unit not in (None, "deg", "hour"):
        raise SkyMapError("ra_unit", f"{ra_unit!r} is neither 'deg' nor 'hour'")
    # CDS writes --- for none.
    found = {c: said for c in layout.wanted if (said := units.get(c, "").strip("- "))}
    return found if ra_unit is None else {**found, layout.columns["ra"][0]: ra_unit}


def _scale(source: str, column: str, wanted: str, said: str) -> float:
    unit, kind, remedy = KINDS[wanted]
    if (unit == "" and _NUMBER.fullmatch(said.lower())) or (
            unit == "mag" and _MAGNITUDE.fullmatch(said.lower())):
        return 1.0
    scale = _converted(said, unit) if unit not in ("", "mag") else None
    if scale is None:
        raise SkyMapError(source, f"is in {said[:40]!r}, which is not read as {kind}; write it "
                          f"{remedy}", column)
    return scale


@lru_cache(100)
def _converted(said: str, unit: str) -> float | None:
    """Return how many of ours one of a unit is, or None if it is none or of another kind."""
    from astropy.units import Unit

    # astropy would work out 10**999999999; what it gets of a file is short and has no such power.
    parts = _UNIT.fullmatch(said)
    # It knows mpc as a thousandth of a parsec, which nobody means.
    if parts is None or parts["name"] == "mpc":
        return None
    factor = 10.0 ** int(parts["power"]) if parts["power"] else float(parts["factor"] or 1)
    name = _NAMES.get(unit, {}).get(parts["name"].lower(), parts["name"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return factor * float(Unit(name).to(unit))
    except (ValueError, TypeError):
        return None


def refuse_hours(
    source: str, column: str, rows: int, ra: Sequence[float], dec: Sequence[float],
) -> None:
    """Refuse right ascensions of no stated unit that look like hours.

    Parameters
    ----------
    source, column : str
        The file and its column, for error messages.
    rows : int
        How many positions there are.
    ra, dec : sequence of two floats
        The smallest and the largest.

    Raises
    ------
    SkyMapError
        If they are many, all within 24, and all over the sky; with the remedy.
    """
    if rows >= MANY and ra[0] >= 0 and ra[1] <= HOURS and dec[1] - dec[0] > 60:
        raise SkyMapError(
            source, f"lies between {ra[0]:g} and {ra[1]:g} in all of {rows:,} rows, which are all "
            "over the sky: are these hours? Say so with --ra-unit hour, or --ra-unit deg if they "
            "are degrees, or by the unit of the column", column)
