"""Sheets: the flat grid of points on which a part of the sky is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import healpy as hp
import numpy as np
import numpy.typing as npt

from . import contour
from .frame import Frame
from .multiorder import DEEPEST, SQUARE_DEGREE, Floats, Ints, SkyMap
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


@dataclass(frozen=True, eq=False)
class Sampled:
    """A map as it is on a sheet.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    sheet : Sheet
        The sheet.
    """

    skymap: SkyMap
    sheet: Sheet

    @cached_property
    def _cells(self) -> Ints:
        return self.sheet.cells(self.skymap)

    @cached_property
    def density(self) -> Floats:
        """Density at each point, sr^-1; zero outside of the sky."""
        return self.sheet.full(self.skymap.probdensity[self._cells])

    @cached_property
    def edges(self) -> dict[float, float]:
        """Density at the edge of each credible region, sr^-1."""
        return contour.thresholds(self.skymap)

    @cached_property
    def _sigmas(self) -> dict[float | None, float]:
        return contour.blur(self.skymap, self._cells, self.sheet.pixel, self.edges)

    @property
    def sigma(self) -> float:
        """Smoothing of the image, pixels, that hides the corners of cells."""
        return self._sigmas[None]

    def smoothed(self) -> contour.Field:
        """Return the density, deg^-2, smoothed, where it is more than half a step of colours."""
        density, inside = self.density, self.sheet.inside
        rows, columns = contour.around(density > density.max() / 1024, int(4 * self.sigma) + 2)
        within = None if inside is None else inside[rows, columns]
        values = contour.smooth(density[rows, columns], self.sigma, within) / SQUARE_DEGREE
        return contour.Field(rows, columns, values)

    def outlines(self, closed: bool = False) -> Lines:
        """Return the edges of the credible regions, as lines on the sheet.

        If they are to be closed, those that reach the edge of the sky go on along it.
        """
        return contour.outlines((self.sheet.x, self.sheet.y), self.fields, closed)

    @cached_property
    def fields(self) -> dict[float, contour.Field]:
        """What is positive inside the credible regions and negative outside."""
        return contour.fields(self.density, self.edges, self._sigmas, self.sheet.inside)
