"""Catalogue: a folder of galaxies, one Parquet file for each HEALPix cell that has some."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SkyMapError
from .columns import SCHEMA

MANIFEST = "manifest.json"
"""The file that says what a catalogue is, and in which folder its galaxies are."""

VERSION = 1
"""Of what is in the folder; another one cannot be read."""


AGAIN = "add the catalogue again with `gwbroker catalogue add`"
"""What helps if files are not what they were."""


@dataclass(frozen=True)
class Partition:
    """The galaxies of one HEALPix cell.

    Parameters
    ----------
    pixel : int
        NESTED number of the cell at the catalogue's level.
    rows : int
        How many galaxies there are.
    path : Path
        The Parquet file, sorted by pixel.
    """

    pixel: int
    rows: int
    path: Path

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return some columns.

        Raises
        ------
        SkyMapError
            If the file is gone or damaged.
        """
        try:
            with pq.ParquetFile(self.path) as file:
                there = file.schema_arrow
                for name in columns:
                    if name not in there.names or there.field(name).type != SCHEMA.field(name).type:
                        raise SkyMapError(str(self.path), "is missing or of another type; "
                                          f"{AGAIN}", name)
                return file.read(list(columns), use_threads=False)
        except (OSError, pa.ArrowException) as e:
            raise SkyMapError(str(self.path), f"cannot be read: {e}; {AGAIN}") from e


@dataclass(frozen=True)
class Catalogue:
    """Galaxies by their place on the sky.

    Parameters
    ----------
    folder : Path
        Where it is.
    name : str
        What it is called.
    level : int
        HEALPix level of its partitions.
    partitions : tuple of Partition
        Its files, in the order of their cells; cells without a galaxy have none.
    manifest : mapping
        All that is known about it: columns, units, source, versions, what was left out.
    """

    folder: Path
    name: str
    level: int
    partitions: tuple[Partition, ...]
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Catalogue:
        """Open the catalogue in a folder.

        Raises
        ------
        SkyMapError
            If there is none, or one of another version.
        """
        place = Path(folder)
        try:
            manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise SkyMapError(str(place), "there is no catalogue here; make one with "
                              "`gwbroker catalogue add`") from None
        except (OSError, ValueError) as e:
            raise SkyMapError(str(place / MANIFEST), f"cannot be read: {e}") from e
        found = manifest.get("version") if isinstance(manifest, dict) else None
        if found != VERSION:
            raise SkyMapError(str(place / MANIFEST), f"has version {found}, this gwbroker reads "
                              f"{VERSION}; {AGAIN}")
        _check(str(place / MANIFEST), manifest)
        data, level = place / manifest["data"], manifest["level"]
        partitions = tuple(
            Partition(pixel, rows, partition_path(data, level, pixel))
            for pixel, rows in manifest["partitions"])
        return cls(place, manifest["name"], level, partitions, manifest)

    @property
    def data(self) -> Path:
        """The folder of its galaxies."""
        return self.folder / str(self.manifest["data"])

    @contextmanager
    def reading(self) -> Iterator[Catalogue]:
        """Keep the galaxies where they are while they are read, also if others are added.

        Yields this catalogue or, if it has been replaced since it was opened, the one that is in
        its place. Whoever replaces it then leaves these galaxies to be taken away another time.

        Raises
        ------
        SkyMapError
            If the galaxies are gone.
        """
        found = self
        for _ in range(10):
            with _locked(found.data) as there:
                if there:
                    yield found
                    return
            found = Catalogue.open(self.folder)
        raise SkyMapError(str(found.data), f"is gone; {AGAIN}")

    @property
    def rows(self) -> int:
        """The number of galaxies."""
        return sum(partition.rows for partition in self.partitions)

    @property
    def digest(self) -> str:
        """SHA-256 of what it was made from and how: the same one means the same galaxies."""
        return str(self.manifest["digest"])

    def touching(self, start: np.ndarray[Any, Any], level: int) -> tuple[Partition, ...]:
        """Return the partitions that have a part in some cells.

        Parameters
        ----------
        start : int64, shape (N, 2)
            Ranges of NESTED pixel numbers, each first and one past the last, sorted.
        level : int
            At which level they are counted.
        """
        pixels = np.array([p.pixel for p in self.partitions], np.int64)
        shift = 2 * (level - self.level)
        first, last = pixels << shift, (pixels + 1) << shift
        # Of the ranges that begin before the end of a partition, does the last one reach it?
        before = np.searchsorted(start[:, 0], last)
        reach = np.concatenate([[np.int64(-1)], np.maximum.accumulate(start[:, 1])])[before]
        return tuple(p for p, hit in zip(self.partitions, reach > first, strict=True) if hit)


@contextmanager
def _locked(data: Path) -> Iterator[bool]:
    """Hold a lock, shared with other readers, on a folder of galaxies; yield if it is there."""
    try:
        handle = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield False
        return
    try:
        # On a file system without locks readers are not protected.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield data.is_dir()
    finally:
        os.close(handle)


def _check(source: str, manifest: dict[str, Any]) -> None:
    """Refuse a manifest that nobody here has written."""
    for key, kind in (("name", str), ("digest", str), ("format", str), ("data", str),
                      ("level", int), ("rows", int), ("without_distance", int), ("band", str),
                      ("partitions", list), ("left_out", list), ("given", dict),
                      ("source", dict), ("versions", dict)):
        if type(manifest.get(key)) is not kind:
            raise SkyMapError(source, f"is not what it should be; {AGAIN}", key)
    data, level = manifest["data"], manifest["level"]
    # Nothing outside the catalogue's folder is read or taken away.
    if not data.startswith("data-") or "/" in data or "\\" in data or "\0" in data:
        raise SkyMapError(source, f"{data[:60]!r} is no folder of galaxies; {AGAIN}", "data")
    if not 0 <= level <= 29:
        raise SkyMapError(source, f"{level} is no HEALPix level; {AGAIN}", "level")
    for each in manifest["partitions"]:
        if not (isinstance(each, list) and len(each) == 2 and all(type(v) is int for v in each)
                and 0 <= each[0] < 12 * 4**level):
            raise SkyMapError(source, f"{each!r:.60} is no partition; {AGAIN}", "partitions")
    for name in SCHEMA.names:
        if type(manifest["given"].get(name)) is not int:
            raise SkyMapError(source, f"does not say how many galaxies have {name}; {AGAIN}",
                              "given")


def partition_path(data: Path, level: int, pixel: int) -> Path:
    """Return where the galaxies of a cell are."""
    return data / f"Norder={level}" / f"Npix={pixel}.parquet"


def listing(home: str | os.PathLike[str]) -> Iterator[Catalogue]:
    """Yield the catalogues in a folder, by name.

    Raises
    ------
    SkyMapError
        If one of them cannot be read.
    """
    place = Path(home)
    if not place.is_dir():
        return
    for folder in sorted(place.iterdir()):
        if (folder / MANIFEST).is_file():
            yield Catalogue.open(folder)
