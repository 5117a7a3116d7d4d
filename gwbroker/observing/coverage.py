"""Coverage: how much probability fields hold, each place counted once."""

from __future__ import annotations

import healpy as hp
import numpy as np
from scipy.spatial import cKDTree

from ..skymap.multiorder import DEEPEST, Floats, SkyMap
from .fields import Fields
from .pieces import Pieces, healpix_level, of
from .telescopes import Telescope

FINE = 32
"""Pieces of the sky per side of a field, at least; the probability of a field of a smooth map is
then right to about 0.5 %, and that of many to less, because what one loses its neighbour has."""

BUDGET = 1_500_000
"""Most pieces; with more, they are twice as wide."""

_RADII = np.array([hp.max_pixrad(2**level) for level in range(DEEPEST + 1)])
"""Of the circle around the widest cell of each level, rad."""


def coverage(skymap: SkyMap, telescope: Telescope, fields: Fields) -> tuple[Floats, Floats]:
    """Return the probability in each field, and how much of it no earlier field holds.

    Parameters
    ----------
    skymap : SkyMap
        The map; all of it counts, not only a credible region.
    telescope : Telescope
        For its field of view.
    fields : Fields
        In the order in which they are taken.
    """
    if len(fields) == 0:
        return np.empty(0), np.empty(0)
    pieces = near(skymap, telescope, fields)
    held = fields.hold(telescope, pieces.vectors)
    left = pieces.prob.copy()
    new = np.zeros(len(fields))
    for number in range(len(fields)):
        inside = held.indices[held.indptr[number]:held.indptr[number + 1]]
        new[number] = left[inside].sum()
        left[inside] = 0.0
    return np.asarray(held @ pieces.prob, np.float64), new


def near(skymap: SkyMap, telescope: Telescope, fields: Fields) -> Pieces:
    """Return the parts of a map in and around fields, split until they are small against them."""
    deepest = healpix_level(telescope.narrowest / FINE)
    sky = min(len(fields) * 2 * np.pi * (1 - np.cos(telescope.reach)), 4 * np.pi)
    while deepest > 0 and sky / (np.pi / 3 / 4**deepest) > BUDGET:
        deepest -= 1
    tree = cKDTree(fields.vectors)
    pieces = of(skymap, np.flatnonzero(skymap.prob > 0)).merge(deepest + 1)
    for level in range(min(int(pieces.level.min()), deepest), deepest + 1):
        pieces = pieces.split(level)
        chord = 2 * np.sin(np.minimum(telescope.reach + _RADII[pieces.level], np.pi) / 2)
        distance, _ = tree.query(pieces.vectors, distance_upper_bound=float(chord.max()) * 1.001)
        pieces = pieces.take(distance <= chord)
    return pieces
