"""Sky maps made from what a notice says: a position and its error, of whatever shape."""

from __future__ import annotations

import numpy as np

from ..errors import SkyMapError
from .annulus import annulus
from .bounds import check, check_containment, check_position, check_radius
from .fisher import REACH, concentration, mixture
from .gbm import gbm
from .mesh import angle, near, refine, sample, tangent
from .multiorder import Floats, SkyMap
from .polygon import polygon

__all__ = ["annulus", "concentration", "cone", "ellipse", "gbm", "polygon"]

BUDGET = 4000
"""About how many cells the inner part of a mesh may have, unless an ellipse is very thin."""

THINNEST = 300
"""Ratio of the axes of the thinnest ellipse."""


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
    return mixture(ra, dec, [(1.0, concentration(radius, containment))])


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
    turn = np.radians(check("position_angle", position_angle, -360, 360))
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
    major = east * np.sin(turn) + north * np.cos(turn)
    minor = east * np.cos(turn) - north * np.sin(turn)

    def plane(vectors: Floats) -> tuple[Floats, Floats, Floats]:
        theta = angle(vectors, centre)
        stretch = 1 / np.maximum(np.sinc(theta / np.pi), 1e-9)
        return (vectors @ major) * stretch, (vectors @ minor) * stretch, stretch

    def density(vectors: Floats) -> Floats:
        x, y, stretch = plane(vectors)
        return np.asarray(np.exp(-0.5 * ((x / a) ** 2 + (y / b) ** 2)) * stretch, np.float64)

    finest = min(max(b / 6, REACH * np.sqrt(np.pi * a * b / BUDGET)), b / 2.5, 0.12)

    def wanted(vectors: Floats) -> Floats:
        x, y, _ = plane(vectors)
        # The distance to the ellipse is at least the excess of the scaled radius times b.
        outside = np.maximum(np.hypot(x / a, y / b) - REACH, 0) * b
        outside = np.maximum(outside, np.hypot(x, y) - REACH * a)
        return np.asarray(np.maximum(near(np.hypot(x, y), b, finest), outside / 3), np.float64)

    return sample(*refine(wanted), density)
