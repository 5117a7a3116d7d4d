"""Positions drawn from analytic distributions, without any code that makes maps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gwbroker.skymap.projection import to_degrees, to_vectors

Floats = npt.NDArray[np.float64]


def axes(centre: Floats) -> tuple[Floats, Floats]:
    """Return unit vectors to the east and north of a unit vector."""
    east = np.cross([0.0, 0.0, 1.0], centre)
    east /= np.linalg.norm(east)
    return east, np.cross(centre, east)


def displaced(centre: Floats, theta: float, towards: float) -> Floats:
    """Return the unit vector at an angle (rad) from another, towards an angle east of north."""
    east, north = axes(centre)
    way = np.sin(towards) * east + np.cos(towards) * north
    return np.asarray(np.cos(theta) * centre + np.sin(theta) * way)


def fisher_angle(rng: np.random.Generator, kappa: float) -> float:
    """Return an angle (rad) from the mean of a Fisher distribution, by its inverse."""
    u = -np.log1p(rng.random() * np.expm1(-2 * kappa)) / kappa
    return float(2 * np.arcsin(np.sqrt(u / 2)))


def kappa_of(radius: float, containment: float) -> float:
    """Return the concentration that has a containment in a radius (degrees), by bisection."""
    u = 1 - np.cos(np.radians(radius))
    low, high = 1e-6, 1e12
    for _ in range(200):
        middle = np.sqrt(low * high)
        inside = np.expm1(-middle * u) / np.expm1(-2 * middle)
        low, high = (middle, high) if inside < containment else (low, middle)
    return float(low)


def fisher(rng: np.random.Generator, centre: Floats, kappa: float) -> Floats:
    """Return a unit vector drawn from a Fisher distribution."""
    return displaced(centre, fisher_angle(rng, kappa), rng.uniform(0, 2 * np.pi))


def anywhere(rng: np.random.Generator) -> Floats:
    """Return a unit vector drawn from the whole sky."""
    return to_vectors(rng.uniform(0, 360), np.degrees(np.arcsin(rng.uniform(-1, 1))))


def degrees(vector: Floats) -> tuple[float, float]:
    """Return right ascension and declination of a unit vector, degrees."""
    ra, dec = to_degrees(vector)
    return float(ra), float(dec)
