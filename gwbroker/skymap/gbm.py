"""Sky maps of Fermi GBM's positions, whose systematic errors have a core and a tail."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SkyMapError
from .fisher import concentration, convolve, mixture
from .multiorder import SkyMap

SIGMA = 0.68
"""What the radii of the systematic errors hold (Briggs et al. 1999, ApJS 122, 503)."""


@dataclass(frozen=True)
class Systematics:
    """How far positions are off beyond their statistical errors.

    Parameters
    ----------
    fraction : float
        Of the bursts in the core; the others are in the tail.
    core, tail : float
        Radii that hold 68 % of each, degrees.
    source : str
        Who found them.
    """

    fraction: float
    core: float
    tail: float
    source: str


OLD = "Connaughton et al. 2015, ApJS 216, 32; Goldstein et al. 2020, ApJ 895, 40"
ROBOBA = "GCN Circular 25726; Goldstein et al. 2020, ApJ 895, 40 (arXiv:1909.03006)"

SYSTEMATICS = {
    "flight": Systematics(0.897, 7.52, 55.6, OLD),
    "ground": Systematics(0.804, 3.72, 13.7, OLD),
    "final": Systematics(0.900, 3.71, 14.3, OLD),
    "roboba": Systematics(0.52, 1.8, 4.1, ROBOBA),
    "roboba-long": Systematics(0.58, 1.9, 4.1, ROBOBA),
    "roboba-short": Systematics(0.39, 2.6, 4.4, ROBOBA),
}
"""By who located the burst: the spacecraft, the automatic pipeline on the ground, a human, or
RoboBA, the pipeline that replaces the human, as it is since 2019-09-11: of all bursts, and of
those that it calls long or short.
"""


def gbm(ra: float, dec: float, radius: float, containment: float, located: str) -> SkyMap:
    """Return the map of a position that Fermi GBM found.

    It is a mixture of two Fisher distributions, core and tail of the systematic errors, each
    spread by the statistical one (`gwbroker.skymap.fisher.convolve`: in quadrature, where the
    errors are small).

    Parameters
    ----------
    ra, dec : float
        Position, degrees.
    radius : float
        Statistical error radius, degrees.
    containment : float
        Probability that the statistical error is within the radius; Fermi's is 0.68.
    located : str
        Who located it: a key of `SYSTEMATICS`, as ``final``.

    Raises
    ------
    SkyMapError
        If a value is out of bounds, naming the parameter and the value.
    """
    if located not in SYSTEMATICS:
        raise SkyMapError("located", f"{located!r} is not one of {', '.join(SYSTEMATICS)}")
    of = SYSTEMATICS[located]
    statistical = concentration(radius, containment)
    return mixture(ra, dec, [
        (of.fraction, convolve(statistical, concentration(of.core, SIGMA))),
        (1 - of.fraction, convolve(statistical, concentration(of.tail, SIGMA))),
    ])
