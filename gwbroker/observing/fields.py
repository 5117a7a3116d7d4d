"""Fields: where a telescope may point, and what each of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from ..skymap.multiorder import Floats, Ints
from .horizon import degrees, unit
from .telescopes import Telescope


@dataclass(frozen=True, eq=False)
class Fields:
    """Pointings of a telescope.

    Parameters
    ----------
    names : tuple of str
        What each is called.
    ra, dec : float64, shape (N,)
        Centres, degrees.
    """

    names: tuple[str, ...]
    ra: Floats
    dec: Floats

    def __len__(self) -> int:
        return len(self.ra)

    def take(self, chosen: npt.NDArray[np.bool_] | Ints) -> Fields:
        """Return some of them."""
        names = np.array(self.names, dtype=object)[chosen]
        return Fields(tuple(names), self.ra[chosen], self.dec[chosen])

    @cached_property
    def vectors(self) -> Floats:
        """Unit vectors of the centres, shape (N, 3)."""
        return unit(self.ra, self.dec)

    @cached_property
    def east(self) -> Floats:
        """Unit vectors to the east, shape (N, 3)."""
        a = np.radians(self.ra)
        return np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=-1)

    @cached_property
    def north(self) -> Floats:
        """Unit vectors to the north, shape (N, 3)."""
        return np.asarray(np.cross(self.vectors, self.east), np.float64)

    def hold(self, telescope: Telescope, vectors: Floats) -> csr_array:
        """Tell which directions each field holds: a sparse matrix of ones, shape (N, M)."""
        if len(vectors) == 0 or len(self) == 0:
            return csr_array((len(self), len(vectors)))
        chord = 2 * np.sin(telescope.reach / 2) * (1 + 1e-9) + 1e-12
        near = cKDTree(vectors).query_ball_point(self.vectors, chord, return_sorted=True)
        counts = np.fromiter((len(n) for n in near), np.int64, len(near))
        column = np.concatenate([np.asarray(n, np.int64) for n in near])
        row = np.repeat(np.arange(len(self)), counts)
        there = vectors[column]
        inside = telescope.inside(*(np.einsum("ij,ij->i", axis[row], there)
                                    for axis in (self.north, self.east, self.vectors)))
        row, column = row[inside], column[inside]
        return csr_array((np.ones(len(row)), (row, column)), shape=(len(self), len(vectors)))

    def outlines(self, telescope: Telescope) -> list[tuple[Floats, Floats]]:
        """Return the edge of each field as a polygon: right ascensions, declinations, degrees."""
        north, east = telescope.outline()
        edge = (self.vectors[:, np.newaxis] + north[:, np.newaxis] * self.north[:, np.newaxis]
                + east[:, np.newaxis] * self.east[:, np.newaxis])
        ra, dec = degrees(edge)
        return list(zip(ra, dec, strict=True))
