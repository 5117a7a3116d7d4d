"""Volume: a sky map in three dimensions; credible volumes, and levels of places in them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from ..errors import SkyMapError
from . import ansatz
from .distances import known
from .multiorder import Floats, SkyMap
from .peaks import CHUNK, GONE, Peaks
from .ranking import check_levels
from .regions import Position, centre

TOLERANCE = 5e-5
"""Where half-way between two densities the table is this far from the sum, it is refined."""

MANY = 40_000
"""Of more cells than this, those that are alike are grouped for the table."""


class Volume:
    """A sky map in three dimensions.

    Within a cell the density per volume, rho N / (sqrt(2 pi) sigma) exp(-(r - mu)^2 / 2 sigma^2),
    is a Gaussian in the distance r. So the part of the cell that is denser than a threshold is
    one interval around mu, and its probability and volume are known in closed form: there are
    no voxels. The probability above a threshold, the sum over the cells, is exact; the
    credible level of a place is read from a table of it, which is within 0.001 of it and mostly
    within 0.0001, and credible volumes are solved for.

    Distances are luminosity distances, and volumes those of Euclidean space in them, as with
    ``ligo.skymap.postprocess.crossmatch(cosmology=False)``. DISTNORM is not used: mu and sigma
    determine it. Cells of unknown distance are the least dense: their probability is not within
    any finite volume.

    Parameters
    ----------
    skymap : SkyMap
        A map with distances.

    Raises
    ------
    SkyMapError
        If it has none.
    """

    def __init__(self, skymap: SkyMap) -> None:
        if skymap.distmu is None or skymap.distsigma is None:
            raise SkyMapError("sky map", "has no distances, and so no volume", "DISTMU")
        mu, sigma = np.asarray(skymap.distmu, float), np.asarray(skymap.distsigma, float)
        good = np.flatnonzero(known(mu, sigma) & (skymap.prob > 0))
        self.skymap = skymap
        z = mu[good] / sigma[good]
        steep = z < ansatz.STEEPEST
        scale = np.where(steep, sigma[good] * ansatz.STEEPEST / np.where(steep, z, 1), sigma[good])
        z = np.maximum(z, ansatz.STEEPEST)
        # ln of rho N / (sqrt(2 pi) sigma), where N = 1 / (sigma^2 J2).
        height = (np.log(skymap.probdensity[good]) - ansatz.log_weight(z) - 3 * np.log(scale)
                  - 0.5 * np.log(2 * np.pi))
        self._height = np.full(skymap.cells, -np.inf)
        self._height[good] = height
        self._mu, self._precision = np.zeros(skymap.cells), np.zeros(skymap.cells)
        self._mu[good] = z * scale
        self._precision[good] = np.sqrt(0.5) / scale
        self._cells = Peaks(height, z, skymap.prob[good], skymap.area[good] * scale**3)
        top = height - 0.5 * np.square(np.minimum(z, 0))
        self._densest = int(good[np.argmax(top)]) if len(good) else None

    @cached_property
    def known(self) -> float:
        """The probability of the cells whose distance is known."""
        return float(self._cells.prob.sum())

    @cached_property
    def most_probable(self) -> tuple[Position, float] | None:
        """The densest place, a position (degrees) and distance (Mpc); None if none is known."""
        if self._densest is None:
            return None
        return centre(self.skymap, self._densest), float(max(self._mu[self._densest], 0.0))

    def density(self, cell_index: npt.ArrayLike, distance_mpc: npt.ArrayLike) -> Floats:
        """Return the probability per Mpc^3; 0 where none is known.

        Parameters
        ----------
        cell_index : array_like of int
            Cells, as `SkyMap.find` gives them.
        distance_mpc : array_like
            Distances, Mpc; not-a-number gives not-a-number.
        """
        cell, distance = np.broadcast_arrays(cell_index, np.asarray(distance_mpc, np.float64))
        return np.asarray(np.exp(self._log_density(np.asarray(cell), distance)), np.float64)

    def levels(self, cell_index: npt.ArrayLike, distance_mpc: npt.ArrayLike) -> Floats:
        """Return the probability of the smallest volume that just reaches places.

        Where the map is true, it is uniformly distributed for the true places.

        Parameters
        ----------
        cell_index : array_like of int
            Cells, as `SkyMap.find` gives them.
        distance_mpc : array_like
            Distances, Mpc; not-a-number gives not-a-number.

        Returns
        -------
        ndarray
            From 0 to 1, with an error below 0.001; 1 where the distance is unknown, negative or
            infinite.
        """
        cell, distance = np.broadcast_arrays(cell_index, np.asarray(distance_mpc, np.float64))
        cells, distances = np.asarray(cell).ravel(), distance.ravel()
        found = np.empty(len(cells))
        table = self._table
        for first in range(0, len(cells), CHUNK):
            part = slice(first, first + CHUNK)
            density = self._log_density(cells[part], distances[part])
            inside = np.clip(-density, table.x[0], table.x[-1])
            found[part] = np.where(np.isneginf(density), 1.0, table(inside))
        return np.clip(found, 0, 1).reshape(cell.shape)

    def credible_volumes(self, levels: npt.ArrayLike) -> Floats:
        """Return the volumes of the smallest regions that hold given probabilities.

        Parameters
        ----------
        levels : array_like
            Probabilities between 0 and 1.

        Returns
        -------
        ndarray
            Mpc^3, of the shape of `levels`; infinite for 1, and for more than the probability
            of known distance.

        Raises
        ------
        SkyMapError
            If a level is not between 0 and 1.
        """
        wanted = check_levels(levels)
        found = np.array([self._volume(float(each)) for each in wanted.ravel()])
        return found.reshape(wanted.shape)

    def _volume(self, level: float) -> float:
        if level <= 0:
            return 0.0
        if level >= self.known * (1 - 1e-9):
            return float("inf")
        def error(x: float) -> float:
            return self._cells.probability(-x) - level

        nodes = self._table.x
        above = int(np.searchsorted(self._table(nodes), level))
        low = float(nodes[max(above - 1, 0)])
        high = float(nodes[min(above, len(nodes) - 1)])
        # The table is not exact: the root may be just beyond one of its nodes.
        step = 0.1
        while error(low) > 0:
            low, step = low - step, 2 * step
        while error(high) < 0:
            high, step = high + step, 2 * step
        return self._cells.volume(-float(brentq(error, low, high, xtol=1e-12, rtol=1e-12)))

    def _log_density(self, cell: npt.NDArray[np.integer], distance: Floats) -> Floats:
        # An infinite distance times the precision of none, and an offset without bounds.
        with np.errstate(invalid="ignore", over="ignore"):
            offset = (distance - self._mu[cell]) * self._precision[cell]
            log = self._height[cell] - offset * offset
            # An infinite distance is as dense as none; not-a-number stays what it is.
            return np.where((distance < 0) | np.isinf(distance), -np.inf, log)

    @cached_property
    def _table(self) -> PchipInterpolator:
        """The probability above a threshold, over minus the logarithm of the threshold."""
        if self._densest is None:
            return PchipInterpolator([0.0, 1.0], [0.0, 0.0])
        cells = self._cells.grouped() if len(self._cells.top) > MANY else self._cells
        last = int(np.searchsorted(cells.finished, self.known * (1 - 1e-7)))
        nodes = np.linspace(-cells.top[0], GONE - cells.top[min(last, len(cells.top) - 1)], 65)
        values = np.array([cells.probability(-x) for x in nodes])
        check = np.arange(len(nodes) - 1)
        while len(check):
            table = PchipInterpolator(nodes, values)
            middle = (nodes[check] + nodes[check + 1]) / 2
            exact = np.array([cells.probability(-x) for x in middle])
            # No finer than this: where a cell begins, the sum rises like a square root.
            wide = nodes[check + 1] - nodes[check] > 1e-8
            bad = (np.abs(table(middle) - exact) > TOLERANCE) & wide
            nodes = np.insert(nodes, check + 1, middle)
            values = np.insert(values, check + 1, exact)
            # Where the middle of an interval was wrong, both halves are checked.
            left = (check + np.arange(len(check)))[bad]
            check = np.sort(np.concatenate([left, left + 1]))
        return PchipInterpolator(nodes, np.maximum.accumulate(values))

