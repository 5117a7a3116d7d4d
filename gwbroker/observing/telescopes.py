"""Telescope: field of view, limits and times; a few well-known ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from ..skymap.bounds import check
from ..skymap.multiorder import Floats
from .limits import Limits
from .sites import SITES, Site

SMALLEST = 1 / 60
"""Narrowest field of view that is planned for, degrees."""


@dataclass(frozen=True)
class Telescope:
    """What a plan has to know of a telescope.

    Parameters
    ----------
    name : str
        How people call it.
    width, height : float
        Field of view, degrees; of the tangent plane. If they are absent it is a circle.
    radius : float
        Of a circular field of view, degrees; 0 for a rectangle.
    angle : float
        Of the rectangle's height, degrees from north to east.
    site : Site, optional
        Where it stands.
    limits : Limits
        Where it may point.
    exposure : float
        Time per tile, s.
    overhead : float
        Added to each exposure, s.
    readout : float
        Time until the next exposure may begin, s; the telescope moves meanwhile.
    slew : float
        Rate, degrees per second along the great circle.
    settle : float
        Added to each move, s.
    filter_change : float
        Time to change the filter, s.

    Raises
    ------
    SkyMapError
        Naming the parameter and the value.
    """

    name: str
    width: float = 0.0
    height: float = 0.0
    radius: float = 0.0
    angle: float = 0.0
    site: Site | None = None
    limits: Limits = field(default_factory=Limits)
    exposure: float = 60.0
    overhead: float = 0.0
    readout: float = 0.0
    slew: float = 1.0
    settle: float = 0.0
    filter_change: float = 0.0

    def __post_init__(self) -> None:
        if self.radius:
            check("field of view: radius", self.radius, SMALLEST / 2, 40)
            if self.width or self.height:
                raise SkyMapError("field of view", "is a circle by its radius, and a rectangle by"
                                  " its width and height; give one of them")
        else:
            check("field of view: width", self.width, SMALLEST, 60)
            check("field of view: height", self.height, SMALLEST, 60)
        check("angle", self.angle, -360, 360)
        check("exposure", self.exposure, 0.1, 86400)
        check("slew", self.slew, 1e-3, 1e3)
        for name in ("overhead", "readout", "settle", "filter_change"):
            check(name, getattr(self, name), 0, 86400)

    @property
    def reach(self) -> float:
        """The largest angle from the centre to the edge, rad."""
        if self.radius:
            return float(np.radians(self.radius))
        x, y = np.tan(np.radians([self.width / 2, self.height / 2]))
        return float(np.arctan(np.hypot(x, y)))

    @property
    def narrowest(self) -> float:
        """The smaller side, or the diameter, degrees."""
        return 2 * self.radius if self.radius else min(self.width, self.height)

    def inside(self, north: npt.ArrayLike, east: npt.ArrayLike, ahead: npt.ArrayLike) -> (
            npt.NDArray[np.bool_]):
        """Tell which directions are in the field, by their parts along its axes.

        The projection is gnomonic (TAN; Calabretta & Greisen 2002, A&A 395, 1077, 5.1.3).
        """
        n, e, a = (np.asarray(x, np.float64) for x in (north, east, ahead))
        if self.radius:
            # By the sine: the cosine of a small angle has no digits left.
            angle = np.arctan2(np.hypot(n, e), a)
            return np.asarray(angle <= np.radians(self.radius), np.bool_)
        sin, cos = np.sin(np.radians(self.angle)), np.cos(np.radians(self.angle))
        x, y = e * cos - n * sin, e * sin + n * cos
        half_width, half_height = np.tan(np.radians([self.width / 2, self.height / 2]))
        return np.asarray((a > 0) & (np.abs(x) <= half_width * a)
                          & (np.abs(y) <= half_height * a), np.bool_)

    def outline(self) -> tuple[Floats, Floats]:
        """Return the edge in the tangent plane: north and east, as tangents of angles."""
        if self.radius:
            turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            size = np.tan(np.radians(self.radius))
            return size * np.cos(turn), size * np.sin(turn)
        w, h = np.tan(np.radians([self.width / 2, self.height / 2]))
        along = np.linspace(-1, 1, 8, endpoint=False)
        one = np.ones(8)
        x = w * np.concatenate([along, one, -along, -one])
        y = h * np.concatenate([-one, along, one, -along])
        sin, cos = np.sin(np.radians(self.angle)), np.cos(np.radians(self.angle))
        return y * cos - x * sin, x * cos + y * sin


PRESETS = {
    # Field, 8.2 s readout and 30 s exposures: Bellm et al. (2019), PASP 131, 018002, and Dekany
    # et al. (2020), PASP 132, 038001. Slew: the slower axis of Bellm et al. (2019), 131, 068003.
    "ztf": Telescope("ZTF", 7.32, 7.50, site=SITES["palomar"], exposure=30, readout=8.2, slew=2.5,
                     settle=1, filter_change=110,
                     limits=Limits(airmass=2.5, declination=(-31.0, 90.0))),
    # 3 deg2 and 20 s readout: Flaugher et al. (2015), AJ 150, 150. The circle has this area; the
    # slew rate is a round figure.
    "decam": Telescope("DECam", radius=0.977, site=SITES["ctio"], exposure=90, readout=20,
                       slew=0.5, settle=5, limits=Limits(airmass=2.0, hour_angle=5.25)),
    # 9.6 deg2, 30 s visits, 2 s readout, 5 s to the neighbour: Ivezic et al. (2019), ApJ 873, 111.
    "rubin": Telescope("Rubin", radius=1.75, site=SITES["rubin"], exposure=30, readout=2,
                       slew=3.5, settle=4, filter_change=120, limits=Limits(airmass=2.0)),
    # 8 x 5.5 deg tiles, 4 exposures of 45 s: Dyer et al. (2024), Proc. SPIE 13094. The times
    # between exposures are round figures.
    "goto": Telescope("GOTO north", 8.0, 5.5, site=SITES["roque"], exposure=180, readout=15,
                      slew=4, settle=5, limits=Limits(airmass=2.0)),
    "goto-south": Telescope("GOTO south", 8.0, 5.5, site=SITES["siding-spring"], exposure=180,
                            readout=15, slew=4, settle=5, limits=Limits(airmass=2.0)),
    # No real one: what many universities have.
    "half-metre": Telescope("0.5 m, 20 arcmin", 1 / 3, 1 / 3, exposure=60, readout=5, slew=2,
                            settle=5),
}
"""Telescopes by name. Their times are typical; for a real night give your own."""
