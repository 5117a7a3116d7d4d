"""Projections of the sky onto a plane, seen from inside: right ascension grows to the left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .mesh import tangent
from .multiorder import Floats


def to_vectors(ra: npt.ArrayLike, dec: npt.ArrayLike) -> Floats:
    """Return unit vectors, shape (..., 3), of positions in degrees."""
    a, d = np.radians(ra), np.radians(dec)
    x, y, z = np.broadcast_arrays(np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d))
    return np.stack([x, y, z], axis=-1)


def to_degrees(vectors: Floats) -> tuple[Floats, Floats]:
    """Return right ascension and declination, degrees, of vectors of shape (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    ra = np.degrees(np.arctan2(y, x)) % 360
    return ra, np.degrees(np.arctan2(z, np.hypot(x, y)))


@dataclass(frozen=True)
class Mollweide:
    """The whole sky, with equal areas, in an ellipse |x| <= 2, |y| <= 1 (Snyder 1987, p. 251).

    Parameters
    ----------
    ra : float
        Right ascension in the middle, degrees.
    """

    ra: float = 180.0

    def forward(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return x and y of positions in degrees; x = 2 is the western end."""
        lon = (np.asarray(ra, np.float64) - self.ra + 180) % 360 - 180
        return self.place(lon, dec)

    def place(self, lon: npt.ArrayLike, dec: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return x and y of positions given by their angle east of the middle, degrees."""
        target = np.pi * np.sin(np.radians(np.asarray(dec, np.float64)))
        # 2 t + sin 2 t = pi sin dec, by bisection: Newton stalls at the poles.
        low, high = np.full(target.shape, -np.pi / 2), np.full(target.shape, np.pi / 2)
        for _ in range(45):
            t = (low + high) / 2
            above = 2 * t + np.sin(2 * t) > target
            low, high = np.where(above, low, t), np.where(above, t, high)
        t = (low + high) / 2
        return np.asarray(-np.asarray(lon, np.float64) / 90 * np.cos(t), np.float64), np.sin(t)

    def backward(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return positions in degrees; not-a-number outside of the ellipse."""
        inside = (x / 2) ** 2 + y**2 < 1
        t = np.arcsin(np.where(inside, y, 0))
        lon = np.where(inside, -90 * x / np.cos(t), np.nan)
        dec = np.degrees(np.arcsin(np.clip((2 * t + np.sin(2 * t)) / np.pi, -1, 1)))
        return (self.ra + lon) % 360, np.where(inside, dec, np.nan)

    def mesh(self, x: Floats, y: Floats) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
        """Return the positions, degrees, of a grid of columns x and rows y that are on the sky.

        Returns
        -------
        ra, dec : ndarray, shape (M,)
            Positions of the points on the sky, row by row.
        inside : ndarray of bool, shape (rows, columns)
            Which points they are.
        """
        # Of a row all have the same declination, so that nothing is worked out per point.
        inside = (x / 2) ** 2 + y[:, np.newaxis] ** 2 < 1
        t = np.arcsin(np.clip(y, -1, 1))
        dec = np.degrees(np.arcsin(np.clip((2 * t + np.sin(2 * t)) / np.pi, -1, 1)))
        scale = -90 / np.maximum(np.cos(t), 1e-12)
        ra = self.ra + (scale[:, np.newaxis] * x)[inside]
        ra[ra < 0] += 360
        ra[ra >= 360] -= 360
        return ra, np.repeat(dec, inside.sum(axis=1)), inside


@dataclass(frozen=True)
class Orthographic:
    """The sky seen from far away; x and y are sines of angles from the middle.

    Parameters
    ----------
    ra, dec : float
        The middle, degrees.
    """

    ra: float
    dec: float

    def forward(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Return x and y of unit vectors; not-a-number on the far side."""
        centre, east, north = tangent(self.ra, self.dec)
        front = vectors @ centre > 0
        # Differences from the middle, because arcseconds cancel.
        away = vectors - centre
        return np.where(front, -(away @ east), np.nan), np.where(front, away @ north, np.nan)

    def backward(self, x: Floats, y: Floats) -> Floats:
        """Return unit vectors, shape (..., 3)."""
        centre, east, north = tangent(self.ra, self.dec)
        depth = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
        return np.asarray(
            depth[..., np.newaxis] * centre
            - x[..., np.newaxis] * east
            + y[..., np.newaxis] * north,
            np.float64,
        )
