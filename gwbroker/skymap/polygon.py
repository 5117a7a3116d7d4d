"""Sky maps of a polygon, as a rectangular error region."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import SkyMapError
from .bounds import check, check_containment
from .mesh import cell_size, normalised, refine, tangent
from .multiorder import Floats, SkyMap, centres

WIDEST = 75.0
"""Largest distance of a corner from the middle of a polygon, degrees."""

MOST_CORNERS = 200


@dataclass(frozen=True)
class Outline:
    """A polygon on the sphere.

    Parameters
    ----------
    vertices : float64, shape (N, 3)
        Unit vectors of its corners; its sides are great circles.
    middle : float64, shape (3,)
        A unit vector in the middle of them.
    """

    vertices: Floats
    middle: Floats

    @property
    def area(self) -> float:
        """The area, sr."""
        return _solid_angle(self.vertices, self.middle)

    @property
    def perimeter(self) -> float:
        """The length of its sides, rad, as chords."""
        sides = np.roll(self.vertices, -1, axis=0) - self.vertices
        return float(np.linalg.norm(sides, axis=1).sum())

    def inside(self, vectors: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Tell which unit vectors are inside."""
        return _inside(vectors, self.middle, _project(self.vertices, self.middle))

    def distance(self, vectors: Floats) -> Floats:
        """Return the angle of each unit vector to the nearest side, rad."""
        return _distance(vectors, self.vertices)


def outline(corners: Iterable[tuple[float, float]]) -> Outline:
    """Return the polygon with corners at right ascensions and declinations, degrees.

    Raises
    ------
    SkyMapError
        If a corner is not on the sphere, sides cross, or the polygon has no area or is wider
        than 150 degrees.
    """
    vertices = _vertices(corners)
    middle = vertices.sum(axis=0)
    if not np.linalg.norm(middle) > 1e-6:
        raise SkyMapError("corners", "lie all around the sky")
    middle = middle / np.linalg.norm(middle)
    if (vertices @ middle).min() < np.cos(np.radians(WIDEST)):
        raise SkyMapError("corners", f"one is further than {WIDEST:g} deg from their middle")
    _refuse_crossing(_project(vertices, middle))
    shape = Outline(vertices, middle)
    if not shape.area > 1e-15:
        raise SkyMapError("corners", f"enclose no area, or nearly none: {shape.area:.3g} sr")
    return shape


def polygon(corners: Iterable[tuple[float, float]], containment: float) -> SkyMap:
    """Return the map of an error region given by its corners.

    The probability is uniform inside. The rest lies outside and falls with the distance d from
    the edge as exp(-d^2 / 2 w^2), because a source that is not inside is most likely just
    outside; w is the radius of a circle of the same area, times sqrt((1 - P) / P) where that
    is more than one, so that the outside is never denser than the inside.

    Parameters
    ----------
    corners : iterable of (float, float)
        Right ascension and declination of the corners in their order around the polygon,
        degrees. Its sides are great circles.
    containment : float
        Probability that the source is inside, between 0 and 1.

    Raises
    ------
    SkyMapError
        If a value is out of bounds, sides cross, or the polygon has no area or is wider than
        150 degrees.
    """
    containment = check_containment(containment)
    shape = outline(corners)
    area, perimeter = shape.area, shape.perimeter
    # Cells of this size along the edge make the area right within a fraction of a per cent.
    finest = max(0.05 * area / max(perimeter, 1e-300), perimeter / 20000)
    if not (area > 1e-15 and finest * perimeter < 0.2 * area):
        raise SkyMapError("corners", f"enclose no area, or nearly none: {area:.3g} sr")
    width = np.sqrt(area / np.pi) * max(1.0, np.sqrt((1 - containment) / containment))

    def wanted(vectors: Floats) -> Floats:
        away = shape.distance(vectors)
        # Not slope one half: a cell whose centre is this far must not reach the edge.
        near = np.minimum(np.maximum(finest, away / 2), max(finest, width / 4))
        return np.asarray(np.maximum(near, (away - 4 * width) / 3), np.float64)

    level, ipix = refine(wanted)
    vectors = centres(level, ipix)
    inside = shape.inside(vectors)
    if not inside.any():
        raise SkyMapError("corners", f"enclose no area, or nearly none: {area:.3g} sr")
    size = cell_size(0) ** 2 * np.exp2(-2.0 * level)
    skirt = np.exp(-0.5 * (shape.distance(vectors) / width) ** 2)
    skirt *= (1 - containment) / (skirt * size)[~inside].sum()
    return normalised(level, ipix, np.where(inside, containment / size[inside].sum(), skirt))


def _vertices(corners: Iterable[tuple[float, float]]) -> Floats:
    try:
        pairs = [(ra, dec) for ra, dec in corners]
    except (TypeError, ValueError):
        raise SkyMapError("corners", "are not pairs of right ascension and declination") from None
    if len(pairs) > 1 and pairs[0] == pairs[-1]:
        pairs.pop()
    if not 3 <= len(pairs) <= MOST_CORNERS:
        raise SkyMapError("corners", f"there are {len(pairs)}, not from 3 to {MOST_CORNERS}")
    return np.array(
        [
            tangent(
                check(f"ra of corner {i}", ra, 0, 360), check(f"dec of corner {i}", dec, -90, 90)
            )[0]
            for i, (ra, dec) in enumerate(pairs, 1)
        ]
    )


def _project(vectors: Floats, middle: Floats) -> Floats:
    """Return gnomonic coordinates, shape (N, 2), where great circles are straight lines."""
    axis = np.eye(3)[np.argmin(np.abs(middle))]
    x = np.cross(axis, middle)
    x /= np.linalg.norm(x)
    y = np.cross(middle, x)
    depth = vectors @ middle
    return np.asarray(np.stack([vectors @ x / depth, vectors @ y / depth], axis=-1), np.float64)


def _inside(vectors: Floats, middle: Floats, outline: Floats) -> np.ndarray[
    tuple[int, ...], np.dtype[np.bool_]
]:
    """Tell which unit vectors are inside, by counting the sides that a ray crosses."""
    inside = np.zeros(len(vectors), dtype=bool)
    front = vectors @ middle > np.cos(np.radians(WIDEST + 1))
    x, y = _project(vectors[front], middle).T
    crossings = np.zeros(len(x), dtype=bool)
    for (x1, y1), (x2, y2) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if y1 != y2:
            crossings ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    inside[front] = crossings
    return inside


def _refuse_crossing(outline: Floats) -> None:
    """Refuse sides that cross: corners that are not in their order around the polygon."""
    ends = np.roll(outline, -1, axis=0)

    def turn(a: Floats, b: Floats, c: Floats) -> float:
        return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    n = len(outline)
    for i in range(n):
        for j in range(i + 2, n if i else n - 1):
            a, b, c, d = outline[i], ends[i], outline[j], ends[j]
            if turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0:
                raise SkyMapError(
                    "corners", f"are not in order: side {i + 1} crosses side {j + 1}"
                )


def _solid_angle(vertices: Floats, middle: Floats) -> float:
    """Return the area, sr: the sum over triangles from the middle.

    Van Oosterom & Strackee (1983), IEEE Trans. Biomed. Eng. BME-30, 125, equation 8.
    """
    # Differences from the middle, because the triple product of arcseconds cancels.
    b, c = vertices - middle, np.roll(vertices, -1, axis=0) - middle
    triple = np.cross(b, c) @ middle
    dots = np.stack([vertices @ middle, np.roll(vertices, -1, axis=0) @ middle], axis=-1)
    opposite = (vertices * np.roll(vertices, -1, axis=0)).sum(axis=-1)
    return float(abs(2 * np.arctan2(triple, 1 + dots.sum(axis=-1) + opposite).sum()))


def _distance(vectors: Floats, vertices: Floats) -> Floats:
    """Return the angle of each unit vector to the nearest side, rad."""
    chord = np.min([np.linalg.norm(vectors - v, axis=-1) for v in vertices], axis=0)
    nearest = 2 * np.arcsin(np.minimum(chord / 2, 1))
    for a, b in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        normal = np.cross(a, b - a)
        length = np.linalg.norm(normal)
        if length > 0:
            normal /= length
            # Differences from the corners, because arcseconds cancel.
            after = np.cross(a, vectors - a) @ normal >= 0
            before = np.cross(vectors - b, b) @ normal >= 0
            away = np.arcsin(np.clip(np.abs((vectors - a) @ normal), 0, 1))
            nearest = np.where(after & before, np.minimum(nearest, away), nearest)
    return np.asarray(nearest, np.float64)
