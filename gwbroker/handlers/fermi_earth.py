"""Where Fermi saw the Earth, as far as its notices can be believed.

A wrong mask would take the true position out of the map, so that in doubt there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..report import Cone
from .fields import Fields

if TYPE_CHECKING:
    from ..skymap.earth import Disc

KILOMETRES = 1 / 16
"""Unit of SC_Geo_X, Y and Z, which the notices do not state.

With it the vector of GRB 180116A's notice has the length of Fermi's orbit, 6904 km; and taken
in the frame of right ascension and declination, Phi, Theta and the Sun's place of that notice
put the LAT's axis 50 degrees from the zenith, as Fermi's survey mode does.
"""

HEIGHTS = (450.0, 600.0)
"""Heights of Fermi above the Earth, km, that are possible: it began at 565."""

INCLINATION = 26.5
"""Largest latitude above which Fermi can be, degrees: its orbit is inclined by 25.6."""

ROCKING = 75.0
"""Largest angle between the LAT's axis and the zenith, degrees: 50 in survey mode."""

ALTITUDE = 525.0
"""Fermi's height above the Earth, km, where a notice has none; 25 km are 0.5 deg of limb."""

MINUTES = timedelta(minutes=4)
"""Most by which a notice's times may differ; in four minutes the Earth turns by a degree."""


def of_vector(fields: Fields) -> Disc | None:
    """Return the Earth as seen from ``SC_Geo_X``, ``Y`` and ``Z``, None if it is doubtful."""
    from ..skymap.earth import RADIUS, earth_from

    parts = [fields.number(f"SC_Geo_{axis}") for axis in "XYZ"]
    vector = [part * KILOMETRES for part in parts if part is not None]
    if len(vector) < 3 or vector == [0, 0, 0]:
        return None
    height = math.hypot(*vector) - RADIUS
    if not HEIGHTS[0] <= height <= HEIGHTS[1]:
        fields.flag("SC_Geo_X", f"{height:.0f} km above the Earth is not Fermi's orbit,"
                                " so that the Earth is not masked")
        return None
    return earth_from(vector)


def of_place(fields: Fields, known: Sequence[datetime]) -> Disc | None:
    """Return the Earth as seen from above a longitude and latitude, None if it is doubtful.

    Parameters
    ----------
    fields : Fields
        Of a unified notice.
    known : sequence of datetime
        When the burst happened: as the notice says, and as its trigger number says.
    """
    from ..skymap.earth import earth_below

    longitude, latitude = fields.number("longitude", -180, 360), fields.number("latitude", -90, 90)
    if longitude is None or latitude is None:
        return None
    altitude = fields.number("altitude", *HEIGHTS)
    if altitude is None and fields.values.get("altitude") is not None:
        return None
    stated = fields.time("geoloc_time")
    moments = [*([] if stated is None else [stated]), *known]
    if not moments or not all(2008 <= moment.year < 2100 for moment in moments):
        return None  # Not while Fermi flies.
    if max(moments) - min(moments) > MINUTES:
        fields.flag("trigger_time", "is not that of the trigger number or of the place below,"
                                    " so that the Earth is not masked")
        return None
    # The schema (v6.1.0, core/GeoLocBase) calls both angles geocentric.
    return earth_below(longitude, latitude, ALTITUDE if altitude is None else altitude, moments[0],
                       geocentric=True)


def believed(place: Cone, earth: Disc, theta: float | None, fields: Fields) -> bool:
    """Tell whether the Earth can be there, noting if it cannot: a wrong mask is worse than none.

    Parameters
    ----------
    place : Cone
        Where the burst was.
    earth : Disc
        Where the spacecraft saw the Earth.
    theta : float, optional
        Angle between the burst and the LAT's axis, degrees.
    fields : Fields
        Where to note it.
    """
    away = separation(place.ra, place.dec, earth.ra, earth.dec)
    behind = earth.radius - away
    problem = None
    if abs(earth.dec) > INCLINATION:
        problem = (f"the spacecraft is above latitude {-earth.dec:.1f} deg, where Fermi's orbit"
                   " does not lead")
    elif behind > place.radius:
        problem = (f"the position is {behind:.1f} deg behind the limb of the Earth, more than its"
                   " error")
    elif theta is not None and abs(180 - away - theta) > ROCKING + place.radius:
        problem = (f"{theta:g} deg from the LAT's axis, the LAT would look further than"
                   f" {ROCKING:g} deg from the zenith")
    if problem is not None:
        fields.flag("ra, dec", f"{problem}, so that the Earth is not masked")
    return problem is None


def separation(ra: float, dec: float, ra2: float, dec2: float) -> float:
    """Return the angle between two positions, degrees (haversine formula)."""
    d1, d2, da = math.radians(dec), math.radians(dec2), math.radians(ra - ra2)
    h = math.sin((d1 - d2) / 2) ** 2 + math.cos(d1) * math.cos(d2) * math.sin(da / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(h))))
