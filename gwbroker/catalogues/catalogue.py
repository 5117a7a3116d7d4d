"""Catalogue: a folder of galaxies, one Parquet file for each HEALPix cell that has some."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SkyMapError

MANIFEST = "manifest.json"
"""The file that says what a catalogue is, and in which folder its galaxies are."""

VERSION = 1
"""Of what is in the folder; another one cannot be read."""


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
                return file.read(list(columns), use_threads=False)
        except (OSError, pa.ArrowException) as e:
            raise SkyMapError(str(self.path), f"cannot be read: {e}. Add the catalogue again "
                              "with `gwbroker catalogue add`") from e


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
                              f"{VERSION}; add the catalogue again")
        data, level = place / manifest["data"], int(manifest["level"])
        partitions = tuple(
            Partition(pixel, rows, partition_path(data, level, pixel))
            for pixel, rows in manifest["partitions"])
        return cls(place, manifest["name"], level, partitions, manifest)

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
