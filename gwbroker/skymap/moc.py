"""Moc: a region of the sky as a list of HEALPix cells, whatever map or footprint it is from.

Multi-Order Coverage maps are an IVOA standard: Fernique et al. (2022), version 2.0.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import healpy as hp
import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from . import cover, mocfile
from .bounds import check_sphere
from .multiorder import DEEPEST, SQUARE_DEGREE, Ints, SkyMap, uniq_of
from .ranking import check_levels, ranking

Mask = npt.NDArray[np.bool_]

PIXELS = 12 * 4**DEEPEST
"""The number of pixels of the sky at level 29."""


@dataclass(frozen=True, eq=False)
class Moc:
    """A region of the sky.

    Parameters
    ----------
    ranges : int64, shape (N, 2)
        NESTED pixels at level 29, from the first to before the last. They are sorted, and
        those that touch or overlap are joined.

    Raises
    ------
    SkyMapError
        If a range is empty, backwards or not on the sky.
    """

    ranges: Ints

    def __post_init__(self) -> None:
        ranges = np.asarray(self.ranges, np.int64).reshape(-1, 2)
        bad = (ranges[:, 0] < 0) | (ranges[:, 0] >= ranges[:, 1]) | (ranges[:, 1] > PIXELS)
        if bad.any():
            start, end = ranges[np.argmax(bad)]
            raise SkyMapError("ranges", f"from {start} to before {end} are no pixels of level 29")
        joined = _joined(ranges)
        joined.flags.writeable = False
        object.__setattr__(self, "ranges", joined)

    @classmethod
    def empty(cls) -> Moc:
        """Return the region of nothing."""
        return cls(np.empty((0, 2), np.int64))

    @classmethod
    def whole_sky(cls) -> Moc:
        """Return the region of everything."""
        return cls(np.array([[0, PIXELS]]))

    @classmethod
    def of_level(cls, skymap: SkyMap, level: float) -> Moc:
        """Return the region of a credible level: the fewest densest cells with the probability.

        The last cell counts as a whole, so that the region holds at least the level; its area
        is that of `credible_areas` or less than one cell more.

        Parameters
        ----------
        skymap : SkyMap
            The map.
        level : float
            From 0 (no cell) to 1.

        Raises
        ------
        SkyMapError
            If the level is not between 0 and 1.
        """
        cells = ranking(skymap).within(float(check_levels(level)))
        return cls.of_cells(skymap.level[cells], skymap.ipix[cells])

    @classmethod
    def of_cells(cls, level: Ints, ipix: Ints) -> Moc:
        """Return the region of some cells, in any order, which may overlap."""
        shift = 2 * (DEEPEST - np.asarray(level, np.int64))
        start = np.asarray(ipix, np.int64) << shift
        return cls(np.stack([start, start + (np.int64(1) << shift)], axis=-1))

    @classmethod
    def from_cone(cls, ra: float, dec: float, radius: float, level: int | None = None) -> Moc:
        """Return the region within an angle of a position.

        Cells wholly inside are as large as can be. Along the edge, cells of the finest level
        belong to it if their centres do: the area is right on average, neither the least nor
        the greatest.

        Parameters
        ----------
        ra, dec, radius : float
            Degrees; a radius from 1e-6 to 180.
        level : int, optional
            The finest level, from 0 to 29; by default with cells of a hundredth of the radius.

        Raises
        ------
        SkyMapError
            If a value is out of bounds, or the edge would need more than a million cells.
        """
        return cls.of_cells(*cover.cone(ra, dec, radius, level))

    @classmethod
    def from_polygon(
        cls, corners: Iterable[tuple[float, float]], level: int | None = None,
    ) -> Moc:
        """Return the region inside a polygon whose sides are great circles.

        As with `from_cone`, cells along the edge belong to it if their centres do.

        Parameters
        ----------
        corners : iterable of (float, float)
            Right ascension and declination in their order around the polygon, degrees.
        level : int, optional
            The finest level, from 0 to 29; by default with cells of a hundredth of the size.

        Raises
        ------
        SkyMapError
            If sides cross, the polygon has no area or is wider than 150 degrees.
        """
        return cls.of_cells(*cover.polygon(corners, level))

    def union(self, *others: Moc) -> Moc:
        """Return what is in any."""
        return Moc(np.concatenate([self.ranges, *(each.ranges for each in others)]))

    def intersection(self, other: Moc) -> Moc:
        """Return what is in both."""
        return Moc(_where(self.ranges, other.ranges, lambda a, b: a & b))

    def difference(self, other: Moc) -> Moc:
        """Return what is in this one and not in the other."""
        return Moc(_where(self.ranges, other.ranges, lambda a, b: a & ~b))

    def complement(self) -> Moc:
        """Return what is not in it."""
        return Moc.whole_sky().difference(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moc) and np.array_equal(self.ranges, other.ranges)

    def __hash__(self) -> int:
        return hash(self.ranges.tobytes())

    @property
    def area(self) -> float:
        """Square degrees."""
        pixels = float((self.ranges[:, 1] - self.ranges[:, 0]).sum())
        return float(pixels / PIXELS * 4 * np.pi * SQUARE_DEGREE)

    @cached_property
    def cells(self) -> tuple[Ints, Ints]:
        """Level and ipix of the fewest cells that are the region, coarsest first."""
        levels, pixels = [], []
        left = self.ranges
        for level in range(DEEPEST + 1):
            if not len(left):
                break
            shift = np.int64(2 * (DEEPEST - level))
            first, last = -(-left[:, 0] >> shift), left[:, 1] >> shift
            whole = first < last
            number = np.where(whole, last - first, 0)
            pixel = np.repeat(first - (np.cumsum(number) - number), number) + np.arange(
                number.sum())
            levels.append(np.full(len(pixel), level, np.int64))
            pixels.append(pixel)
            parts = np.concatenate([
                left[~whole],
                np.stack([left[whole, 0], first[whole] << shift], axis=-1),
                np.stack([last[whole] << shift, left[whole, 1]], axis=-1)])
            left = parts[parts[:, 0] < parts[:, 1]]
        if not levels:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        level_of, ipix = np.concatenate(levels), np.concatenate(pixels)
        order = np.lexsort((ipix, level_of))
        return level_of[order], ipix[order]

    @property
    def uniq(self) -> Ints:
        """NUNIQ numbers of the fewest cells that are the region."""
        return uniq_of(*self.cells)

    @property
    def max_level(self) -> int:
        """The deepest level in use; 0 for nothing."""
        return int(self.cells[0].max(initial=0))

    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> Mask:
        """Tell which positions (degrees) are inside.

        Raises
        ------
        SkyMapError
            If a position is not on the sphere.
        """
        pixel = hp.ang2pix(2**DEEPEST, *check_sphere(ra, dec), nest=True, lonlat=True)
        after = np.searchsorted(self.ranges.ravel(), pixel, side="right")
        return np.asarray(after % 2 == 1)

    def to_ascii(self) -> str:
        """Return the IVOA's ASCII form, as ``1/3 5-7 2/64``; an empty one is ``0/``."""
        return mocfile.to_ascii(*self.cells)

    def to_json(self) -> str:
        """Return the IVOA's JSON form, as ``{"1": [3, 5, 6, 7], "2": [64]}``."""
        return mocfile.to_json(*self.cells)

    def to_fits(self) -> bytes:
        """Return the IVOA's FITS form: a table of NUNIQ numbers."""
        return mocfile.to_fits(*self.cells)

    def write_fits(self, path: str | os.PathLike[str]) -> None:
        """Write the IVOA's FITS form, a table of NUNIQ numbers; the file appears whole."""
        self.write(path, "fits")

    def write(self, path: str | os.PathLike[str], form: str | None = None) -> None:
        """Write a file by its suffix: ``.fits``, ``.json`` or ``.txt``.

        Raises
        ------
        SkyMapError
            If the suffix is none of these.
        """
        mocfile.write(path, *self.cells, form=form)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Moc:
        """Read any of the three forms, found out by the content.

        Raises
        ------
        SkyMapError
            Naming the file, and what is wrong with it.
        """
        return cls(mocfile.read(path))

    @classmethod
    def from_ascii(cls, text: str) -> Moc:
        """Return the region of the ASCII form."""
        return cls(mocfile.from_ascii(text))

    @classmethod
    def from_json(cls, value: str | Mapping[str, list[int]]) -> Moc:
        """Return the region of the JSON form, as text or once decoded."""
        return cls(mocfile.from_json(value))


def _joined(ranges: Ints) -> Ints:
    """Return ranges in order, those that touch or overlap joined."""
    if not len(ranges):
        return ranges.copy()
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ranges[:, 1])
    first = np.flatnonzero(np.append(True, ranges[1:, 0] > reach[:-1]))
    last = np.append(first[1:], len(ranges)) - 1
    return np.stack([ranges[first, 0], reach[last]], axis=-1)


def _where(a: Ints, b: Ints, rule: Callable[[Mask, Mask], Mask]) -> Ints:
    """Return the ranges where a rule on being in a and in b holds."""
    edges = np.unique(np.concatenate([a.ravel(), b.ravel()]))
    if len(edges) < 2:
        return np.empty((0, 2), np.int64)
    inside = (np.searchsorted(each.ravel(), edges[:-1], side="right") % 2 == 1 for each in (a, b))
    kept = rule(*inside)
    return np.stack([edges[:-1][kept], edges[1:][kept]], axis=-1)
