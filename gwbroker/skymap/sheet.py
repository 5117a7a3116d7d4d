"""Sheets: the flat grid of points on which a part of the sky is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import healpy as hp
import numpy as np
import numpy.typing as npt

from .frame import Frame
from .multiorder import DEEPEST, Floats, Ints, SkyMap
from .projection import Mollweide, Orthographic, to_vectors

Lines = dict[float, list[Floats]]


_SKY = np.linspace(-2, 2, 1201), np.linspace(-1, 1, 601)


# A worker draws one map after the other on the same sheet; it takes 18 MB.
@lru_cache(maxsize=1)
def _sky(centre_ra: float) -> tuple[tuple[Floats, Floats], npt.NDArray[np.bool_], Ints]:
    """Return the places of the points of the whole sky, which are on it, and their pixels."""
    ra, dec, inside = Mollweide(centre_ra).mesh(*_SKY)
    pixels = np.asarray(hp.ang2pix(2**DEEPEST, ra, dec, nest=True, lonlat=True), np.int64)
    for values in (ra, dec, inside, pixels):
        values.flags.writeable = False
    return (ra, dec), inside, pixels


@dataclass(frozen=True, eq=False)
class Sheet:
    """A grid of points on the plane of a projection, and where on the sky they are.

    Parameters
    ----------
    projection : Mollweide or Orthographic
        Between sky and plane.
    x, y : ndarray
        Of the columns and rows.
    """

    projection: Mollweide | Orthographic
    x: Floats
    y: Floats

    @classmethod
    def sky(cls, centre_ra: float = 180.0) -> Sheet:
        """Return the sheet of the whole sky."""
        return cls(Mollweide(centre_ra), *_SKY)

    @classmethod
    def part(cls, frame: Frame, points: int = 701) -> Sheet:
        """Return the sheet of a square part of the sky."""
        side = np.linspace(-frame.half, frame.half, points)
        return cls(frame.projection, side, side)

    @property
    def half(self) -> tuple[float, float]:
        """Half the width and the height of the sheet."""
        return float(self.x[-1]), float(self.y[-1])

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, right, lower and upper end."""
        return float(self.x[0]), float(self.x[-1]), float(self.y[0]), float(self.y[-1])

    def extent(self, rows: slice, columns: slice) -> tuple[float, float, float, float]:
        """Return left, right, lower and upper end of a part of the points, drawn as an image."""
        found: list[float] = []
        for part, points in ((columns, self.x), (rows, self.y)):
            step = float(points[-1] - points[0]) / len(points)
            first, last, _ = part.indices(len(points))
            found += [float(points[0]) + first * step, float(points[0]) + last * step]
        return found[0], found[1], found[2], found[3]

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns it has."""
        return len(self.y), len(self.x)

    def wider(self, margin: int) -> Sheet:
        """Return the sheet with so many more points on each side, of a part of the sky."""
        x, y = (np.arange(-margin, len(side) + margin, dtype=np.float64) * (side[1] - side[0])
                + side[0] for side in (self.x, self.y))
        return Sheet(self.projection, x, y)

    def every(self, step: int) -> Sheet:
        """Return the sheet with every so many points only."""
        return Sheet(self.projection, self.x[::step], self.y[::step])

    @property
    def wraps(self) -> bool:
        """Whether what leaves on one side comes in again on the other."""
        return isinstance(self.projection, Mollweide)

    @property
    def pixel(self) -> float:
        """Distance of two points, rad."""
        step = float(self.x[1] - self.x[0])
        # The ellipse, of area 2 pi, shows 4 pi steradians.
        return step * float(np.sqrt(2)) if self.wraps else step

    @cached_property
    def _places(self) -> tuple[Any, npt.NDArray[np.bool_] | None]:
        if isinstance(self.projection, Mollweide):
            places, inside, _ = _sky(self.projection.ra)
            return places, inside
        return self.projection.backward(*np.meshgrid(self.x, self.y)), None

    @property
    def inside(self) -> npt.NDArray[np.bool_] | None:
        """Which points are on the sky; None if all are."""
        return self._places[1]

    def forward(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return x and y of positions in degrees; not-a-number where nothing is drawn."""
        if isinstance(self.projection, Mollweide):
            return self.projection.forward(ra, dec)
        return self.projection.forward(to_vectors(ra, dec))

    def vectors(self) -> Floats:
        """Return the unit vectors of the points on the sky, shape (..., 3)."""
        places = self._places[0]
        return to_vectors(*places) if self.wraps else np.asarray(places, np.float64)

    def full(self, values: Floats, outside: float = 0.0) -> Floats:
        """Return values at the points on the sky as a grid of rows and columns."""
        if self.inside is None:
            return values
        grid = np.full(self.inside.shape, outside)
        grid[self.inside] = values
        return grid

    def cells(self, skymap: SkyMap) -> Ints:
        """Return the index of the cell of a map at each point on the sky."""
        if isinstance(self.projection, Mollweide):
            pixels = _sky(self.projection.ra)[2]
            return np.asarray(np.searchsorted(skymap.start, pixels, side="right") - 1, np.int64)
        return skymap.find_vectors(self._places[0])
