"""Fisher distributions: the normal distribution of the sphere, alone and in mixtures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from ..errors import SkyMapError
from .bounds import check_containment, check_position, check_radius
from .mesh import angle, near, refine, sample, tangent
from .multiorder import Floats, SkyMap

REACH = 4.0
"""Standard deviations within which a mesh is fine; 0.03 % of the probability is beyond."""

LARGE = 20.0
"""Concentration above which exp(-2 kappa) is nothing."""


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
    if asymptote > LARGE:
        return asymptote
    return float(
        brentq(
            lambda k: np.expm1(-k * u) / np.expm1(-2 * k) - containment, 1e-9, asymptote + 1e-9,
            xtol=1e-12,
        )
    )


def spread(kappa: float) -> float:
    """Return 1 - E[cos theta] of a Fisher distribution: 1 + 1 / kappa - coth kappa."""
    if kappa > LARGE:
        return 1 / kappa
    if kappa < 1e-3:
        return 1 - kappa / 3
    return float(1 + 1 / kappa - 1 / np.tanh(kappa))


def convolve(one: float, other: float) -> float:
    """Return the concentration of a Fisher distribution spread by another one.

    Of isotropic displacements on the sphere the mean cosines multiply, exactly; that the
    result is again nearly a Fisher distribution is shown by Roberts & Ursell (1960), Phil.
    Trans. R. Soc. A 252, 317. For small angles the standard deviations add in quadrature.
    """
    a, b = spread(one), spread(other)
    wanted = a + b - a * b
    if wanted < 1 / LARGE:
        return 1 / wanted
    return float(brentq(lambda k: spread(k) - wanted, 1e-9, 2 * LARGE, xtol=1e-12))


def mixture(ra: float, dec: float, parts: Sequence[tuple[float, float]]) -> SkyMap:
    """Return the map of Fisher distributions about one position.

    Parameters
    ----------
    ra, dec : float
        Position, degrees.
    parts : sequence of (float, float)
        Weight and concentration of each.

    Raises
    ------
    SkyMapError
        If the position is not on the sphere.
    """
    ra, dec = check_position(ra, dec)
    centre, _, _ = tangent(ra, dec)
    peaks = [weight * kappa / -np.expm1(-2 * kappa) for weight, kappa in parts]

    def density(vectors: Floats) -> Floats:
        # kappa (cos theta - 1): 1 - cos theta is half the square of the chord, which does
        # not cancel for arcseconds.
        away = vectors - centre
        half = -0.5 * np.einsum("...i,...i", away, away)
        total = np.zeros(half.shape)
        for peak, (_, kappa) in zip(peaks, parts, strict=True):
            total += peak * np.exp(kappa * half)
        return total

    sigmas = [min(1 / np.sqrt(kappa), 1.0) for _, kappa in parts]

    def wanted(vectors: Floats) -> Floats:
        theta = angle(vectors, centre)
        sizes = [np.maximum(near(theta, s, s / 6), (theta - REACH * s) / 3) for s in sigmas]
        return np.asarray(np.min(sizes, axis=0), np.float64)

    return sample(*refine(wanted), density)
