"""Scorer: how well candidates fit a map, and how well they would by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.special import log_ndtr

from ..errors import SkyMapError
from ..skymap import ansatz, regions
from ..skymap.distances import known, log_norms
from ..skymap.multiorder import Floats, Ints, SkyMap
from . import chance, provenance
from .candidates import Candidates
from .density import Density
from .tables import Table

REACH = 5.0
"""By how many standard deviations the volume for chances reaches beyond a map's mean distance."""

_TABLE = 257
"""From so many candidates on, searched volumes are interpolated..."""

_PRECISION = 1e-3
"""...to this relative error."""

_SHALLOW = 1e-3
"""What is added to a depth, the logarithm of a ratio of densities, so that none is zero."""


class Scorer:
    """Scores candidates against a map.

    Two numbers answer two questions, and go in opposite directions:

    - ``credible_level``: the probability of the smallest region that reaches the candidate.
      For the true counterpart it is uniform between 0 and 1; 0.99 means that only one in a
      hundred true counterparts lies as far out.
    - ``chance``: the fraction of the sky, or of the volume within `max_distance`, where the
      map is at least as dense. For candidates that have nothing to do with the event, and are
      uniform on the sky or in that volume, it is uniform between 0 and 1; 0.001 means that one
      in a thousand unrelated ones lies as deep in the map.

    Neither is the probability of being the counterpart, which needs the rate of both kinds.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    max_distance : float, optional
        Out to which distance unrelated candidates would be found, Mpc; by default five
        standard deviations beyond the mean distance of the map.

    Raises
    ------
    SkyMapError
        If the distance is not positive.
    """

    def __init__(self, skymap: SkyMap, max_distance: float | None = None) -> None:
        if max_distance is not None and not 0 < max_distance < np.inf:
            raise SkyMapError("max_distance", f"{max_distance:g} is not a positive distance")
        self.skymap = skymap
        self.density = Density(skymap, 1.0)
        order = regions.densest_first(skymap)
        dense = -skymap.probdensity[order]
        # Of equally dense cells none is deeper: they all count.
        last = np.searchsorted(dense, dense, side="right") - 1
        self._searched = np.empty(skymap.cells)
        self._searched[order] = np.minimum(
            np.cumsum(skymap.area[order])[last] / (4 * np.pi), 1.0)
        far = regions.distance(skymap)
        self.max_distance = max_distance or (far.mean + REACH * far.std if far else None)
        self._about = provenance.of(skymap)

    def score(self, candidates: Candidates, trials: int | None = None) -> Table:
        """Score candidates.

        ``distance_overlap`` is the Bhattacharyya coefficient of the distances of host and event
        (as SAGUARO uses it: Hosseinzadeh et al. 2024, ApJ 964, 35): 1 if they are distributed
        alike, 0 if they exclude each other.

        Parameters
        ----------
        candidates : Candidates
            The candidates.
        trials : int, optional
            Of how many candidates these are; by default as many as there are.

        Returns
        -------
        Table
            One row each, in their order. ``credible_level`` (on the sky),
            ``credible_level_3d``, ``density`` (sr-1), ``density_3d`` (Mpc-3, averaged over the
            error of the distance), ``distance_overlap``, ``chance_sky``, ``chance_volume``,
            ``chance`` (in the volume where there is a distance, else on the sky),
            ``chance_trials`` (that the best of all unrelated ones is as good) and
            ``host_chance`` (see `chance.host_chance`). Not-a-number: not known.

        Raises
        ------
        SkyMapError
            If `trials` is less than one.
        """
        if trials is not None and trials < 1:
            raise SkyMapError("trials", f"{trials} is less than one")
        number = trials or max(len(candidates), 1)
        cell = self.skymap.find(candidates.ra, candidates.dec)
        distance, error, origin = candidates.distances()
        found: dict[str, npt.NDArray[Any]] = {
            "name": candidates.name, "ra": candidates.ra, "dec": candidates.dec,
            "redshift": candidates.redshift, "distance": distance, "distance_error": error,
            "distance_from": origin, "credible_level": self.density.levels[cell],
            "density": self.skymap.probdensity[cell], "chance_sky": self._searched[cell],
            "chance": self._searched[cell].copy()}
        if self.density.volume is not None:
            # In cells of unknown distance the map speaks of the sky alone.
            near = np.isfinite(distance) & self.density.known[cell]
            log, _ = self.density.at(cell, distance, error)
            mean = np.where(near, np.exp(log), np.nan)
            found["credible_level_3d"] = np.where(
                near, self.density.volume.levels(cell, np.where(near, distance, 0)), np.nan)
            found["density_3d"] = mean
            found["distance_overlap"] = distance_overlap(self.skymap, cell, distance, error)
            found["chance_volume"] = np.full(len(cell), np.nan)
            found["chance_volume"][near] = self._volume_chance(cell[near], distance[near])
            found["chance"] = np.where(near, found["chance_volume"], found["chance"])
        found["chance_trials"] = chance.after_trials(found["chance"], number)
        found["host_chance"] = chance.host_chance(
            candidates.host_magnitude, candidates.host_offset)
        about = {**self._about, "dimensions": 3 if self.density.volume else 2, "trials": number,
                 "max_distance": self.max_distance}
        return Table(found, _UNITS, about)

    def _volume_chance(self, cell: Ints, distance: Floats) -> Floats:
        """Return the fraction of the sphere where the map is at least as dense as at places."""
        assert self.max_distance is not None
        log, _ = self.density.at(cell, distance, np.full(len(cell), np.nan))
        searched = np.ones(len(cell))
        inside = np.isfinite(log) & (distance <= self.max_distance)
        wanted = np.unique(log[inside])
        if len(wanted) < _TABLE:
            fraction = np.array([self._fraction(each) for each in wanted])
            searched[inside] = fraction[np.searchsorted(wanted, log[inside])]
        else:
            searched[inside] = self._table(wanted[0], wanted[-1])(log[inside])
        return searched

    def _fraction(self, log_density: float) -> float:
        """Return the fraction of the sphere where the map is at least as dense."""
        assert self.max_distance is not None
        whole = self.max_distance**3 * 4 * np.pi / 3
        return min(self.density.volume_above(log_density, self.max_distance) / whole, 1.0)

    def _table(self, low: float, high: float) -> Callable[[Floats], Floats]:
        """Return the fraction as a function of the logarithm of the density between two.

        It is a curve of ln(fraction) over ln(depth below the higher density), because the fraction
        begins as a power of it: where the map is densest it counts to the same relative error as
        elsewhere, and that is where counterparts are.
        """
        nodes = np.linspace(np.log(_SHALLOW), np.log(high - low + _SHALLOW), 65)

        def exact(x: Floats) -> Floats:
            depth = np.exp(x) - _SHALLOW
            found = [self._fraction(high - d) for d in depth]
            return np.log(np.maximum(found, np.finfo(np.float64).tiny))

        values = exact(nodes)
        check = np.arange(len(nodes) - 1)
        while len(check):
            curve = PchipInterpolator(nodes, values)
            middle = (nodes[check] + nodes[check + 1]) / 2
            true = exact(middle)
            # No finer: where a cell begins, the fraction rises like a square root.
            bad = (np.abs(curve(middle) - true) > _PRECISION) & (
                nodes[check + 1] - nodes[check] > 1e-4)
            nodes = np.insert(nodes, check + 1, middle)
            values = np.insert(values, check + 1, true)
            left = (check + np.arange(len(check)))[bad]
            check = np.sort(np.concatenate([left, left + 1]))
        curve = PchipInterpolator(nodes, values)
        return lambda log: np.minimum(np.exp(curve(np.log(high - log + _SHALLOW))), 1.0)


_UNITS = {"ra": "deg", "dec": "deg", "distance": "Mpc", "distance_error": "Mpc",
          "density": "sr-1", "density_3d": "Mpc-3"}


def score(
    skymap: SkyMap, candidates: Candidates, *, trials: int | None = None,
    max_distance: float | None = None,
) -> Table:
    """Score candidates against a map, see `Scorer`.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    candidates : Candidates
        The candidates.
    trials : int, optional
        Of how many candidates these are; by default as many as there are.
    max_distance : float, optional
        Out to which distance unrelated candidates would be found, Mpc.
    """
    return Scorer(skymap, max_distance).score(candidates, trials)


def distance_overlap(
    skymap: SkyMap, cell: Ints, distance: Floats, error: Floats,
) -> Floats:
    """Return the integral of the root of the product of two distributions of distance.

    That of the host is a Gaussian g(r) at d +- s, cut at r = 0; that of the event along the
    line of sight is p(r) = N r^2 exp(-(r - mu)^2 / (2 sigma^2)) / (sqrt(2 pi) sigma). Their
    product is again a Gaussian, of m = (d sigma^2 + mu s^2) / (sigma^2 + s^2) and
    v = sqrt(2) sigma s / sqrt(sigma^2 + s^2), times r^2, and

    integral sqrt(p g) dr = sqrt(N / (2 pi sigma s Phi(d / s)))
    exp(-(d - mu)^2 / (4 (sigma^2 + s^2))) (v^2 exp(-m^2 / (2 v^2)) + sqrt(2 pi) m v Phi(m / v)).

    Parameters
    ----------
    skymap : SkyMap
        A map with distances.
    cell : int64, shape (N,)
        Cells of the candidates.
    distance, error : float64, shape (N,)
        Mpc.

    Returns
    -------
    ndarray
        Between 0 and 1; not-a-number where a distance has no error.
    """
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    mu, sigma = skymap.distmu[cell], skymap.distsigma[cell]
    found = np.full(len(cell), np.nan)
    good = known(mu, sigma) & np.isfinite(distance) & (error > 0)
    mu, sigma, d, s = mu[good], sigma[good], distance[good], error[good]
    total = np.hypot(sigma, s)
    m = (d * sigma / s + mu * s / sigma) * (sigma / total) * (s / total)
    v = np.sqrt(2) * sigma / total * s
    log = 0.5 * (log_norms(mu, sigma) - np.log(2 * np.pi * sigma) - np.log(s) - log_ndtr(d / s))
    log -= np.square((d - mu) / (2 * total))
    # In one exponent, because for mu far below zero its parts are too large and too small.
    log += 2 * np.log(v) + 0.5 * np.log(2 * np.pi) + ansatz.log_first(m / v)
    found[good] = np.exp(np.minimum(log, 0))
    return found
