"""The Galaxy: where its plane and its band are."""

from __future__ import annotations

import numpy as np

from .multiorder import Floats
from .projection import to_vectors

BAND = 10.0
"""Half the width of the galactic band, degrees."""


def galactic_axes() -> Floats:
    """Return the unit vectors of the galactic centre, of l = 90 deg and of the north pole.

    From the pole at RA 192.85948, Dec +27.12825 and the ascending node at l = 32.93192 deg
    (ESA 1997, The Hipparcos Catalogue, SP-1200, volume 1, section 1.5.3).
    """
    pole = to_vectors(192.85948, 27.12825)
    node = to_vectors(192.85948 + 90, 0.0)
    beyond = np.cross(pole, node)
    angle = np.radians(32.93192)
    centre = np.cos(angle) * node - np.sin(angle) * beyond
    return np.stack([centre, np.cross(pole, centre), pole])
