"""Limits: where and when a telescope may point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import SkyMapError
from ..skymap.bounds import check
from ..skymap.multiorder import Floats
from .horizon import Horizon

Bools = npt.NDArray[np.bool_]

TWILIGHT = {"civil": -6.0, "nautical": -12.0, "astronomical": -18.0}
"""Altitude of the Sun's centre at the end of each twilight, degrees."""


@dataclass(frozen=True)
class Limits:
    """Where and when a telescope may point.

    Parameters
    ----------
    airmass : float
        The most, as 1 / sin(altitude): 2 is 30 degrees above the horizon.
    moon : float
        Least distance from the Moon, degrees, whether it is up or not.
    twilight : {"astronomical", "nautical", "civil"}
        The Sun has to be 18, 12 or 6 degrees below the horizon.
    declination : (float, float)
        From and to, degrees.
    hour_angle : float
        The most, hours on either side of the meridian.

    Raises
    ------
    SkyMapError
        Naming the limit and its value.
    """

    airmass: float = 2.0
    moon: float = 30.0
    twilight: str = "astronomical"
    declination: tuple[float, float] = (-90.0, 90.0)
    hour_angle: float = 12.0

    def __post_init__(self) -> None:
        if not 1 <= _number("airmass", self.airmass) < 1000:
            raise SkyMapError("airmass", f"{self.airmass:g} is not from 1 (the zenith) to 1000")
        check("moon", self.moon, 0, 180)
        if self.twilight not in TWILIGHT:
            raise SkyMapError("twilight", f"{self.twilight!r} is not {', '.join(TWILIGHT)}")
        try:
            low, high = self.declination
        except (TypeError, ValueError):
            raise SkyMapError("declination", f"{self.declination!r} is not two numbers, from and"
                              " to, in degrees") from None
        check("declination", high, check("declination", low, -90, 90), 90)
        if not 0 < _number("hour_angle", self.hour_angle) <= 12:
            raise SkyMapError("hour_angle", f"{self.hour_angle:g} is not more than 0 and at most"
                              " 12 hours")

    @property
    def sun(self) -> float:
        """The highest altitude of the Sun, degrees."""
        return TWILIGHT[self.twilight]

    def dark(self, horizon: Horizon) -> Bools:
        """Tell when it is dark, shape (T,)."""
        return np.asarray(horizon.sun_altitude <= self.sun, np.bool_)

    def each(self, horizon: Horizon, vectors: Floats) -> dict[str, Bools]:
        """Return for each limit where it is kept, shape (T, N), by its name."""
        sine = np.clip(horizon.sine(vectors), -1, 1)
        # Rounding must not refuse the very zenith.
        kept = {"airmass": sine >= 1 / self.airmass - 1e-12}
        if self.hour_angle < 12:
            kept["hour angle"] = np.abs(horizon.hour_angle(vectors)) <= self.hour_angle
        low, high = self.declination
        if (low, high) != (-90.0, 90.0):
            z = vectors[:, 2]
            inside = (z >= np.sin(np.radians(low))) & (z <= np.sin(np.radians(high)))
            kept["declination"] = np.broadcast_to(inside, sine.shape)
        if self.moon > 0:
            kept["Moon"] = horizon.dot(horizon.moon, vectors) <= np.cos(np.radians(self.moon))
        return kept

    def allow(self, horizon: Horizon, vectors: Floats) -> Bools:
        """Tell when each direction may be observed, darkness included, shape (T, N)."""
        dark = self.dark(horizon)
        allowed = dark if horizon.paired else dark[:, np.newaxis]
        for kept in self.each(horizon, vectors).values():
            allowed = allowed & kept
        return allowed


def _number(name: str, value: float) -> float:
    return check(name, value, -np.inf, np.inf)
