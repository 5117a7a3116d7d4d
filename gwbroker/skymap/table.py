"""The table of a FITS file that has a sky map in it: its columns and what its header says."""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from ..errors import SkyMapError
from . import header as extras

WANTED = {"UNIQ", "PROBDENSITY", "PROB", "PROBABILITY", "DISTMU", "DISTSIGMA", "DISTNORM"}
"""The columns that are read; without one of them, the first column."""

_STRUCTURE = ("COORDSYS", "INDXSCHM", "NSIDE", "ORDERING")
_PLAIN = re.compile(r"\d*[BIJKED]")
# warnings.catch_warnings changes the whole process: one thread at a time.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Table:
    """The table of a FITS file.

    Parameters
    ----------
    columns : mapping
        The columns, by upper-case name; they may be views of the file's bytes.
    structure : mapping
        What the header says of the arrangement of the pixels, by keyword.
    meta : mapping
        What else it says, see `SkyMap.meta`.
    history : tuple of str
        Its HISTORY.
    units : mapping
        What units the columns say that they are in, by upper-case name.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    structure: Mapping[str, object]
    meta: Mapping[str, object]
    history: tuple[str, ...]
    units: Mapping[str, str]


def table(content: bytes, name: str) -> Table:
    """Return the table with the map of a whole FITS file.

    Raises
    ------
    SkyMapError
        If it is damaged, truncated or has no table.
    """
    with _LOCK, warnings.catch_warnings():
        # What matters of what astropy warns of is checked by us, with the name of the file.
        warnings.simplefilter("ignore")
        try:
            return _table(content, name)
        except SkyMapError:
            raise
        except Exception as e:
            # astropy raises nearly anything on damaged bytes; all of it means the same.
            raise SkyMapError(name, f"is damaged FITS: {type(e).__name__}: {e}") from e


def _table(content: bytes, name: str) -> Table:
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
        chosen = (healpix or tables)[0]
        if len(chosen.columns) == 0:
            raise SkyMapError(name, "the table has no columns")
        names = [c for c in chosen.columns.names if c.upper() in WANTED]
        if not {c.upper() for c in names} - {"DISTMU", "DISTSIGMA", "DISTNORM"}:
            names = [*dict.fromkeys([*names, chosen.columns.names[0]])]
        columns = _columns(content, chosen, names)
        # Cards are parsed when asked for, so all that can fail is asked for here.
        structure = {k: chosen.header[k] for k in _STRUCTURE if k in chosen.header}
        units = {c.upper(): str(chosen.columns[c].unit or "").strip() for c in names}
        return Table(columns, structure, *extras.read(chosen.header), units)


def _columns(
    content: bytes, hdu: fits.BinTableHDU, names: list[str]
) -> dict[str, npt.NDArray[Any]]:
    """Return columns by upper-case name, without a copy if they are plain numbers."""
    plain = all(
        _PLAIN.fullmatch(str(c.format)) and not c.dim
        and c.bscale in (None, "", 1) and c.bzero in (None, "", 0)
        for c in hdu.columns if c.name in names
    )
    dtype = hdu.columns.dtype.newbyteorder(">")
    rows = hdu.header["NAXIS2"]
    if plain and dtype.itemsize == hdu.header["NAXIS1"]:
        raw = np.frombuffer(content, dtype, rows, hdu.fileinfo()["datLoc"]) if rows else \
            np.empty(0, dtype)
        return {c.upper(): raw[c] for c in names}
    return {c.upper(): np.asarray(hdu.data[c]) for c in names}
