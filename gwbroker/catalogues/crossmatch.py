"""Crossmatch: the galaxies in a map's credible region, ranked, from the partitions that it has."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..errors import SkyMapError
from ..skymap.multiorder import DEEPEST, Ints, SkyMap
from . import completeness, provenance
from .best import Best
from .catalogue import Catalogue, Partition
from .columns import UNITS
from .density import Density
from .tables import Table

RANKS = {"luminosity": "luminosity", "mass": "mass", "probability": None}
"""By what galaxies are ranked, and the column with which the density is multiplied."""

def ranks(catalogue: Catalogue) -> tuple[str, ...]:
    """Return what a catalogue can be ranked by, the most telling first."""
    given = catalogue.manifest["given"]
    return tuple(rank for rank, column in RANKS.items() if column is None or given[column])


NEEDED = ("pixel", "distance", "distance_error")
SHOWN = ("name", "ra", "dec", "distance", "distance_error", "redshift", "luminosity", "mass")


@dataclass(frozen=True)
class Ranking:
    """The galaxies in a credible region, the best first.

    Parameters
    ----------
    table : Table
        One row each, with `provenance`; see `crossmatch` for the columns.
    inside : int
        How many galaxies are in the region.
    ranked : int
        How many of them have what they are ranked by.
    without_distance : int
        Galaxies in the region on the sky that are not ranked for want of a distance.
    read : int
        How many galaxies were looked at; the others are far from the region.
    completeness : float, optional
        See `completeness.completeness`.
    """

    table: Table
    inside: int
    ranked: int
    without_distance: int
    read: int
    completeness: float | None


def crossmatch(
    skymap: SkyMap,
    catalogue: Catalogue,
    *,
    level: float = 0.9,
    rank: str = "luminosity",
    top: int | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Ranking:
    """Rank the galaxies in a map's credible region.

    Only those partitions of the catalogue are read in which the region has a part. With `top`
    the memory that is needed does not depend on the size of the catalogue or the region.

    The score is S = p L, S = p M or S = p, with the probability per volume p at the galaxy,
    averaged over the error of its own distance (see `Density`), its luminosity L and stellar
    mass M, divided by the sum over all ranked galaxies (S_loc S_lum of gwemopt: Coughlin et al.
    2018, MNRAS 478, 692; S_loc S_mass of Ducoin et al. 2020, MNRAS 492, 4768, without their
    term for galaxies of unknown mass, which are not ranked here but counted). It is not the
    probability to be the host: galaxies that the catalogue lacks have none of it. For a map
    without distances p is per steradian.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    catalogue : Catalogue
        The galaxies.
    level : float
        Probability of the region: in space, or on the sky for a map without distances. With 1
        all galaxies are ranked.
    rank : {"luminosity", "mass", "probability"}
        What p is multiplied with.
    top : int, optional
        Only return so many, the best; sums are of all.
    threads : int, optional
        How many partitions are read at a time; by default one on each core.
    progress : callable, optional
        Told how much is done, between 0 and 1.

    Returns
    -------
    Ranking
        Its table has ``rank``, what the catalogue has of each galaxy, ``credible_level`` (on
        the sky), ``credible_level_3d`` (at its distance), ``density`` (sr-1), ``density_3d``
        (Mpc-3, averaged), ``score`` and ``cumulative``, the sum of scores.

    Raises
    ------
    SkyMapError
        If a parameter makes no sense or the catalogue cannot be read.
    """
    if not 0 < level <= 1:
        raise SkyMapError("level", f"{level:g} is not between 0 and 1")
    if rank not in RANKS:
        raise SkyMapError("rank", f"{rank!r} is not known; there are {', '.join(RANKS)}")
    if top is not None and top < 1:
        raise SkyMapError("top", f"{top} galaxies cannot be returned")
    with catalogue.reading() as held:
        return _ranking(held, Density(skymap, level), rank, top, threads or _cores(), progress)


def _ranking(
    catalogue: Catalogue, density: Density, rank: str, top: int | None, threads: int,
    progress: Callable[[float], None] | None,
) -> Ranking:
    """Match a catalogue, and keep the best."""
    skymap = density.skymap
    best = Best(top)
    read = inside = without_distance = 0
    weight = 0.0
    partitions = catalogue.touching(_ranges(skymap, density.inside), DEEPEST)
    match = _Match(density, RANKS[rank])
    for done, found in enumerate(_each(match, partitions, threads), 1):
        best.add(found.place, found.score)
        inside += found.inside
        weight += found.weight
        read += found.read
        without_distance += found.without_distance
        if progress:
            progress(done / len(partitions))
    if not best.ranked and inside and RANKS[rank]:
        raise SkyMapError(
            catalogue.name, f"none of the {inside:,} galaxies in the region has it; rank by "
            f"{' or '.join(r for r in RANKS if r != rank)}", rank)
    filled = (completeness.completeness(density, catalogue, weight)
              if rank == "luminosity" else None)
    about = {
        **provenance.of(skymap), **provenance.of_catalogue(catalogue),
        "dimensions": 3 if density.volume else 2, "level": density.level, "rank": rank,
        # A sum of probabilities that are rounded may exceed one.
        "distance_known": min(density.volume.known, 1.0) if density.volume else 0.0,
        "inside": inside, "ranked": best.ranked, "without_distance": without_distance,
        "completeness": filled}
    table = Table(_columns(density, partitions, best), _UNITS, about)
    return Ranking(table, inside, best.ranked, without_distance, read, filled)


_UNITS = {**{n: UNITS[n] for n in SHOWN if UNITS[n]}, "density": "sr-1", "density_3d": "Mpc-3"}


@dataclass(frozen=True)
class _Found:
    """What a partition has: places (partition, row) and scores of galaxies, and sums."""

    place: Ints
    score: npt.NDArray[np.float64]
    inside: int
    weight: float
    read: int
    without_distance: int


class _Match:
    """Matches one partition with a map."""

    def __init__(self, density: Density, weight: str | None) -> None:
        self.density, self.weight = density, weight

    def __call__(self, number: int, partition: Partition) -> _Found:
        names = [*NEEDED, *([self.weight] if self.weight else [])]
        table = partition.read(names)
        column = {name: table[name].to_numpy() for name in names}
        cell = cells_of_sorted(self.density.skymap.start, column["pixel"])
        distance, error = column["distance"], column["distance_error"]
        row = self.density.near(cell, distance, error)
        log, inside = self.density.at(
            cell[row], distance[row].astype(np.float64), error[row].astype(np.float64))
        row, log = row[inside], log[inside]
        score = np.exp(log)
        weight = 0.0
        if self.weight:
            weights = column[self.weight][row].astype(np.float64)
            weight = float(np.nansum(weights))
            score *= weights
        lacking = 0
        if self.density.volume is not None:
            lacking = int((np.isnan(distance) & (
                self.density.levels[cell] <= self.density.level)).sum())
        ranked = score > 0
        place = np.stack([np.full(len(row), number), row], axis=1)[ranked]
        return _Found(place, score[ranked], len(row), weight, partition.rows, lacking)


def _columns(
    density: Density, partitions: tuple[Partition, ...], best: Best,
) -> dict[str, npt.NDArray[Any]]:
    """Return all that is known about the best galaxies."""
    place, score = best.sorted()
    order = np.argsort(place[:, 0], kind="stable")
    numbers, first = np.unique(place[order, 0], return_index=True)
    parts = [partitions[n].read(["pixel", *SHOWN]).take(pa.array(place[rows, 1]))
             for n, rows in zip(numbers, np.split(order, first[1:]), strict=False)]
    back = np.argsort(order, kind="stable")
    shown: dict[str, npt.NDArray[Any]] = {}
    for name in ("pixel", *SHOWN):
        values = [part[name].to_numpy() for part in parts]
        shown[name] = (np.concatenate(values) if values else np.zeros(0))[back]
    shown["name"] = shown["name"].astype(object)
    cell = density.skymap.find(shown["ra"], shown["dec"])
    distance = shown["distance"].astype(np.float64)
    total = best.total or 1.0
    found = {"rank": np.arange(1, len(score) + 1), **{n: shown[n] for n in SHOWN},
             "credible_level": density.levels[cell],
             "density": density.skymap.probdensity[cell]}
    if density.volume is not None:
        mean, _ = density.at(cell, distance, shown["distance_error"].astype(np.float64))
        found["credible_level_3d"] = density.volume.levels(cell, distance)
        found["density_3d"] = np.exp(mean)
    return {**found, "score": score / total, "cumulative": np.cumsum(score) / total}


def cells_of_sorted(start: Ints, pixel: Ints) -> Ints:
    """Return the cell of each of some sorted pixels, given where the cells start."""
    if len(pixel) == 0:
        return np.zeros(0, np.int64)
    first, last = (int(i) - 1 for i in np.searchsorted(start, pixel[[0, -1]], side="right"))
    if last - first > len(pixel):
        return np.asarray(np.searchsorted(start, pixel, side="right") - 1, np.int64)
    cuts = np.searchsorted(pixel, start[first + 1 : last + 1])
    counts = np.diff(np.concatenate([[0], cuts, [len(pixel)]]))
    return np.repeat(np.arange(first, last + 1), counts)


def _ranges(skymap: SkyMap, inside: npt.NDArray[np.bool_]) -> Ints:
    """Return the ranges of level-29 pixels of some cells."""
    start = skymap.start[inside]
    return np.stack([start, start + (np.int64(1) << (2 * (DEEPEST - skymap.level[inside])))], 1)


def _each(
    match: _Match, partitions: Iterable[Partition], threads: int,
) -> Iterator[_Found]:
    """Match partitions in several threads, and yield what is found in their order."""
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[_Found]] = deque()
        for number, partition in enumerate(partitions):
            running.append(pool.submit(match, number, partition))
            # Not more are read than are needed soon: memory is bounded.
            if len(running) > 2 * threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
