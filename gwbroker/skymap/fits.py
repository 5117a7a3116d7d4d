"""Sky maps as FITS files: multi-order and flat ones are read, multi-order ones written."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from ..errors import SkyMapError
from . import header as extras
from .atomic import write_whole
from .content import check_counts, check_start, inflate, load
from .flat import merge
from .multiorder import DEEPEST, SkyMap, check_columns
from .table import Table, table

LIMIT = 512 * 2**20
"""Most bytes of a file that are read, after decompression."""

INSIDE = 128 * 2**20
"""The same for a map that came inside a message: a small one can inflate a thousandfold."""

UNITS = {"PROBDENSITY": "sr-1", "DISTMU": "Mpc", "DISTSIGMA": "Mpc", "DISTNORM": "Mpc-2"}
"""Units in which numbers are read; a column that says nothing has them."""

_OTHERS = {"pc", "kpc", "gpc", "ly", "lyr", "mly", "gly", "au", "m", "km", "cm",
           "deg", "degree", "arcmin", "arcsec"}
_UNIT = re.compile(r"(?:1?/)?([A-Za-z]{1,20})[-+0-9()]{0,8}")
_SPACES = re.compile(r"[\s*^]+")

EQUATORIAL = ("C", "EQUATORIAL", "CELESTIAL", "ICRS", "FK5", "J2000")
"""Values of COORDSYS that mean right ascension and declination."""

DISTANCES = {"distmu": "Mpc", "distsigma": "Mpc", "distnorm": "Mpc-2"}
"""The columns about distance, and their units."""


def read(
    source: str | os.PathLike[str] | bytes, name: str | None = None, limit: int | None = None
) -> SkyMap:
    """Read a sky map from FITS, multi-order or flat, compressed by gzip or not.

    Flat maps are RING or NESTED, with one pixel or a vector of pixels per row; the
    probability is the column PROBDENSITY, PROB or PROBABILITY, or else the first one.

    Parameters
    ----------
    source : path-like or bytes
        The file, or its content.
    name : str, optional
        What to call it in error messages; by default the path.
    limit : int, optional
        Most bytes to accept after decompression; by default `LIMIT` of a file, and `INSIDE` of
        content.

    Returns
    -------
    SkyMap
        Checked and normalised, see `SkyMap.validate`.

    Raises
    ------
    SkyMapError
        If it is not a whole FITS file with a sky map in it, larger than `limit`, or the map is
        not one: names the file, the column and the value.
    """
    if isinstance(source, bytes):
        name = name or "sky map"
        limit = INSIDE if limit is None else limit
        content = source
    else:
        name = name or os.fspath(source)
        limit = LIMIT if limit is None else limit
        content = load(source, name, limit)
    content = inflate(content, name, limit)
    check_start(content, name)
    check_counts(content, name)
    found = table(content, name)
    coordinates = str(found.structure.get("COORDSYS") or "C").strip()
    if coordinates.upper() not in EQUATORIAL:
        raise SkyMapError(name, f"COORDSYS is {coordinates!r}, only equatorial maps are read")
    check_units(found.units, name)
    if "UNIQ" in found.columns:
        return _multiorder(name, found).validate(name)
    return _flat(name, found)


def write(
    skymap: SkyMap,
    path: str | os.PathLike[str],
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write a sky map as multi-order FITS, whole or not at all.

    The same map and provenance give the same bytes: no date of writing is noted. A name that
    ends in ``.gz`` is compressed.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    path : path-like
        Where to write; its folder must exist.
    provenance : mapping, optional
        Where the map came from, added to its history as HISTORY cards ``key: value``.
    """
    content = encode(skymap, provenance)
    if os.fspath(path).lower().endswith(".gz"):
        # Beyond level 6 it takes several times as long and saves a hundredth.
        content = gzip.compress(content, 6, mtime=0)
    write_whole(path, content)


def encode(skymap: SkyMap, provenance: Mapping[str, str] | None = None) -> bytes:
    """Return a sky map as the bytes of a multi-order FITS file, see `write`."""
    columns = [
        fits.Column("UNIQ", "K", array=skymap.uniq),
        fits.Column("PROBDENSITY", "D", unit="sr-1", array=skymap.probdensity),
    ]
    columns += [
        fits.Column(column.upper(), "D", unit=unit, array=values)
        for column, unit in DISTANCES.items()
        if (values := getattr(skymap, column)) is not None
    ]
    table = fits.BinTableHDU.from_columns(columns)
    header = table.header
    header["MOC"] = (True, "multi-order coverage")
    header["PIXTYPE"] = ("HEALPIX", "HEALPix pixelisation")
    header["ORDERING"] = ("NUNIQ", "pixel ordering scheme: RING, NESTED or NUNIQ")
    header["COORDSYS"] = ("C", "celestial (equatorial)")
    header["MOCORDER"] = (skymap.max_level, "deepest HEALPix level")
    header["INDXSCHM"] = ("EXPLICIT", "indexing: IMPLICIT or EXPLICIT")
    extras.write(header, skymap.meta, extras.lines(skymap.history, provenance))
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def numbers(name: str, column: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column that holds numbers.

    Raises
    ------
    SkyMapError
        If it holds something else.
    """
    if values.dtype.kind not in "fiu":
        raise SkyMapError(name, f"holds {values.dtype} instead of numbers", column)
    return values


def from_columns(
    name: str,
    columns: Mapping[str, npt.NDArray[Any]],
    meta: Mapping[str, object],
    history: tuple[str, ...] = (),
) -> SkyMap:
    """Return the map of multi-order columns, by upper-case name; it is not validated yet.

    Raises
    ------
    SkyMapError
        If a column is missing, or is not of numbers.
    """
    uniq = columns["UNIQ"]
    if uniq.dtype.kind not in "iu":
        raise SkyMapError(name, f"holds {uniq.dtype} instead of integers", "UNIQ")
    if "PROBDENSITY" not in columns:
        raise SkyMapError(name, "is missing", "PROBDENSITY")
    if uniq.dtype == np.uint64 and (beyond := uniq > np.uint64(2**63 - 1)).any():
        # Read as one with a sign, it would be another number.
        row = int(np.argmax(beyond))
        raise SkyMapError(
            name, f"{uniq[row]} in row {row} lies deeper than level {DEEPEST}", "UNIQ")
    values: dict[str, npt.NDArray[Any]] = {"uniq": uniq.astype(np.int64)}
    for column in ("probdensity", *DISTANCES):
        if (upper := column.upper()) in columns:
            values[column] = numbers(name, upper, columns[upper]).astype(np.float64)
    check_columns(name, values)
    return SkyMap(**values, meta=meta, history=history)


def check_units(units: Mapping[str, str], name: str) -> None:
    """Refuse columns that say that they are in other units than `UNITS`.

    Raises
    ------
    SkyMapError
        Naming the column and its unit.
    """
    for column, unit in UNITS.items():
        if _is_other_unit(said := units.get(column, "")):
            raise SkyMapError(name, f"is in {said}, only {unit} is read: convert it", column)


def _is_other_unit(said: str) -> bool:
    """Tell whether a unit is one that maps come in by mistake; what is unclear is let pass."""
    # Not parsed by astropy, which would work out 10**999999999.
    found = _UNIT.fullmatch(_SPACES.sub("", said))
    return found is not None and found[1].lower() in _OTHERS


def _ordering(found: Table) -> str:
    ordering = str(found.structure.get("ORDERING", "missing")).strip().upper()
    return {"NEST": "NESTED"}.get(ordering, ordering)


def _multiorder(name: str, found: Table) -> SkyMap:
    if (ordering := _ordering(found)) not in ("NUNIQ", "UNIQ", "MISSING"):
        raise SkyMapError(
            name, f"ORDERING is {ordering!r}, but there is a column UNIQ: one of them is wrong"
        )
    return from_columns(name, found.columns, found.meta, found.history)


def _flat(name: str, found: Table) -> SkyMap:
    columns, structure = found.columns, found.structure
    scheme = str(structure.get("INDXSCHM") or "IMPLICIT").strip()
    ordering = _ordering(found)
    if ordering == "MISSING":
        raise SkyMapError(name, "ORDERING is missing; without it nobody knows whether the pixels "
                          "are in the order RING or NESTED")
    if ordering == "NUNIQ":
        raise SkyMapError(name, "is missing, though ORDERING is 'NUNIQ'", "UNIQ")
    if scheme.upper() != "IMPLICIT":
        raise SkyMapError(
            name, f"INDXSCHM is {scheme!r}: a flat map of a part of the sky, a whole one is needed"
        )
    nside = structure.get("NSIDE")
    if nside is not None and not isinstance(nside, int):
        raise SkyMapError(name, f"NSIDE is {nside!r}, not a whole number")
    choice = [c for c in ("PROBDENSITY", "PROB", "PROBABILITY") if c in columns]
    others = [c for c in columns if c.lower() not in DISTANCES]
    if not others:
        raise SkyMapError(name, "has no column but distances")
    source = choice[0] if choice else others[0]
    values = {"probdensity": _pixels(name, source, columns[source])}
    for column in DISTANCES:
        if (upper := column.upper()) in columns:
            values[column] = _pixels(name, upper, columns[upper])
    check_columns(name, {"uniq": values["probdensity"], **values})
    _check_pixels(name, source, values["probdensity"])
    uniq, merged = merge(name, values, nside, ordering)
    if source != "PROBDENSITY":
        # Pixels hold probability; a flat map has one pixel area.
        with np.errstate(over="ignore"):  # An infinite density is refused below.
            merged["probdensity"] *= len(values["probdensity"]) / (4 * np.pi)
    skymap = SkyMap(uniq=uniq, **merged, meta=found.meta, history=found.history)
    return skymap.validate(name, source)


def _pixels(name: str, column: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column as a list of pixels, without a copy unless each row has several."""
    return numbers(name, column, values).reshape(-1) if values.ndim > 1 else \
        numbers(name, column, values)


def _check_pixels(name: str, column: str, values: npt.NDArray[Any]) -> None:
    """Refuse negative and infinite pixels by their numbers, which merging would lose."""
    if len(values) and not (values.min() >= 0 and values.max() < np.inf):
        bad = ~((values >= 0) & (values < np.inf))
        pixel = int(np.argmax(bad))
        problem = "is negative" if np.isfinite(values[pixel]) else "is not a finite number"
        more = f", and {n} more" if (n := int(bad.sum()) - 1) else ""
        raise SkyMapError(name, f"{values[pixel]} in pixel {pixel} {problem}{more}", column)
