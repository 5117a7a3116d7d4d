"""Fermi GBM: systematic errors, the Earth that hides bursts, and the maps that come later."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..notice import Notice
from ..report import GBM, Cone, Report
from ..streams import voevent
from ..streams.gcn import NoticeType
from . import classic
from .containment import TABLE
from .fields import Fields
from .unified import load

if TYPE_CHECKING:
    from ..skymap.earth import Disc

LOCATED = {
    NoticeType.FERMI_GBM_FLT_POS: "flight", NoticeType.FERMI_GBM_GND_POS: "ground",
    NoticeType.FERMI_GBM_FIN_POS: "final", "FLIGHT_POSITION": "flight",
    "GROUND_POSITION": "ground", "FINAL_POSITION": "final",
}
"""Who located the burst, by a classic notice's type or a unified notice's ``subtype``."""

KILOMETRES = 1 / 16
"""Unit of SC_Geo_X, Y and Z, which the notices do not state.

With it the vector of GRB 180116A's notice has the length of Fermi's orbit, 6904 km; and taken
in the frame of right ascension and declination, Phi, Theta and the Sun's place of that notice
put the LAT's axis 50 degrees from the zenith, as Fermi's survey mode does.
"""

ORBIT = (6600.0, 7200.0)
"""Distances of Fermi from the centre of the Earth, km, that are possible."""

ALTITUDE = 525.0
"""Fermi's height above the Earth, km, where a notice has none; 25 km are 0.5 deg of limb."""

_BURST = re.compile(
    r"https?://heasarc\.gsfc\.nasa\.gov/FTP/fermi/data/gbm/triggers/(\d{4})/bn(\d{9})/", re.ASCII)
HEASARC = "https://heasarc.gsfc.nasa.gov/FTP/fermi/data/gbm/triggers/{}/bn{}/"


def of_packet(notice: Notice, report: Report) -> Report:
    """Return the report of a classic notice with what is special to GBM."""
    packet = voevent.read(notice)
    kind = classic.type_of(notice, packet)
    located = LOCATED.get(kind) if kind is not None else None
    if located is None:
        return report
    fields = Fields(packet.params)
    earth = _earth_of_vector(fields)
    light_curve = packet.params.get("LightCurve_URL", "")
    return _with(report, fields, located, earth, [packet.params.get("HealPix_URL"), light_curve])


def of_json(notice: Notice, report: Report) -> Report:
    """Return the report of a unified notice with what is special to GBM."""
    value = load(notice)
    fields = Fields(value)
    located = LOCATED.get(fields.text("subtype") or "")
    if located is None:
        return report
    urls = [fields.text("healpix_url"), fields.text("light_curve_url")]
    if value.get("systematic_included") is True:
        # It is taken at its word: nothing is added.
        return replace(report, maps=_later(report, located, urls))
    return _with(report, fields, located, _earth_below(fields, report), urls)


def _with(
    report: Report, fields: Fields, located: str, earth: Disc | None,
    urls: list[str | None],
) -> Report:
    place = report.localization
    if isinstance(place, Cone):
        seen = None
        if earth is not None and _in_front(place, earth, fields):
            # JSON knows no named tuples.
            seen = (earth.ra, earth.dec, earth.radius)
        row = TABLE[f"fermi-gbm-{located}"]
        place = GBM(place.ra, place.dec, place.radius, place.containment, located, seen, row.text)
    return replace(report, localization=place, flags=(*report.flags, *fields.flags),
                   maps=_later(report, located, urls))


def _later(report: Report, located: str, urls: list[str | None]) -> tuple[str, ...]:
    # No map is made of what the spacecraft itself found.
    return () if report.retracted or located == "flight" else maps(urls)


def maps(urls: list[str | None]) -> tuple[str, ...]:
    """Return where Fermi's map of a burst will be: the archived one, then the quick one.

    Parameters
    ----------
    urls : list
        What the notice says of the map, and of any other file of the burst.
    """
    burst = next((m for url in urls if url and (m := _BURST.match(url))), None)
    found = []
    if burst is not None:
        folder = HEASARC.format(*burst.groups())
        found = [f"{folder}current/glg_healpix_all_bn{burst[2]}_v00.fit",
                 f"{folder}quicklook/glg_healpix_all_bn{burst[2]}.fit"]
    stated = urls[0]
    if stated and stated.startswith(("http://", "https://")):
        # HEASARC has both, and only one is fetched.
        found.append("https://" + stated.partition("://")[2])
    return tuple(dict.fromkeys(found))


def _earth_of_vector(fields: Fields) -> Disc | None:
    from ..skymap.earth import earth_from

    parts = [fields.number(f"SC_Geo_{axis}") for axis in "XYZ"]
    vector = [part * KILOMETRES for part in parts if part is not None]
    if len(vector) < 3 or vector == [0, 0, 0]:
        return None
    distance = math.hypot(*vector)
    if not ORBIT[0] <= distance <= ORBIT[1]:
        fields.flag("SC_Geo_X", f"{distance:.0f} km is not Fermi's orbit, so that the Earth is"
                                " not masked")
        return None
    return earth_from(vector)


def _earth_below(fields: Fields, report: Report) -> Disc | None:
    from ..skymap.earth import earth_below

    longitude, latitude = fields.number("longitude", -180, 360), fields.number("latitude", -90, 90)
    altitude = fields.number("altitude", 200, 1000)
    moment = fields.time("geoloc_time") or report.t0
    if longitude is None or latitude is None or moment is None:
        return None
    if not 2008 <= moment.year < 2100:
        return None  # Not while Fermi flies.
    # The schema (v6.1.0, core/GeoLocBase) calls both angles geocentric.
    return earth_below(longitude, latitude, ALTITUDE if altitude is None else altitude, moment,
                       geocentric=True)


def _in_front(place: Cone, earth: Disc, fields: Fields) -> bool:
    """Tell whether a position can be in front of the Earth, noting if it cannot."""
    behind = earth.radius - _separation(place.ra, place.dec, earth.ra, earth.dec)
    if behind <= place.radius:
        return True
    fields.flag("ra, dec", f"the position is {behind:.1f} deg behind the limb of the Earth, more"
                           " than its error, so that the Earth is not masked")
    return False


def _separation(ra: float, dec: float, ra2: float, dec2: float) -> float:
    """Return the angle between two positions, degrees (haversine formula)."""
    d1, d2, da = math.radians(dec), math.radians(dec2), math.radians(ra - ra2)
    h = math.sin((d1 - d2) / 2) ** 2 + math.cos(d1) * math.cos(d2) * math.sin(da / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(h))))
