"""Adding a catalogue: a file is read in batches and appears as a catalogue, whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from .. import __version__
from ..errors import SkyMapError
from ..skymap.atomic import write_whole
from . import cosmology, units
from .catalogue import MANIFEST, VERSION, Catalogue
from .clean import LINE, Cleaner
from .columns import KEPT
from .layouts import layout
from .sorting import Spill
from .sources import Source, open_source

Progress = Callable[[str, float], None]
"""Told what is done now, and how much of it, between 0 and 1."""

TEMPORARY = ".adding-"
"""How the folders begin that a process makes while it adds; leftovers are taken away."""


def add(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    format: str = "table",
    name: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    ra_unit: str | None = None,
    progress: Progress | None = None,
) -> tuple[Catalogue, bool]:
    """Make a catalogue of a file; return it, and whether it is new.

    The file is read in batches, never as a whole. Until all is done, a catalogue that was in
    the folder stays as it was. The same file added in the same way again changes nothing.

    Parameters
    ----------
    path : path-like
        The file: text, FITS or Parquet, also in gzip.
    folder : path-like
        Where the catalogue shall be; it is made if need be.
    format : {"glade+", "ned-lvs", "table"}
        What the file is.
    name : str, optional
        What the catalogue is called; by default as its folder.
    columns : mapping, optional
        Where the file has what is kept, as ``{"ra": "RAJ2000"}``; see `columns.GIVEN`.
    ra_unit : {"deg", "hour"}, optional
        Unit of the right ascension; by default what the file says, or degrees. What other columns
        say that they are in is converted as well.
    progress : callable, optional
        Told what is done, and how much of it.

    Raises
    ------
    SkyMapError
        If the file cannot be used, or the catalogue cannot be written.
    """
    source, target = Path(path), Path(folder)
    wanted = layout(format, columns)
    tell = progress or (lambda what, done: None)
    with open_source(source, wanted) as opened:
        found = wanted.find(str(source), opened.columns)
        said = units.stated(found, opened.units, ra_unit)
        clean = Cleaner(found, units.scales(str(source), found, said))
        key = {"version": VERSION, "format": format, "units": said, "columns": found.columns,
               "sha256": _sha256(source, tell), "gwbroker": __version__}
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        with _writing(target):
            old = _existing(target)
            if old is not None and old.digest == digest:
                return old, False
            with tempfile.TemporaryDirectory(dir=target, prefix=TEMPORARY) as scratch:
                about = {"name": name or target.name, "digest": digest, "sha256": key["sha256"],
                         "units": said}
                manifest = _build(source, opened, clean, Path(scratch), about, tell)
                _replace(target, Path(scratch), manifest)
    return Catalogue.open(target), True


def _build(
    path: Path, source: Source, clean: Cleaner, scratch: Path, about: dict[str, Any],
    tell: Progress,
) -> dict[str, Any]:
    """Read the file and write the partitions; return the manifest."""
    found = clean.layout
    texts = found.columns.get("name", ())
    numbers = [c for c in found.wanted if c not in texts]
    with Spill(scratch / "spill") as spill:
        for batch in source.read(numbers, texts):
            spill.add(clean(batch))
            tell("reading", batch.done)
        spill.close()
        _judge(str(path), clean, about["units"])
        level, partitions = spill.partitions(scratch / "data", lambda d: tell("sorting", d))
    return {
        "version": VERSION, "name": about["name"], "format": found.name,
        "digest": about["digest"], "data": f"data-{about['digest'][:16]}", "level": level,
        "rows": clean.kept, "without_distance": clean.kept - clean.given["distance"],
        "given": clean.given,
        "left_out": [asdict(r) for r in clean.rejected.values()],
        "source": {"file": path.name, "bytes": path.stat().st_size, "sha256": about["sha256"],
                   "rows": clean.read, "columns": {k: list(v) for k, v in found.columns.items()},
                   "units": about["units"]},
        "band": found.band, "cosmology": cosmology.NAME,
        "columns": [{"name": c.name, "unit": c.unit, "type": str(c.type), "meaning": c.meaning}
                    for c in KEPT],
        "versions": versions(), "partitions": partitions}


def _judge(source: str, clean: Cleaner, said: Mapping[str, str]) -> None:
    """Refuse a file of which little is left, and right ascensions in hours.

    Raises
    ------
    SkyMapError
        Naming the column and what is wrong with it.
    """
    worst = max(clean.rejected.values(), key=lambda r: r.rows, default=None)
    bad = clean.read - clean.kept
    if worst is not None and 2 * clean.kept <= clean.read:
        if worst.column == LINE:
            raise SkyMapError(source, f"{worst.rows:,} of {clean.read:,} lines have too few or too "
                              "many columns")
        total = "" if bad == worst.rows else f", and {bad:,} rows in all cannot be used"
        raise SkyMapError(
            source, f"{worst.reason} in {worst.rows:,} of {clean.read:,} rows (first: "
            f"{worst.first}){total}; is it the right column, and the right --format?",
            worst.column)
    if clean.kept == 0:
        raise SkyMapError(source, "has no rows")
    column = clean.layout.columns["ra"][0]
    if column not in said:
        units.refuse_hours(source, column, clean.kept, clean.ra, clean.dec)


def _replace(target: Path, scratch: Path, manifest: dict[str, Any]) -> None:
    """Let the new catalogue take the place of the old one, in one step: its manifest."""
    data = target / manifest["data"]
    shutil.rmtree(data, ignore_errors=True)
    os.replace(scratch / "data", data)
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    write_whole(target / MANIFEST, text.encode())
    _tidy(target, data.name)


def _tidy(target: Path, keep: str) -> None:
    """Take away what an interrupted process left, and the galaxies of older catalogues."""
    for old in target.iterdir():
        if old.name.startswith((TEMPORARY, "data-")) and old.name != keep:
            _take_away(old)


def _take_away(folder: Path) -> None:
    """Remove a folder, unless somebody is reading it; then the next one who adds does it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            # A file system without locks.
            pass
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def _existing(target: Path) -> Catalogue | None:
    """Return the catalogue that is in a folder, if it can be read and is complete."""
    try:
        found = Catalogue.open(target)
    except SkyMapError:
        return None
    _tidy(target, found.manifest["data"])
    return found if all(p.path.is_file() for p in found.partitions) else None


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Keep others from writing into a folder, and say in one sentence why writing failed."""
    try:
        fresh = not target.exists()
        target.mkdir(parents=True, exist_ok=True)
        if not fresh and not (target / MANIFEST).exists() and any(
                not f.name.startswith((".", "data-")) for f in target.iterdir()):
            raise SkyMapError(str(target), "has files that are no catalogue; choose another place")
        with open(target / ".lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SkyMapError(str(target), "another process is adding a catalogue here; "
                                  "wait until it is done") from None
            try:
                yield
            finally:
                # While the lock is held: afterwards it may be somebody else's.
                if fresh and not (target / MANIFEST).exists():
                    shutil.rmtree(target, ignore_errors=True)
    except (OSError, pa.ArrowException) as e:
        raise SkyMapError(str(target), f"cannot be written: {_reason(e)}; what was there before "
                          "is unchanged") from e


def _reason(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def _sha256(path: Path, tell: Progress) -> str:
    digest, size, done = hashlib.sha256(), max(path.stat().st_size, 1), 0
    with open(path, "rb") as f:
        while piece := f.read(8 * 1024**2):
            digest.update(piece)
            done += len(piece)
            tell("checking", done / size)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what makes numbers here."""
    import astropy
    import healpy
    import numpy

    return {"gwbroker": __version__, "numpy": numpy.__version__, "healpy": healpy.__version__,
            "astropy": astropy.__version__, "pyarrow": pa.__version__}
