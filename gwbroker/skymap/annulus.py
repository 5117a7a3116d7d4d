"""Sky maps of a ring, as two distant spacecraft find by a burst's times of arrival."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from ..errors import SkyMapError
from .bounds import check_containment, check_position, check_radius
from .mesh import angle, refine, sample, tangent
from .multiorder import Floats, SkyMap

REACH = 3.0
"""Standard deviations within which the mesh is fine; beyond are 0.3 % of the probability."""

BUDGET = 15_000
"""About how many cells the ring may have before they become wider, as far as they can."""

MOST = 1_000_000
"""A ring that needs more cells is refused."""

COARSEST = 1.0
"""Widest cells of the ring, in standard deviations: the mean over a cell is still right."""

FINEST = 1e-3
"""Smallest standard deviation (rad) that the sums over the sphere resolve."""

NARROW = 0.02
"""Standard deviation (rad) below which the sphere's curvature across the ring is nothing."""


def annulus(ra: float, dec: float, radius: float, width: float, containment: float) -> SkyMap:
    """Return the map of a ring about a position: normal across, the same all around.

    The density falls with the distance from the ring's middle line as
    exp(-(theta - radius)^2 / 2 sigma^2), with the sigma for which `containment` lies within
    `width` of that line. Rings of several pairs of spacecraft (Hurley et al. 2013, ApJS 207,
    39) multiply: `gwbroker.skymap.combine.product`.

    Parameters
    ----------
    ra, dec : float
        Centre of the ring, degrees.
    radius : float
        Angle from the centre to the ring's middle line, degrees.
    width : float
        Half of the ring's width, degrees: IPN states it as the error of the radius.
    containment : float
        Probability that the source is within `width` of the middle line: 0.9973 for the 3
        sigma that IPN states.

    Raises
    ------
    SkyMapError
        If a value is out of bounds, the ring is wider than the sky, or so narrow that its map
        had more than a million cells.
    """
    ra, dec = check_position(ra, dec)
    middle = np.radians(check_radius("radius", radius))
    half = np.radians(check_radius("width", width))
    containment = check_containment(containment)
    sigma = _sigma(middle, half, containment)
    around = 2 * np.pi * np.sin(min(middle, np.pi - 1e-9)) * 2 * REACH * sigma
    if around / (COARSEST * sigma) ** 2 > MOST:
        raise SkyMapError(
            "width", f"{width:g} deg is so narrow that a ring of radius {radius:g} deg had more"
                     f" than {MOST} cells")
    finest = min(max(sigma / 4, np.sqrt(around / BUDGET)), COARSEST * sigma)
    centre, _, _ = tangent(ra, dec)

    def density(vectors: Floats) -> Floats:
        away = angle(vectors, centre) - middle
        return np.asarray(np.exp(-0.5 * (away / sigma) ** 2), np.float64)

    def wanted(vectors: Floats) -> Floats:
        away = np.abs(angle(vectors, centre) - middle)
        return np.asarray(np.maximum(finest, (away - REACH * sigma) / 3), np.float64)

    return sample(*refine(wanted), density)


def _sigma(middle: float, half: float, containment: float) -> float:
    """Return the standard deviation (rad) for which a ring holds what it is said to."""
    too_wide = SkyMapError(
        "width", f"{np.degrees(half):g} deg at containment {containment:g} is wider than the"
                 " whole sky")
    # From the tail, which is exact for containments next to one.
    scaled = -float(ndtri(0.5 - containment / 2)) or 1e-300
    simple = float(half) / scaled
    if simple < NARROW:
        return simple
    if half >= max(middle, np.pi - middle):
        raise too_wide
    inside = np.linspace(max(middle - half, 0), min(middle + half, np.pi), 2001)
    whole = np.linspace(0, np.pi, 8001)

    def excess(sigma: float) -> float:
        part, total = (
            np.trapezoid(np.exp(-0.5 * ((t - middle) / sigma) ** 2) * np.sin(t), t)
            for t in (inside, whole))
        return float(part / total - containment)

    if excess(100.0) >= 0:
        raise too_wide
    # A ring about a point has less room inside than one across the sky.
    low = min(simple / 20, 5.0)
    while low > FINEST and excess(low) <= 0:
        low /= 2
    if low <= FINEST:
        raise SkyMapError(
            "width", f"{np.degrees(half):g} deg cannot hold {containment:g} of a ring of radius"
                     f" {np.degrees(middle):g} deg")
    return float(brentq(excess, low, 100.0))
