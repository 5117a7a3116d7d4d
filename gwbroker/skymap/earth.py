"""Where a spacecraft sees the Earth; light to import, because handlers ask for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ..errors import SkyMapError
from .bounds import check

RADIUS = 6378.137
"""Equatorial radius of the Earth, km (WGS 84)."""

FURTHEST = 1e7
"""Largest distance of a spacecraft from the Earth, km."""

_EPOCH = 2440587.5
"""Julian date of 1970-01-01T00:00."""

_WGS84 = 1


class Disc(NamedTuple):
    """A body in the sky: direction of its centre and angular radius, degrees."""

    ra: float
    dec: float
    radius: float


def earth_from(position: Sequence[float]) -> Disc:
    """Return where a spacecraft sees the Earth, from its geocentric position.

    Its angular radius is asin(R / r) from the distance r.

    Parameters
    ----------
    position : sequence of three floats
        Position in the inertial frame of right ascension and declination, km.

    Raises
    ------
    SkyMapError
        If it is not three finite numbers, or within the Earth.
    """
    try:
        x, y, z = (float(part) for part in position)
        distance = math.hypot(x, y, z)
    except (TypeError, ValueError):
        distance = math.nan
    if not math.isfinite(distance):
        raise SkyMapError("position", f"{position!r} is not three finite numbers of kilometres")
    if not RADIUS < distance < FURTHEST:
        raise SkyMapError(
            "position", f"is {distance:g} km from the centre of the Earth, not above its surface"
                        f" of {RADIUS:g} km; it is to be given in kilometres")
    return Disc(math.degrees(math.atan2(-y, -x)) % 360, math.degrees(math.asin(-z / distance)),
                math.degrees(math.asin(RADIUS / distance)))


def earth_below(
    longitude: float, latitude: float, altitude: float, time: datetime, *,
    geocentric: bool = False,
) -> Disc:
    """Return where a spacecraft sees the Earth, from the place above which it is.

    The rotation of the Earth is that of the IAU 2006 precession and 2000A nutation, with UT1
    taken as UTC: right within 0.004 degrees, and no table has to be downloaded.

    Parameters
    ----------
    longitude, latitude : float
        Degrees; longitude is positive to the east, and may be above 180.
    altitude : float
        Above the surface, km.
    time : datetime
        When (UTC, if it has no zone).
    geocentric : bool
        Whether latitude is the angle at the centre of the Earth instead of the geodetic one.

    Raises
    ------
    SkyMapError
        If a value is out of bounds.
    """
    import erfa

    east = math.radians(check("longitude", longitude, -360, 360))
    north = math.radians(check("latitude", latitude, -90, 90))
    altitude = check("altitude", altitude, 0, 1e6)
    if geocentric:
        far, up = RADIUS + altitude, math.cos(north)
        place = [far * up * math.cos(east), far * up * math.sin(east), far * math.sin(north)]
    else:
        place = [float(part) / 1000 for part in erfa.gd2gc(_WGS84, east, north, altitude * 1000)]
    moment = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    days = moment.timestamp() / 86400
    # Precession does not tell UTC from terrestrial time.
    to_ground = erfa.c2t06a(_EPOCH, days, _EPOCH, days, 0.0, 0.0)
    # It rotates from the sky to the ground; its transpose goes the other way.
    return earth_from([float(part) for part in to_ground.T @ place])
