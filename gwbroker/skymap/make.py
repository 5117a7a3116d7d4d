"""Sky maps made from what a notice says: a position and an error radius, ellipse or polygon."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

from ..errors import SkyMapError
from .bounds import check, check_containment, check_position, check_radius
from .mesh import refine, sample, tangent
from .multiorder import Floats, SkyMap
from .polygon import polygon

__all__ = ["concentration", "cone", "ellipse", "polygon"]

BUDGET = 4000
"""About how many cells the inner part of a mesh may have, unless an ellipse is very thin."""

REACH = 4.0
"""Standard deviations within which a mesh is fine; 0.03 % of the probability is beyond."""

THINNEST = 300
"""Ratio of the axes of the thinnest ellipse."""


def concentration(radius: float, containment: float) -> float:
    """Return kappa of the Fisher distribution with a given probability within a radius.

    The density is p = kappa / (4 pi sinh kappa) exp(kappa cos theta) (Fisher 1953, Proc. R.
    Soc. A 217, 295). The probability within theta is, with u = 1 - cos theta,
    P = (1 - exp(-kappa u)) / (1 - exp(-2 kappa)), which is solved for kappa.
    For kappa > 20 the denominator is one and kappa = -ln(1 - P) / u.

    Parameters
    ----------
    radius : float
        Degrees.
    containment : float
        Probability within it, between 0 and 1.

    Raises
    ------
    SkyMapError
        If a value is out of bounds, or even a uniform sky has more probability in the radius.
    """
    radius = check_radius("radius", radius)
    containment = check_containment(containment)
    u = 2 * np.sin(np.radians(radius) / 2) ** 2
    if containment <= u / 2 + 1e-9:
        raise SkyMapError(
            "radius",
            f"{radius:g} deg at containment {containment:g} is wider than the whole sky, of which"
            f" it holds {u / 2:.3g}",
        )
    asymptote = float(-np.log1p(-containment) / u)
    if asymptote > 20:
        return asymptote
    return float(
        brentq(
            lambda k: np.expm1(-k * u) / np.expm1(-2 * k) - containment, 1e-9, asymptote + 1e-9,
            xtol=1e-12,
        )
    )


def cone(ra: float, dec: float, radius: float, containment: float) -> SkyMap:
    """Return the map of a position with an error radius: a Fisher distribution.

    Parameters
    ----------
    ra, dec : float
        Position, degrees.
    radius : float
        Error radius, degrees.
    containment : float
        Probability that the source is within the radius, between 0 and 1; for example 0.9,
        or 0.393 for a radius of one standard deviation of each coordinate.

    Raises
    ------
    SkyMapError
        If a value is out of bounds, naming the parameter and the value.
    """
    ra, dec = check_position(ra, dec)
    kappa = concentration(radius, containment)
    centre, _, _ = tangent(ra, dec)

    def density(vectors: Floats) -> Floats:
        # exp(kappa (cos theta - 1)): 1 - cos theta is half the square of the chord, which does
        # not cancel for arcseconds.
        return _floats(np.exp(-0.5 * kappa * np.square(vectors - centre).sum(axis=-1)))

    sigma = min(1 / np.sqrt(kappa), 1.0)

    def wanted(vectors: Floats) -> Floats:
        theta = _angle(vectors, centre)
        outside = (theta - REACH * sigma) / 3
        return _floats(np.maximum(_near(theta, sigma, sigma / 6), outside))

    return sample(*refine(wanted), density)


def ellipse(
    ra: float,
    dec: float,
    semi_major: float,
    semi_minor: float,
    position_angle: float,
    containment: float,
) -> SkyMap:
    """Return the map of a position with an error ellipse: a bivariate normal distribution.

    It is normal in the zenithal equidistant projection about the position (ARC; Calabretta &
    Greisen 2002, A&A 395, 1077, section 5.1.5), so that the ellipse, with semi-axes
    sqrt(-2 ln(1 - P)) standard deviations, holds exactly P on the sphere as well.

    Parameters
    ----------
    ra, dec : float
        Position, degrees.
    semi_major, semi_minor : float
        Semi-axes of the ellipse, degrees.
    position_angle : float
        Of the major axis, degrees from north to east.
    containment : float
        Probability that the source is within the ellipse, between 0 and 1.

    Raises
    ------
    SkyMapError
        If a value is out of bounds, naming the parameter and the value.
    """
    ra, dec = check_position(ra, dec)
    semi_major = check_radius("semi_major", semi_major)
    semi_minor = check_radius("semi_minor", semi_minor)
    angle = np.radians(check("position_angle", position_angle, -360, 360))
    containment = check_containment(containment)
    if not semi_major / THINNEST <= semi_minor <= semi_major:
        raise SkyMapError(
            "semi_minor",
            f"{semi_minor:g} is not from 1/{THINNEST} of the semi_major to it, {semi_major:g}",
        )
    a, b = np.radians([semi_major, semi_minor]) / np.sqrt(-2 * np.log1p(-containment))
    if np.exp(-0.5 * (np.pi / a) ** 2) > 1e-3:
        raise SkyMapError(
            "semi_major",
            f"{semi_major:g} deg at containment {containment:g} reaches around the whole sky",
        )
    centre, east, north = tangent(ra, dec)
    major = east * np.sin(angle) + north * np.cos(angle)
    minor = east * np.cos(angle) - north * np.sin(angle)

    def plane(vectors: Floats) -> tuple[Floats, Floats, Floats]:
        theta = _angle(vectors, centre)
        stretch = 1 / np.maximum(np.sinc(theta / np.pi), 1e-9)
        return (vectors @ major) * stretch, (vectors @ minor) * stretch, stretch

    def density(vectors: Floats) -> Floats:
        x, y, stretch = plane(vectors)
        return _floats(np.exp(-0.5 * ((x / a) ** 2 + (y / b) ** 2)) * stretch)

    finest = min(max(b / 6, REACH * np.sqrt(np.pi * a * b / BUDGET)), b / 2.5, 0.12)

    def wanted(vectors: Floats) -> Floats:
        x, y, _ = plane(vectors)
        # The distance to the ellipse is at least the excess of the scaled radius times b.
        outside = np.maximum(np.hypot(x / a, y / b) - REACH, 0) * b
        outside = np.maximum(outside, np.hypot(x, y) - REACH * a)
        return _floats(np.maximum(_near(np.hypot(x, y), b, finest), outside / 3))

    return sample(*refine(wanted), density)


def _near(theta: Floats, sigma: float, finest: float) -> Floats:
    """Return the widest cell wanted inside: `finest`, and finer still close to the middle.

    The most probable position is the centre of a cell, and is to be near the one given.
    """
    return _floats(np.clip(theta / 2, sigma / 100, finest))


def _angle(vectors: Floats, centre: Floats) -> Floats:
    """Return angles between unit vectors and one of them, rad, exact for small ones."""
    chord = np.sqrt(np.square(vectors - centre).sum(axis=-1))
    return _floats(2 * np.arcsin(np.minimum(chord / 2, 1)))


def _floats(values: Any) -> Floats:
    return np.asarray(values, np.float64)
