"""Facets: the values of cells as planes, each tilted as its neighbours say."""

from __future__ import annotations

import healpy as hp
import numpy as np
import numpy.typing as npt

from .multiorder import DEEPEST, Floats, Ints, SkyMap

STEP = 10.0
"""A ratio of densities from which on there is an edge between two cells."""


class Facets:
    """The values of a map's cells at points, without the corners and seams of cells.

    In each cell a value is a plane: through its own at its centre, tilted by least squares as
    those of the eight cells around it are, whose sizes may differ. So what is linear stays linear,
    also where the shape of cells changes, as at RA 0, 90, 180 and 270 degrees near the poles. No
    plane rises further above its cell's value than it falls below, nor beyond its neighbours:
    means are kept, and what is positive stays positive. A neighbour `STEP` times as dense, or that
    much less, lies beyond an edge, as that of the Earth's shadow, and does not count.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    cell : int64, shape (...)
        The cell of each point.
    vectors : float64, shape (..., 3)
        Unit vectors of the points.
    finest : float
        Narrower cells, rad, are taken as they are.
    """

    def __init__(
        self, skymap: SkyMap, cell: npt.NDArray[np.int64], vectors: Floats, finest: float,
    ) -> None:
        self._cell = cell
        seen = np.zeros(skymap.cells, np.bool_)
        seen[cell] = True
        self._tilted = np.flatnonzero(seen & (skymap.area > finest**2))
        number = np.full(skymap.cells, -1)
        number[self._tilted] = np.arange(len(self._tilted))
        found = number[cell]
        self._points = found >= 0
        self._facet = found[self._points]
        where = skymap.vectors[self._tilted]
        self._away = vectors[self._points] - where[self._facet]
        self._around = _neighbours(skymap, self._tilted)
        self._weights = _weights(where, skymap.vectors[self._around])

    def values(self, of_cells: Floats) -> Floats:
        """Return at each point what the cells have, one value each."""
        own, near = of_cells[self._tilted], of_cells[self._around]
        slope = np.einsum("nk,nkj->nj", near - own[:, np.newaxis], self._weights)
        room = np.maximum(np.minimum(near.max(axis=1) - own, own - near.min(axis=1)), 0)
        change = np.einsum("pj,pj->p", self._away, slope[self._facet])
        most = room[self._facet]
        found = np.asarray(of_cells[self._cell], np.float64)
        found[self._points] += np.clip(change, -most, most)
        return found


def _neighbours(skymap: SkyMap, cells: Ints) -> Ints:
    """Return the cells around cells, shape (N, 8), the cell itself where there is none."""
    level, ipix = skymap.level[cells], skymap.ipix[cells]
    beside = np.stack(hp.get_all_neighbours(2**level, ipix, nest=True), axis=-1)
    shift = 2 * (DEEPEST - level)[:, np.newaxis]
    # The pixel of the deepest level at the middle; where a neighbour is split, a part of it.
    middle = np.where(shift > 0, np.int64(3) << np.maximum(shift - 2, 0), 0)
    # Eight cells of each level have only seven neighbours.
    pixel = (np.where(beside < 0, ipix[:, np.newaxis], beside) << shift) + middle
    found = np.searchsorted(skymap.start, pixel, side="right") - 1
    own, theirs = skymap.probdensity[cells, np.newaxis], skymap.probdensity[found]
    alike = (theirs <= STEP * own) & (own <= STEP * theirs)
    return np.where(alike, found, cells[:, np.newaxis])


def _weights(where: Floats, around: Floats) -> Floats:
    """Return by what to multiply differences for the slope of a plane, shape (N, 8, 3)."""
    # Any two directions at right angles do; the axis nearest to none of them is well defined.
    aside = np.eye(3)[np.argmin(np.abs(where), axis=1)]
    first = np.cross(where, aside)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(where, first)
    away = around - where[:, np.newaxis]
    a, b = (np.einsum("nkj,nj->nk", away, axis) for axis in (first, second))
    square = a * a + b * b
    weight = np.where(square > 0, 1 / np.where(square > 0, square, 1), 0.0)
    aa, ab, bb = ((weight * each).sum(axis=1, keepdims=True) for each in (a * a, a * b, b * b))
    # With distances as weights, aa + bb is the number of neighbours.
    whole = aa * bb - ab * ab
    scale = np.where(whole > 1e-6, weight / np.where(whole > 1e-6, whole, 1), 0.0)
    return np.asarray(
        (scale * (bb * a - ab * b))[..., np.newaxis] * first[:, np.newaxis]
        + (scale * (aa * b - ab * a))[..., np.newaxis] * second[:, np.newaxis], np.float64)
