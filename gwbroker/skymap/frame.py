"""Frame: the part of the sky that a zoomed picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .multiorder import Floats, SkyMap
from .projection import Orthographic, to_degrees
from .regions import credible_levels, most_probable

WIDEST = np.radians(40.0)
"""A region that reaches further than this from its middle is shown in part."""


@dataclass(frozen=True)
class Frame:
    """The square part of the sky that a zoomed picture shows.

    Parameters
    ----------
    ra, dec : float
        The middle, degrees.
    half : float
        Half its width in the orthographic projection: the sine of an angle.
    whole : bool
        Whether all of the 90 % region is inside.
    """

    ra: float
    dec: float
    half: float
    whole: bool

    @property
    def projection(self) -> Orthographic:
        """The projection of the picture."""
        return Orthographic(self.ra, self.dec)


def frame(skymap: SkyMap, margin: float = 1.25) -> Frame:
    """Return the frame around the 90 % region, or its densest part where it is spread.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    margin : float
        How much wider than the region the frame is.
    """
    order = credible_levels(skymap)
    inside = order - skymap.prob < 0.9
    vectors, size = skymap.vectors[inside], np.sqrt(skymap.area[inside])
    middle = skymap.prob[inside] @ vectors
    middle = middle / max(float(np.linalg.norm(middle)), 1e-300)
    whole = bool((_angle(vectors, middle) + size < WIDEST).all())
    if not whole:
        peak = most_probable(skymap)
        middle = Orthographic(peak.ra, peak.dec).backward(np.zeros(()), np.zeros(()))
        near = _angle(vectors, middle) < WIDEST * 0.75
        vectors, size = vectors[near], size[near]
    ra, dec = (float(v) for v in to_degrees(middle))
    projection = Orthographic(ra, dec)
    x, y = projection.forward(vectors)
    edges = np.array(
        [[(x - size / 2).min(), (x + size / 2).max()], [(y - size / 2).min(), (y + size / 2).max()]]
    )
    middle = projection.backward(*edges.mean(axis=1))
    ra, dec = (float(v) for v in to_degrees(middle))
    half = margin * float(np.ptp(edges, axis=1).max()) / 2
    return Frame(ra, dec, min(half, float(np.sin(WIDEST))), whole)


def _angle(vectors: Floats, middle: Floats) -> Floats:
    chord = np.linalg.norm(vectors - middle, axis=-1)
    return np.asarray(2 * np.arcsin(np.minimum(chord / 2, 1)), np.float64)
