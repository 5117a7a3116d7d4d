"""Close-ups: a map on a part of the sky, smooth across its cells and right up to the frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from .contour import FEWEST, Field, around, decades
from .facets import Facets
from .mesh import cell_size
from .multiorder import DEEPEST, Floats, SkyMap
from .sheet import Sheet

SOFT = 0.5
"""How far values are smoothed, in widths of the cell: what is left where facets meet is hidden."""

LEAST, MOST = 1.5, 12.0
"""How far at least and at most, points of the sheet."""

REACH = 3.0
"""How far smoothing sees, in how far values are smoothed."""

FINEST = 2.0
"""Cells of fewer points of the sheet are no facets."""

ROUGH = 8
"""Every so many points tell which sizes of cells there are."""


class Closeup:
    """A map on the sheet of a part of the sky.

    A little more than the sheet is worked out, so that smoothing sees both sides of its edge.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    sheet : Sheet
        The sheet.
    """

    def __init__(self, skymap: SkyMap, sheet: Sheet) -> None:
        self.skymap = skymap
        sizes = np.array([cell_size(level) for level in range(DEEPEST + 1)]) / sheet.pixel
        self._sigmas = np.clip(SOFT * sizes, LEAST, MOST)[skymap.level]
        rough = sheet.every(ROUGH).cells(skymap)
        margin = int(REACH * float(self._sigmas[rough].max())) + 1
        self._shown = slice(margin, -margin)
        wide = sheet.wider(margin)
        self._cell = wide.cells(skymap)
        self._facets = Facets(skymap, self._cell, wide.vectors(), FINEST * sheet.pixel)

    def density(self) -> Floats:
        """Return the density, sr^-1, at the points of the sheet."""
        density = self.skymap.probdensity
        # What is less than a step of the colours need not be smooth.
        return self._smooth(density, density > density[self._cell].max() / 256)

    def fields(self, edges: dict[float, float]) -> dict[float, Field]:
        """Return the fields of the credible regions that have a shape to show.

        Parameters
        ----------
        edges : dict
            Density at the edge of each level, from `gwbroker.skymap.contour.thresholds`.
        """
        found = {}
        for level, edge in sorted(edges.items()):
            away = decades(self.skymap.probdensity, edge)
            field = self._smooth(away, np.abs(away) < 1)
            if np.count_nonzero(field > 0) >= FEWEST and field.min() < 0:
                found[level] = Field(slice(None), slice(None), field)
        return found

    def _smooth(self, of_cells: Floats, matters: npt.NDArray[np.bool_]) -> Floats:
        """Return what the cells have at the points of the sheet, each smoothed as its cell is wide.

        So that the edge of the Earth's shadow, in small cells, stays sharp beside wide ones. Where
        it does not matter, everything is smoothed as if its cell were small.
        """
        values = self._facets.values(of_cells)
        found = gaussian_filter(values, LEAST, truncate=REACH)
        sigmas = np.where(matters, self._sigmas, LEAST)[self._cell]
        for sigma in np.unique(sigmas)[1:]:
            here = sigmas == sigma
            part = around(here, int(REACH * sigma) + 1)
            soft = gaussian_filter(values[part], sigma, truncate=REACH)
            found[part] = np.where(here[part], soft, found[part])
        return np.asarray(found[self._shown, self._shown], np.float64)
