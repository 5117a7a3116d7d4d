"""Completeness: how much of the starlight of a credible volume is in a catalogue."""

from __future__ import annotations

import math

from .catalogue import Catalogue
from .density import Density
from .layouts import SUN_B

LIGHT = 1.98e8
"""Blue light of the local universe, suns per Mpc^3 with M_B = 5.48, to 8 %.

Kopparapu et al. 2008, ApJ 675, 1459, section 4.2: (1.98 +- 0.16) 1e-2 in units of 1e10 suns."""

_SUN = 5.48


def completeness(density: Density, catalogue: Catalogue, luminosity: float) -> float | None:
    """Return the light of galaxies in a credible volume over that of an average volume.

    A ratio, not a probability: it may exceed one, because the universe is clumpy and
    distances have errors.

    Parameters
    ----------
    density : Density
        The map and its region.
    catalogue : Catalogue
        Where the galaxies are from.
    luminosity : float
        The sum of theirs, in suns.

    Returns
    -------
    float or None
        None unless the luminosities are blue and the region has a finite volume.
    """
    if density.volume is None or catalogue.manifest["band"] != "B":
        return None
    volume = float(density.volume.credible_volumes([density.level])[0])
    expected = LIGHT * 10 ** (0.4 * (SUN_B - _SUN)) * volume
    return luminosity / expected if 0 < expected < math.inf else None
