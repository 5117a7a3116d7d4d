"""Horizon: where the sky, the Sun and the Moon are above a site, at many times at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import erfa
import numpy as np
import numpy.typing as npt

from ..skymap.multiorder import Floats
from .sites import Site
from .times import DAY, UNIX_EPOCH, terrestrial

ACCURACY = 0.005
"""Of an altitude, degrees. UT1 is taken as UTC, from which it is kept within 0.9 s = 0.004 deg,
so that no table of the Earth's rotation has to be had, now or for next year's plan."""

_AU = erfa.DAU
_MOON_MEAN = 384_400e3
"""Only its ratio to the Sun's distance is used, for the illuminated fraction; m."""


class Horizon:
    """The sky above a site at given times.

    Directions of stars are ICRS unit vectors; they are corrected for annual aberration,
    precession, nutation and the Earth's rotation (IAU 2006/2000A; IERS Conventions 2010,
    chapter 5). Refraction is left out, as in astroplan's airmass limits.

    Parameters
    ----------
    site : Site
        The place.
    times : array_like, shape (T,)
        Seconds since 1970 UTC. Precession and nutation are those of the middle, which is right to
        0.2 arcseconds per day from it.
    paired : bool
        Whether there is one direction for each time: N is T then, and results that would have
        the shape (T, N) have (T,).
    """

    def __init__(self, site: Site, times: npt.ArrayLike, *, paired: bool = False) -> None:
        self.site = site
        self.paired = paired
        self.times: Floats = np.atleast_1d(np.asarray(times, np.float64))
        self._tt = terrestrial(self.times)
        middle = float(self._tt.mean()) if len(self._tt) else 0.0
        _heliocentric, barycentric = erfa.epv00(UNIX_EPOCH, middle)
        self._velocity: Floats = barycentric["v"] * (_AU / DAY / erfa.CMPS)
        celestial: Floats = erfa.c2i06a(UNIX_EPOCH, middle)
        rotation = erfa.era00(UNIX_EPOCH, self.times / DAY) + np.radians(site.lon)
        cos, sin = np.cos(rotation)[:, np.newaxis], np.sin(rotation)[:, np.newaxis]
        # Axes of the local meridian: on the equator and in the meridian, east, and the pole.
        self.meridian: Floats = cos * celestial[0] + sin * celestial[1]
        self.east: Floats = -sin * celestial[0] + cos * celestial[1]
        self.pole: Floats = celestial[2]
        lat = np.radians(site.lat)
        self.zenith: Floats = np.cos(lat) * self.meridian + np.sin(lat) * self.pole

    def apparent(self, vectors: Floats) -> Floats:
        """Return unit vectors, shape (N, 3), as aberration shifts them, by up to 20 arcseconds."""
        shifted = vectors + self._velocity
        return np.asarray(shifted / np.linalg.norm(shifted, axis=-1, keepdims=True), np.float64)

    def dot(self, axes: Floats, vectors: Floats) -> Floats:
        """Return the parts of unit vectors along axes of shape (T, 3), shape (T, N)."""
        if self.paired:
            return np.asarray(np.einsum("ij,ij->i", axes, vectors), np.float64)
        return np.asarray(axes @ vectors.T, np.float64)

    def sine(self, vectors: Floats) -> Floats:
        """Return the sines of the altitudes of unit vectors, shape (T, N)."""
        return self.dot(self.zenith, self.apparent(vectors))

    def altitude(self, vectors: Floats) -> Floats:
        """Return the altitudes of unit vectors, degrees, shape (T, N)."""
        return np.asarray(np.degrees(np.arcsin(np.clip(self.sine(vectors), -1, 1))), np.float64)

    def hour_angle(self, vectors: Floats) -> Floats:
        """Return the hour angles of unit vectors, hours from -12 to 12, shape (T, N)."""
        there = self.apparent(vectors)
        angle = np.arctan2(-self.dot(self.east, there), self.dot(self.meridian, there))
        return np.asarray(np.degrees(angle) / 15, np.float64)

    @cached_property
    def _sun(self) -> Floats:
        """From the Earth's centre to the Sun, m, shape (T, 3)."""
        return _smooth(lambda tt: -erfa.epv00(UNIX_EPOCH, tt)[0]["p"] * _AU, self._tt)

    @cached_property
    def sun(self) -> Floats:
        """Unit vectors to the Sun, shape (T, 3)."""
        return np.asarray(self._sun / np.linalg.norm(self._sun, axis=1)[:, np.newaxis], np.float64)

    @cached_property
    def sun_altitude(self) -> Floats:
        """Altitude of the Sun's centre, degrees, shape (T,)."""
        return self._own_altitude(self.sun)

    @cached_property
    def moon(self) -> Floats:
        """Unit vectors to the Moon as seen from the site, shape (T, 3).

        Position by Meeus (1998), Astronomical Algorithms, chapter 47, good to 5 arcseconds; the
        parallax is up to a degree.
        """
        centre = _smooth(lambda tt: erfa.moon98(UNIX_EPOCH, tt)["p"] * _AU, self._tt)
        # At longitude 0, so that the first axis is the one of the meridian.
        x, _, z = erfa.gd2gc(1, 0.0, np.radians(self.site.lat), self.site.height)
        seen = centre - (x * self.meridian + z * self.pole)
        return np.asarray(seen / np.linalg.norm(seen, axis=1)[:, np.newaxis], np.float64)

    @cached_property
    def moon_altitude(self) -> Floats:
        """Altitude of the Moon's centre, degrees, shape (T,)."""
        return self._own_altitude(self.moon)

    @cached_property
    def moon_illumination(self) -> Floats:
        """Illuminated fraction of the Moon, shape (T,) (Meeus 1998, equations 48.1 and 48.3)."""
        distance = np.linalg.norm(self._sun, axis=1)
        cos = np.einsum("ij,ij->i", self.sun, self.moon)
        sin = np.sqrt(np.maximum(1 - cos**2, 0))
        phase = np.arctan2(distance * sin, _MOON_MEAN - distance * cos)
        return np.asarray((1 + np.cos(phase)) / 2, np.float64)

    def moon_distance(self, vectors: Floats) -> Floats:
        """Return the angles from the Moon, degrees, shape (T, N)."""
        cosine = np.clip(self.dot(self.moon, vectors), -1, 1)
        return np.asarray(np.degrees(np.arccos(cosine)), np.float64)

    def _own_altitude(self, vectors: Floats) -> Floats:
        sine = np.einsum("ij,ij->i", self.zenith, self.apparent(vectors))
        return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))), np.float64)


def _smooth(position: Callable[[Floats], Floats], days: Floats) -> Floats:
    """Return positions at many times from the cubics through four hourly ones each.

    Over an hour the Moon's path departs from a cubic by less than 1e-9 of its distance.
    """
    first, last = float(days.min(initial=np.inf)), float(days.max(initial=-np.inf))
    nodes = max(5, int(np.ceil((last - first) * 24)) + 1) if len(days) else 5
    if len(days) <= nodes:
        return np.asarray(position(days), np.float64)
    if last == first:
        return np.repeat(position(days[:1]), len(days), axis=0)
    grid = np.linspace(first, last, nodes)
    place = (days - first) / (grid[1] - grid[0])
    before = np.clip(place.astype(np.int64) - 1, 0, nodes - 4)
    known, t = position(grid), place - before
    # Lagrange's weights of the nodes at 0, 1, 2 and 3.
    weights = (-(t - 1) * (t - 2) * (t - 3) / 6, t * (t - 2) * (t - 3) / 2,
               -t * (t - 1) * (t - 3) / 2, t * (t - 1) * (t - 2) / 6)
    return np.asarray(sum(w[:, np.newaxis] * known[before + k] for k, w in enumerate(weights)),
                      np.float64)


def unit(ra: npt.ArrayLike, dec: npt.ArrayLike) -> Floats:
    """Return unit vectors of positions in degrees, shape (..., 3)."""
    a, d = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(dec, np.float64))
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a),
                     np.sin(d) * np.ones_like(a)], axis=-1)


def degrees(vectors: Floats) -> tuple[Floats, Floats]:
    """Return right ascension (0 to 360) and declination of unit vectors, degrees."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    ra = np.degrees(np.arctan2(y, x)) % 360.0
    return np.asarray(np.where(ra == 360.0, 0.0, ra), np.float64), np.asarray(
        np.degrees(np.arctan2(z, np.hypot(x, y))), np.float64)
