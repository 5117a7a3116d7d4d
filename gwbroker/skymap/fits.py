"""Sky maps as FITS files: multi-order and flat ones are read, multi-order ones written."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import threading
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from ..errors import SkyMapError
from .atomic import write_whole
from .content import check_counts, check_start, inflate, load
from .flat import merge
from .multiorder import SkyMap, check_columns

LIMIT = 512 * 2**20
"""Most bytes of a file that are read, after decompression."""

INSIDE = 128 * 2**20
"""The same for a map that came inside a message: a small one can inflate a thousandfold."""

KEYWORDS = (
    "OBJECT", "REFERENC", "INSTRUME", "DATE-OBS", "MJD-OBS", "DATE", "CREATOR", "ORIGIN",
    "RUNTIME", "DISTMEAN", "DISTSTD", "LOGBCI", "LOGBSN", "VCSVERS", "DATE-BLD",
)
"""Header keywords that are kept in `SkyMap.meta` and written again."""

EQUATORIAL = ("C", "EQUATORIAL", "CELESTIAL", "ICRS", "FK5", "J2000")
"""Values of COORDSYS that mean right ascension and declination."""

Header = Mapping[str, object]

_STRUCTURE = ("COORDSYS", "INDXSCHM", "NSIDE", "ORDERING")
_DISTANCES = {"distmu": "Mpc", "distsigma": "Mpc", "distnorm": "Mpc-2"}
# warnings.catch_warnings changes the whole process: one thread at a time.
_LOCK = threading.Lock()


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
    with _LOCK, warnings.catch_warnings():
        # What matters of what astropy warns of is checked below, with the name of the file.
        warnings.simplefilter("ignore")
        try:
            columns, header = _table(content, name)
        except SkyMapError:
            raise
        except Exception as e:
            # astropy raises nearly anything on damaged bytes; all of it means the same.
            raise SkyMapError(name, f"is damaged FITS: {type(e).__name__}: {e}") from e
    coordinates = str(header.get("COORDSYS") or "C").strip()
    if coordinates.upper() not in EQUATORIAL:
        raise SkyMapError(name, f"COORDSYS is {coordinates!r}, only equatorial maps are read")
    skymap = (_multiorder if "UNIQ" in columns else _flat)(name, columns, header)
    return skymap.validate(name)


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
        Where the map came from, as HISTORY cards ``key: value``.
    """
    columns = [
        fits.Column("UNIQ", "K", array=skymap.uniq),
        fits.Column("PROBDENSITY", "D", unit="sr-1", array=skymap.probdensity),
    ]
    columns += [
        fits.Column(column.upper(), "D", unit=unit, array=values)
        for column, unit in _DISTANCES.items()
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
    for keyword in KEYWORDS:
        value = skymap.meta.get(keyword)
        if isinstance(value, str):
            header[keyword] = _ascii(value)
        elif isinstance(value, (bool, int)) or (isinstance(value, float) and np.isfinite(value)):
            header[keyword] = value
    for key, text in (provenance or {}).items():
        header.add_history(_ascii(f"{key}: {text}"))
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    content = buffer.getvalue()
    if os.fspath(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    write_whole(path, content)


def _ascii(text: str) -> str:
    """Return text as a FITS header can hold it: printable ASCII only."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in plain)


def _table(content: bytes, name: str) -> tuple[dict[str, npt.NDArray[Any]], Header]:
    """Return columns, by upper-case name, and header values of the table with the map."""
    with fits.open(
        io.BytesIO(content), memmap=False, lazy_load_hdus=False, disable_image_compression=True
    ) as hdus:
        for hdu in hdus:
            where = hdu.fileinfo()
            if where["datLoc"] + hdu.size > len(content):
                raise SkyMapError(
                    name, f"is truncated: {len(content)} bytes, {where['datLoc'] + hdu.size} needed"
                )
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        if not tables:
            raise SkyMapError(name, "has no table; it ends early or is no sky map")
        healpix = [t for t in tables if str(t.header.get("PIXTYPE")).strip() == "HEALPIX"]
        table = (healpix or tables)[0]
        if len(table.columns) == 0:
            raise SkyMapError(name, "the table has no columns")
        wanted = {"UNIQ", "PROBDENSITY", "PROB", "PROBABILITY", "DISTMU", "DISTSIGMA", "DISTNORM"}
        names = [c for c in table.columns.names if c.upper() in wanted] or table.columns.names[:1]
        if not {c.upper() for c in names} - {"DISTMU", "DISTSIGMA", "DISTNORM"}:
            names = [*names, table.columns.names[0]]
        columns = {c.upper(): np.asarray(table.data[c]) for c in names}
        # Cards are parsed when asked for, so all that can fail is asked for here.
        header = {k: table.header[k] for k in _STRUCTURE if k in table.header}
        return columns, {**header, **_extras(table.header)}


def _numbers(name: str, column: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind not in "fiu":
        raise SkyMapError(name, f"holds {values.dtype} instead of numbers", column)
    return values.astype(np.float64)


def _extras(header: fits.Header) -> Header:
    """Return what the header says beyond the map; a damaged card there spoils nothing."""
    extras = {}
    for keyword in KEYWORDS:
        with contextlib.suppress(KeyError, ValueError, fits.VerifyError):
            if isinstance(value := header[keyword], (str, bool, int, float)):
                extras[keyword] = value
    return extras


def _meta(header: Header) -> dict[str, object]:
    return {k: header[k] for k in KEYWORDS if k in header}


def _multiorder(
    name: str, columns: Mapping[str, npt.NDArray[Any]], header: Header
) -> SkyMap:
    uniq = columns["UNIQ"]
    if uniq.dtype.kind not in "iu":
        raise SkyMapError(name, f"holds {uniq.dtype} instead of integers", "UNIQ")
    if "PROBDENSITY" not in columns:
        raise SkyMapError(name, "is missing", "PROBDENSITY")
    # A cell number beyond 63 bits wraps to a negative one, which is refused as well.
    values: dict[str, npt.NDArray[Any]] = {"uniq": uniq.astype(np.int64)}
    for column in ("probdensity", *_DISTANCES):
        if column.upper() in columns:
            values[column] = _numbers(name, column.upper(), columns[column.upper()])
    check_columns(name, values)
    return SkyMap(**values, meta=_meta(header))


def _flat(name: str, columns: Mapping[str, npt.NDArray[Any]], header: Header) -> SkyMap:
    scheme = str(header.get("INDXSCHM") or "IMPLICIT").strip()
    if scheme.upper() != "IMPLICIT":
        raise SkyMapError(name, f"INDXSCHM is {scheme!r}: a flat map of a part of the sky")
    nside = header.get("NSIDE")
    if nside is not None and not isinstance(nside, int):
        raise SkyMapError(name, f"NSIDE is {nside!r}, not a whole number")
    choice = [c for c in ("PROBDENSITY", "PROB", "PROBABILITY") if c in columns]
    others = [c for c in columns if c.lower() not in _DISTANCES]
    if not others:
        raise SkyMapError(name, "has no column but distances")
    source = choice[0] if choice else others[0]
    values = {"probdensity": _numbers(name, source, columns[source]).ravel()}
    for column in _DISTANCES:
        if column.upper() in columns:
            values[column] = _numbers(name, column.upper(), columns[column.upper()]).ravel()
    if source != "PROBDENSITY":
        # Pixels hold probability; a flat map has one pixel area.
        with np.errstate(over="ignore"):  # An infinite density is refused below.
            values["probdensity"] *= len(values["probdensity"]) / (4 * np.pi)
    check_columns(name, {"uniq": values["probdensity"], **values})
    ordering = str(header.get("ORDERING", "missing")).strip().upper()
    ordering = {"NEST": "NESTED"}.get(ordering, ordering)
    uniq, merged = merge(name, values, nside, ordering)
    return SkyMap(uniq=uniq, **merged, meta=_meta(header))
