"""Sky maps in files of any kind: told apart by content when read, by name when written."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from ..errors import SkyMapError
from . import content, embedded, fits
from .multiorder import SkyMap

LIMIT = 2 * 2**30
"""Most bytes of a file that are read, before and after decompression: NSIDE 2048 with distances."""

SUFFIXES = (".fits", ".fits.gz", ".parquet", ".json")
"""What names of files to write end in."""

PARQUET = b"PAR1"
"""How every Parquet file begins."""

_GZIP = b"\x1f\x8b"


def load(path: str | os.PathLike[str], name: str | None = None) -> SkyMap:
    """Read a sky map from a file: FITS, Parquet, or base64 in JSON, whatever its name is.

    Parameters
    ----------
    path : path-like
        The file; ``-`` is the standard input.
    name : str, optional
        What to call it in error messages; by default the path.

    Returns
    -------
    SkyMap
        Checked and normalised, see `SkyMap.validate`.

    Raises
    ------
    SkyMapError
        If it cannot be read, is larger than `LIMIT`, is of none of these kinds, or the map
        is invalid: names the file, the column and the value.
    """
    if os.fspath(path) == "-":
        name = name or "standard input"
        if sys.stdin is None:
            raise SkyMapError(name, "is closed: give a file, or send one into it")
        data = content.drain(sys.stdin.buffer, LIMIT)
    else:
        name = name or os.fspath(path)
        if name.startswith(("http://", "https://")):
            raise SkyMapError(name, "is a URL: download it and read the file")
        data = content.load(path, name, LIMIT)
    if len(data) > LIMIT:
        raise SkyMapError(name, f"is larger than {LIMIT} bytes")
    return loads(data, name)


def loads(data: bytes, name: str = "sky map", limit: int | None = None) -> SkyMap:
    """Read a sky map from the content of a file, see `load`.

    Parameters
    ----------
    data : bytes
        The content.
    name : str
        What to call it in error messages.
    limit : int, optional
        Most bytes to accept after decompression; by default `LIMIT`.
    """
    limit = LIMIT if limit is None else limit
    if data.startswith((content.START, _GZIP)):
        return fits.read(data, name, limit)
    if data.startswith(PARQUET):
        # Commands that meet no Parquet need not wait for it.
        from . import parquet

        return parquet.read(data, name, limit)
    if data[:100].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return embedded.read(data, name, min(limit, fits.INSIDE))
    found = f"it starts with {data[:9]!r}" if data else "it is empty"
    raise SkyMapError(name, f"is neither FITS nor Parquet nor JSON: {found}")


def save(
    skymap: SkyMap, path: str | os.PathLike[str], provenance: Mapping[str, str] | None = None
) -> None:
    """Write a sky map, whole or not at all, in the format that the name ends in.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    path : path-like
        ``.fits`` or ``.fits.gz`` (multi-order), ``.parquet`` or ``.json``; the folder must
        exist.
    provenance : mapping, optional
        Where the map came from (notice, inputs, versions), added to its history.

    Raises
    ------
    SkyMapError
        If the name ends in something else, or the file cannot be written.
    """
    name = os.fspath(path)
    lower = name.lower()
    if not lower.endswith(SUFFIXES):
        raise SkyMapError(name, f"ends in none of {', '.join(SUFFIXES)}: which format is meant?")
    try:
        if lower.endswith(".parquet"):
            from . import parquet

            parquet.write(skymap, path, provenance)
        elif lower.endswith(".json"):
            embedded.write(skymap, path, provenance)
        else:
            fits.write(skymap, path, provenance)
    except OSError as e:
        raise SkyMapError(name, f"cannot be written: {e.strerror}") from e
