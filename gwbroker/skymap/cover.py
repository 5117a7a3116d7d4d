"""Cells that cover a cone or a polygon, large ones inside and small ones along the edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import healpy as hp
import numpy as np

from ..errors import SkyMapError
from .bounds import check_position, check_radius
from .mesh import cell_size, tangent
from .multiorder import DEEPEST, Floats, Ints, centres
from .polygon import outline

PARTS = 100
"""By default the cells of an edge are this much smaller than the region."""

MOST = 1_000_000
"""About how many cells an edge may take."""


def cone(ra: float, dec: float, radius: float, level: int | None) -> tuple[Ints, Ints]:
    """Return level and ipix of cells of a cone; see `Moc.from_cone`."""
    ra, dec = check_position(ra, dec)
    radius = float(np.radians(check_radius("radius", radius)))
    centre, _, _ = tangent(ra, dec)
    finest = _finest(level, radius, 2 * np.pi * np.sin(radius))

    def depth(vectors: Floats) -> Floats:
        chord = np.sqrt(np.square(vectors - centre).sum(axis=-1))
        return np.asarray(radius - 2 * np.arcsin(np.minimum(chord / 2, 1)), np.float64)

    return _cover(depth, finest)


def polygon(corners: Iterable[tuple[float, float]], level: int | None) -> tuple[Ints, Ints]:
    """Return level and ipix of cells of a polygon; see `Moc.from_polygon`."""
    shape = outline(corners)
    finest = _finest(level, float(np.sqrt(shape.area / np.pi)), shape.perimeter)

    def depth(vectors: Floats) -> Floats:
        away = shape.distance(vectors)
        return np.where(shape.inside(vectors), away, -away)

    return _cover(depth, finest)


def _finest(level: int | None, size: float, edge: float) -> int:
    """Return the level of the cells along an edge, from the size and edge of a region, rad."""
    if level is None:
        for coarse in range(DEEPEST):
            if cell_size(coarse) <= size / PARTS or edge / cell_size(coarse) > MOST / 10:
                return coarse
        return DEEPEST
    if not 0 <= level <= DEEPEST:
        raise SkyMapError("level", f"{level} is not from 0 to {DEEPEST}")
    if edge / cell_size(level) > MOST:
        deepest = max(n for n in range(level) if edge / cell_size(n) <= MOST)
        raise SkyMapError(
            "level", f"{level} needs more than a million cells along the edge of the region;"
            f" {deepest} would do")
    return int(level)


def _cover(depth: Callable[[Floats], Floats], finest: int) -> tuple[Ints, Ints]:
    """Return cells of a region given by how far a vector is from its edge, positive inside."""
    ipix = np.arange(12, dtype=np.int64)
    levels, pixels = [], []
    for level in range(finest + 1):
        inward = depth(centres(np.full(len(ipix), level, np.int64), ipix))
        # No point of a cell is further from its centre than this.
        reach = float(hp.max_pixrad(2**level)) if level < finest else 0.0
        inside = inward >= reach
        levels.append(np.full(int(inside.sum()), level, np.int64))
        pixels.append(ipix[inside])
        edge = ~inside & (inward > -reach)
        ipix = (4 * ipix[edge, np.newaxis] + np.arange(4)).ravel()
    return np.concatenate(levels), np.concatenate(pixels)
