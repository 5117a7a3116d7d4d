"""The three forms in which a region of the sky is written: FITS, JSON and ASCII.

Fernique et al. (2022), IVOA MOC 2.0, section 4.3. All functions return ranges of pixels at
level 29, so that a few letters, as ``29/0-3458764513820540927``, cannot fill the memory.
"""

from __future__ import annotations

import io
import json
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from ..errors import SkyMapError
from .atomic import write_whole
from .multiorder import DEEPEST, Ints, SkyMap, uniq_of

SUFFIXES = {".fits": "fits", ".json": "json", ".txt": "ascii"}


def to_ascii(level: Ints, ipix: Ints) -> str:
    """Return the ASCII form of sorted cells: runs of cells, level by level."""
    parts = []
    for each in np.unique(level):
        here = ipix[level == each]
        first = np.flatnonzero(np.append(True, np.diff(here) != 1))
        last = np.append(first[1:], len(here)) - 1
        runs = [str(a) if a == b else f"{a}-{b}"
                for a, b in zip(here[first].tolist(), here[last].tolist(), strict=True)]
        parts.append(f"{each}/{' '.join(runs)}")
    return " ".join(parts) or "0/"


def to_json(level: Ints, ipix: Ints) -> str:
    """Return the JSON form of sorted cells."""
    return json.dumps({str(each): ipix[level == each].tolist() for each in np.unique(level)}
                      or {"0": []})


def to_fits(level: Ints, ipix: Ints) -> bytes:
    """Return the FITS form of sorted cells."""
    column = fits.Column("UNIQ", "1K", array=uniq_of(level, ipix))
    table = fits.BinTableHDU.from_columns([column])
    for keyword, value, comment in (
        ("MOCVERS", "2.0", "version of the IVOA standard"),
        ("MOCDIM", "SPACE", "a region of the sky"),
        ("ORDERING", "NUNIQ", "4^(level + 1) + pixel, NESTED"),
        ("COORDSYS", "C", "ICRS"),
        ("MOCORD_S", int(level.max(initial=0)), "deepest level"),
        ("PIXTYPE", "HEALPIX", ""),
        ("MOCTOOL", "gwbroker", "")):
        table.header[keyword] = (value, comment)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def write(
    path: str | os.PathLike[str], level: Ints, ipix: Ints, form: str | None = None,
) -> None:
    """Write a form, by the suffix if it is not named."""
    suffix = Path(path).suffix.lower()
    form = form or SUFFIXES.get(suffix)
    if form is None:
        raise SkyMapError(os.fspath(path), f"{suffix or 'no suffix'!r} is not one of a MOC: "
                          + ", ".join(SUFFIXES))
    if form == "fits":
        content = to_fits(level, ipix)
    else:
        text = to_json(level, ipix) if form == "json" else to_ascii(level, ipix)
        content = f"{text}\n".encode()
    try:
        write_whole(path, content)
    except OSError as e:
        raise SkyMapError(os.fspath(path), f"cannot be written: {e.strerror}") from None


def read(path: str | os.PathLike[str]) -> Ints:
    """Return the ranges of a file in any of the three forms."""
    name = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except OSError as e:
        raise SkyMapError(name, f"cannot be read: {e.strerror}") from None
    if content.startswith(b"SIMPLE"):
        return _from_fits(content, name)
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise SkyMapError(name, "is no MOC: neither FITS nor JSON nor ASCII") from None
    return from_json(text, name) if text.startswith("{") else from_ascii(text, name)


def from_ascii(text: str, name: str = "MOC") -> Ints:
    """Return the ranges of the ASCII form; commas may stand for spaces."""
    found, level = [], None
    for word in re.split(r"[\s,]+", re.sub(r"/\s+", "/ ", text.strip())):
        match = re.fullmatch(r"(?:s?(\d{1,2})/)?(?:(\d{1,19})(?:-(\d{1,19}))?)?", word)
        if match is None or (match[1] is None and level is None and word):
            raise SkyMapError(name, f"{word[:40]!r} is not a part of a MOC, as 3/5-7 is")
        if match[1] is not None:
            level = int(match[1])
            _check_level(level, name)
        if match[2] is not None and level is not None:
            first, last = int(match[2]), int(match[3] or match[2])
            if not first <= last < 12 * 4**level:
                raise SkyMapError(name, f"{word[:40]!r} are no cells of level {level}")
            shift = 2 * (DEEPEST - level)
            found.append((first << shift, (last + 1) << shift))
    if level is None:
        raise SkyMapError(name, "has no level, as 3/ is")
    return np.array(found, np.int64).reshape(-1, 2)


def from_json(value: str | Mapping[str, list[int]], name: str = "MOC") -> Ints:
    """Return the ranges of the JSON form, as text or once decoded."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as e:
            raise SkyMapError(name, f"is no JSON: {e}") from None
    if not isinstance(value, Mapping):
        raise SkyMapError(name, "is not an object of levels and their cells")
    found = [np.empty((0, 2), np.int64)]
    for key, cells in value.items():
        level = int(key) if re.fullmatch(r"\d{1,2}", str(key)) else -1
        _check_level(level, name, str(key))
        if not (isinstance(cells, list) and all(type(each) is int for each in cells)):
            raise SkyMapError(name, "is not a list of whole numbers", key)
        bad = [each for each in cells if not 0 <= each < 12 * 4**level]
        if bad:
            raise SkyMapError(name, f"{bad[0]} is no cell of the level", key)
        start = np.array(cells, np.int64) << (2 * (DEEPEST - level))
        found.append(np.stack([start, start + (1 << (2 * (DEEPEST - level)))], axis=-1))
    return np.concatenate(found)


def _from_fits(content: bytes, name: str) -> Ints:
    """Return the ranges of the FITS form: one column, of NUNIQ numbers or of starts and ends."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)
            with fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=False) as hdus:
                table = next((h for h in hdus if isinstance(h, fits.BinTableHDU)), None)
                if table is None:
                    raise SkyMapError(name, "has no table")
                header, columns = table.header, table.columns.names
                first = np.array(table.data.field(0))
    except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, AttributeError,
            fits.VerifyError, AstropyWarning) as e:
        raise SkyMapError(name, f"is not a FITS file that can be read: {e}") from None
    if len(columns) > 1:
        raise SkyMapError(name, f"has columns {', '.join(columns[:4])}: not a MOC but perhaps a sky"
                          " map, of which `gwbroker skymap moc` makes one")
    ordering = header.get("ORDERING")
    if ordering not in ("NUNIQ", "RANGE") or header.get("MOCDIM", "SPACE") != "SPACE":
        raise SkyMapError(name, f"ORDERING is {ordering!r}, of {header.get('MOCDIM', 'SPACE')!r};"
                          " only NUNIQ and RANGE of SPACE are read")
    if header.get("COORDSYS", "C") not in ("C", "ICRS"):
        raise SkyMapError(name, f"COORDSYS is {header['COORDSYS']!r}, only C (ICRS) is read")
    if first.ndim != 1 or first.dtype.kind not in "iu":
        raise SkyMapError(name, "is not of whole numbers", columns[0])
    if ordering == "RANGE":
        if len(first) % 2:
            raise SkyMapError(name, "the last range has no end", columns[0])
        return first.astype(np.int64).reshape(-1, 2)
    uniq = first.astype(np.int64)
    bad = (uniq < 4) | (uniq >= 4 ** (DEEPEST + 2))
    if bad.any():
        raise SkyMapError(name, f"{uniq[np.argmax(bad)]} in row {np.argmax(bad)} is no cell",
                          columns[0])
    cells = SkyMap(uniq, np.zeros(len(uniq)))
    return np.stack([cells.start, cells.start + (np.int64(1) << (2 * (DEEPEST - cells.level)))],
                    axis=-1)


def _check_level(level: int, name: str, key: str | None = None) -> None:
    if not 0 <= level <= DEEPEST:
        raise SkyMapError(name, f"{key or level} is not a level from 0 to {DEEPEST}")
