"""Sorting: galaxies in any order become sorted partitions, a part of the sky at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..skymap.multiorder import DEEPEST
from .catalogue import partition_path
from .columns import SCHEMA

SPILL_LEVEL = 1
"""The sky is sorted in 48 parts, each in memory as a whole: 500,000 galaxies of GLADE+."""

PER_PARTITION = 30_000
"""About how many galaxies a partition has."""

DEEPEST_PARTITIONS = 5
"""Deepest level of partitions: 12,288 files."""


class Spill:
    """Galaxies on disk, in files for large parts of the sky, in the order in which they came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self._stack = ExitStack()
        self._files: dict[int, pa.RecordBatchWriter] = {}
        folder.mkdir()

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish writing."""
        self._stack.close()

    def add(self, galaxies: pa.RecordBatch) -> None:
        """Put some galaxies aside."""
        if not galaxies.num_rows:
            return
        part = galaxies["pixel"].to_numpy() >> (2 * (DEEPEST - SPILL_LEVEL))
        order = np.argsort(part, kind="stable")
        cells, first = np.unique(part[order], return_index=True)
        for cell, rows in zip(cells.tolist(), np.split(order, first[1:]), strict=True):
            if cell not in self._files:
                file = self._stack.enter_context(pa.OSFile(str(self._path(cell)), "wb"))
                self._files[cell] = self._stack.enter_context(pa.ipc.new_stream(file, SCHEMA))
            self._files[cell].write_batch(galaxies.take(pa.array(rows)))
        self.rows += galaxies.num_rows

    def _path(self, cell: int) -> Path:
        return self.folder / f"{cell}.arrow"

    def partitions(
        self, data: Path, progress: Callable[[float], None],
    ) -> tuple[int, list[tuple[int, int]]]:
        """Write the partitions; return their level, and the number of each and its galaxies."""
        level = partition_level(self.rows)
        (data / f"Norder={level}").mkdir(parents=True)
        written: list[tuple[int, int]] = []
        done = 0
        for cell in sorted(self._files):
            with pa.OSFile(str(self._path(cell))) as file, pa.ipc.open_stream(file) as stream:
                galaxies = stream.read_all()
            for pixel, part in _split(galaxies, level):
                _write(part, partition_path(data, level, pixel))
                written.append((pixel, part.num_rows))
            self._path(cell).unlink()
            done += galaxies.num_rows
            progress(done / self.rows)
        return level, written


def partition_level(rows: int) -> int:
    """Return the level at which the partitions of so many galaxies have a handy size."""
    level = SPILL_LEVEL
    while level < DEEPEST_PARTITIONS and rows > 12 * 4**level * PER_PARTITION * 2:
        level += 1
    return level


def _split(galaxies: pa.Table, level: int) -> Iterator[tuple[int, pa.Table]]:
    """Yield the cells at a level and their galaxies, sorted by pixel; equal ones as they came."""
    pixel = galaxies["pixel"].to_numpy()
    order = np.argsort(pixel, kind="stable")
    cells, first = np.unique(pixel[order] >> (2 * (DEEPEST - level)), return_index=True)
    for cell, rows in zip(cells.tolist(), np.split(order, first[1:]), strict=True):
        yield cell, galaxies.take(pa.array(rows)).combine_chunks()


def _write(galaxies: pa.Table, path: Path) -> None:
    # Numbers that are read for every map are kept as they are in memory; names are packed.
    packed = {name: "zstd" if name == "name" else "none" for name in galaxies.column_names}
    pq.write_table(galaxies, path, compression=packed, use_dictionary=False,
                   write_statistics=["pixel"])
