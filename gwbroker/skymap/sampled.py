"""Maps as they are sampled on the sheet of a picture: density, and edges of regions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from . import contour
from .closeup import Closeup
from .contour import Field
from .multiorder import SQUARE_DEGREE, Floats, Ints, SkyMap
from .sheet import Lines, Sheet


@dataclass(frozen=True, eq=False)
class Sampled:
    """A map as it is on a sheet.

    On the whole sky points have the values of their cells, which is quick; a part of the sky is a
    `Closeup`.

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
    def edges(self) -> dict[float, float]:
        """Density at the edge of each credible region, sr^-1."""
        return contour.thresholds(self.skymap)

    @cached_property
    def _near(self) -> Closeup | None:
        return None if self.sheet.wraps else Closeup(self.skymap, self.sheet)

    @cached_property
    def _cells(self) -> Ints:
        return self.sheet.cells(self.skymap)

    @cached_property
    def _density(self) -> Floats:
        """Density at each point, sr^-1; zero outside of the sky."""
        return self.sheet.full(self.skymap.probdensity[self._cells])

    @cached_property
    def _sigmas(self) -> dict[float | None, float]:
        return contour.blur(self.skymap, self._cells, self.sheet.pixel, self.edges)

    def smoothed(self) -> Field:
        """Return the density, deg^-2, smoothed, where it is more than half a step of colours."""
        if self._near is not None:
            return Field(slice(None), slice(None), self._near.density() / SQUARE_DEGREE)
        density, inside, sigma = self._density, self.sheet.inside, self._sigmas[None]
        rows, columns = contour.around(density > density.max() / 1024, int(4 * sigma) + 2)
        within = None if inside is None else inside[rows, columns]
        values = contour.smooth(density[rows, columns], sigma, within) / SQUARE_DEGREE
        return Field(rows, columns, values)

    def outlines(self, closed: bool = False) -> Lines:
        """Return the edges of the credible regions, as lines on the sheet.

        If they are to be closed, those that reach the edge of the sky go on along it.
        """
        return contour.outlines((self.sheet.x, self.sheet.y), self.fields, closed)

    @cached_property
    def fields(self) -> dict[float, Field]:
        """What is positive inside the credible regions and negative outside."""
        if self._near is not None:
            return self._near.fields(self.edges)
        return contour.fields(self._density, self.edges, self._sigmas, self.sheet.inside)
