"""Clouds: a map with distances as points in space, to be seen from any side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.ndimage import gaussian_filter

from . import distances
from .mesh import cell_size
from .multiorder import DEEPEST, Floats, Ints, SkyMap, centres, uniq_of
from .projection import to_vectors
from .regions import densest_first

SHELLS = 160
"""Distances at which each direction has a point."""

COARSEST = 5
"""Level of the largest cells; larger ones are split, so that distances are told apart."""

LEAST, MOST = 8000, 30_000
"""About how many directions a cloud has; fewer are split, more are joined."""

BATCH = 1000

SCATTER = 1.0
"""How far around its direction the points of a cell are, in widths of the cell."""

BLUR = 1.6
"""Smoothing of a projection, points of its grid, so that no single points are seen."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points in space with the probability that each stands for.

    Parameters
    ----------
    vectors : float64, shape (M, 3)
        Unit vectors.
    prob : float64, shape (M,)
        Probability of each direction; their sum is one.
    mu, sigma, norm : float64, shape (M,)
        The distance ansatz of each direction.
    size : float64, shape (M,)
        Width of each direction's cell, rad; of one that was split, that of the whole.
    """

    vectors: Floats
    prob: Floats
    mu: Floats
    sigma: Floats
    norm: Floats
    size: Floats

    @cached_property
    def axes(self) -> Floats:
        """The principal axes of the second moments about the Earth, the longest first."""
        mean, std = distances.moments(self.mu, self.sigma)
        weight = self.prob * (mean**2 + std**2)
        tensor = (self.vectors * weight[:, np.newaxis]).T @ self.vectors
        first, second = np.linalg.eigh(tensor)[1].T[[2, 1]]
        middle = weight @ self.vectors
        # They point to where the event is, and make a right-handed system.
        first, second = (a * (1.0 if a @ middle >= 0 else -1.0) for a in (first, second))
        return np.stack([first, second, np.cross(first, second)])

    @cached_property
    def nearest_farthest(self) -> tuple[float, float]:
        """Distances between which 99.8 % of the probability is, Mpc."""
        mean, std = distances.moments(self.mu, self.sigma)
        middle = float(self.prob @ mean)
        wide = float(np.sqrt(self.prob @ ((mean - middle) ** 2 + std**2)))
        r = np.linspace(max(middle - 6 * wide, 0), middle + 8 * wide, 600)
        held = np.cumsum(self._mean_density(r))
        held /= held[-1]
        low, high = np.interp([0.001, 0.999], held, r)
        return float(low), float(high)

    @property
    def farthest(self) -> float:
        """The distance that the farthest points have, Mpc."""
        return self.nearest_farthest[1]

    @cached_property
    def marginal(self) -> tuple[Floats, Floats]:
        """Distances from the Earth's on, Mpc, and the probability per Mpc of the whole sky."""
        near, far = self.nearest_farthest
        # Finer where the probability is, in case that it is all in one thin shell.
        edge = 0.05 * (far - near)
        inner = np.linspace(max(near - edge, 0), far + edge, 300)
        r = np.union1d(inner, np.linspace(0, far * 1.03, 100))
        return r, self._mean_density(r)

    def _mean_density(self, r: Floats) -> Floats:
        total = np.zeros(len(r))
        for part in self._parts():
            total += self.prob[part] @ self._pdf(part, r)
        return total

    def _parts(self) -> Iterator[slice]:
        yield from (slice(i, i + BATCH) for i in range(0, len(self.prob), BATCH))

    def _pdf(self, part: slice, r: Floats) -> Floats:
        rows = (v[part, np.newaxis] for v in (self.mu, self.sigma, self.norm))
        return np.nan_to_num(distances.pdf(r, *rows))

    @cached_property
    def _shells(self) -> tuple[Floats, Floats]:
        """Distance and probability of each point, shape (M, SHELLS)."""
        low, high = self.nearest_farthest
        step = (high - low) / SHELLS
        # Each direction has its points a little further on, so that no shells are seen.
        offset = np.arange(len(self.prob)) * 0.6180339887498949 % 1.0
        r = low + (np.arange(SHELLS) + offset[:, np.newaxis]) * step
        weights = np.empty((len(self.prob), SHELLS))
        for part in self._parts():
            density = self._pdf(part, r[part])
            total = np.maximum(density.sum(axis=1, keepdims=True), 1e-300)
            weights[part] = density / total * self.prob[part, np.newaxis]
        return r, weights

    def turned(self, ra: float, dec: float) -> Floats:
        """Return the direction of a position (degrees) along the axes."""
        return np.asarray(self.axes @ to_vectors(ra, dec), np.float64)

    def spread(self, axis: int, levels: tuple[float, float]) -> tuple[float, float]:
        """Return between which places along an axis a part of the probability is, Mpc."""
        r, weights = self._shells
        along = self.vectors @ self.axes[axis]
        reach = max(float(np.abs(along).max()) * float(r.max()), 1e-12)
        edges = np.linspace(-reach, reach, 4001)
        counts = np.zeros(4000)
        for part in self._parts():
            place = (along[part, np.newaxis] * r[part] / reach + 1) * 2000
            counts += np.bincount(place.astype(np.int64).clip(0, 3999).ravel(),
                                  weights[part].ravel(), 4000)
        held = np.concatenate([[0], np.cumsum(counts)])
        low, high = np.interp(np.multiply(levels, held[-1]), held, edges)
        # A direction is as wide as its cell.
        wide = float(self.prob @ self.size) / 2 * float(r.mean())
        return float(low) - wide, float(high) + wide

    def projected(self, across: int, up: int, x: Floats, y: Floats) -> Floats:
        """Return the probability per point of a grid, looking along the third axis.

        Parameters
        ----------
        across, up : int
            The axes of the picture.
        x, y : ndarray
            Evenly spaced, Mpc.
        """
        r, weights = self._shells
        rows, columns = len(y) + 2, len(x) + 2
        step_x, step_y = float(x[1] - x[0]), float(y[1] - y[0])
        grid = np.zeros(rows * columns)
        for part in self._parts():
            right, top = self._scattered(part, self.axes[[across, up]])
            # Around the grid is a border for what is not seen.
            column = np.clip(right * r[part] / step_x + (1.5 - x[0] / step_x), 0, columns - 0.5)
            row = np.clip(top * r[part] / step_y + (1.5 - y[0] / step_y), 0, rows - 0.5)
            place = row.astype(np.int64) * columns + column.astype(np.int64)
            grid += np.bincount(place.ravel(), weights[part].ravel(), len(grid))
        return np.asarray(
            gaussian_filter(grid.reshape(rows, columns)[1:-1, 1:-1], BLUR), np.float64)

    def _scattered(self, part: slice, axes: Floats) -> list[Floats]:
        """Return along each axis the directions of the points of some cells, shape (M, SHELLS).

        Those of a cell fill a disc around its middle evenly. In one direction they would be a
        ray, and the rays of all cells a lattice, which shows where one looks along them.
        """
        vectors = self.vectors[part]
        aside = np.eye(3)[np.argmin(np.abs(vectors), axis=1)]
        first = np.cross(vectors, aside)
        first *= (SCATTER * self.size[part] / np.linalg.norm(first, axis=1))[:, np.newaxis]
        second = np.cross(vectors, first)
        a, b = (each[: len(vectors)] for each in _disc())
        return [(vectors @ axis)[:, np.newaxis] + (first @ axis)[:, np.newaxis] * a
                + (second @ axis)[:, np.newaxis] * b for axis in axes]


@cache
def _disc() -> tuple[Floats, Floats]:
    """Return points that fill the unit disc evenly, x and y, each of shape (BATCH, SHELLS).

    From the additive recurrence of Roberts (2018), whose steps are powers of the inverse of the
    plastic number.
    """
    plastic = 1.324717957244746
    number = np.arange(BATCH * SHELLS, dtype=np.float64).reshape(BATCH, SHELLS)
    radius = np.sqrt((number / plastic + 0.5) % 1.0)
    angle = 2 * np.pi * ((number / plastic**2 + 0.5) % 1.0)
    return radius * np.cos(angle), radius * np.sin(angle)


def cloud(skymap: SkyMap) -> Cloud | None:
    """Return the points in space of a map; None if it has no distances.

    Cells that tell no distance, and the least dense ones that hold 0.1 % together, are left
    out. Where there are very many cells, neighbours are joined to one of the same mean and
    standard deviation of the distance.
    """
    if skymap.distmu is None or skymap.distsigma is None:
        return None
    order = densest_first(skymap)
    held = np.cumsum(skymap.prob[order])
    chosen = np.sort(order[: int(np.searchsorted(held, 0.999 * held[-1])) + 1])
    good = distances.known(skymap.distmu[chosen], skymap.distsigma[chosen])
    chosen = chosen[good & (skymap.prob[chosen] > 0)]
    if len(chosen) == 0:
        return None
    mean, std = distances.moments(skymap.distmu[chosen], skymap.distsigma[chosen])
    level, ipix, parent = _split(skymap, chosen)
    prob = skymap.prob[chosen][parent] / 4.0 ** (level - skymap.level[chosen][parent])
    group = _joined(level, ipix)
    total = np.bincount(group, prob)
    # Of a split cell that of the whole, of joined ones that of all.
    whole = np.bincount(group, skymap.area[chosen][parent]) / np.bincount(group)
    area = np.bincount(group, np.square([cell_size(n) for n in range(DEEPEST + 1)])[level])
    size = np.sqrt(np.maximum(whole, area))
    vectors = np.stack([np.bincount(group, prob * v) for v in centres(level, ipix).T], axis=-1)
    moments = [np.bincount(group, prob * v[parent]) / total for v in (mean, mean**2 + std**2)]
    spread = np.sqrt(np.maximum(moments[1] - moments[0] ** 2, (1e-6 * moments[0]) ** 2))
    mu, sigma, norm = distances.parameters(moments[0], spread)
    keep = norm > 0
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return Cloud((vectors / length)[keep], total[keep] / total[keep].sum(), mu[keep],
                 sigma[keep], norm[keep], size[keep])


def _split(skymap: SkyMap, chosen: Ints) -> tuple[Ints, Ints, Ints]:
    """Return level, ipix and index of cells, those that are too coarse in parts."""
    level, ipix = skymap.level[chosen], skymap.ipix[chosen]
    depth = COARSEST
    while depth < DEEPEST and int((4 ** np.maximum(depth + 1 - level, 0)).sum()) <= LEAST:
        depth += 1
    deeper = np.maximum(depth - level, 0)
    count = 4**deeper
    parent = np.repeat(np.arange(len(chosen)), count)
    within = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count)
    return (level + deeper)[parent], (ipix << (2 * deeper))[parent] + within, parent


def _joined(level: Ints, ipix: Ints) -> Ints:
    """Return the group of each cell; where there are too many, neighbours are in one."""
    start = ipix << (2 * (DEEPEST - level))
    depth = int(level.max())
    while True:
        shared = np.minimum(level, depth)
        first, group = np.unique(
            uniq_of(shared, start >> (2 * (DEEPEST - shared))), return_inverse=True)
        if len(first) <= MOST or depth <= COARSEST:
            return group
        depth -= 1
