"""Fermi GBM: systematic errors, the Earth that hides bursts, and the maps that come later."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..notice import Notice
from ..report import GBM, Cone, Report
from ..streams import voevent
from ..streams.gcn import NoticeType
from . import classic, fermi_earth
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

MINUTES = timedelta(minutes=4)
"""Most by which the time in the name of a burst's folder can be off: it is in 1/1000 of days."""

ROBOBA_SINCE = datetime(2019, 9, 11, 13, 28, 39, tzinfo=UTC)
"""When RoboBA's present systematic errors were announced (GCN Circular 25726)."""

_MET = datetime(2001, 1, 1, tzinfo=UTC)
"""Fermi's trigger numbers are seconds since then; leap seconds do not matter here."""

_BURST = re.compile(
    r"https://heasarc\.gsfc\.nasa\.gov/FTP/fermi/data/gbm/triggers/(\d{4})/bn(\d{9})/", re.ASCII)
HEASARC = "https://heasarc.gsfc.nasa.gov/FTP/fermi/data/gbm/triggers/{}/bn{}/"


def of_packet(notice: Notice, report: Report) -> Report:
    """Return the report of a classic notice with what is special to GBM."""
    packet = voevent.read(notice)
    kind = classic.type_of(notice, packet)
    located = LOCATED.get(kind) if kind is not None else None
    if located is None:
        return report
    fields = Fields(packet.params)
    earth = fermi_earth.of_vector(fields)
    urls = [packet.params.get("HealPix_URL"), packet.params.get("LightCurve_URL")]
    return _with(report, fields, located, earth, fields.number("Theta", 0, 180), urls)


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
        found = _later(report, fields, located, urls)
        return replace(report, flags=(*report.flags, *fields.flags), maps=found)
    if located == "final" and value.get("human_in_the_loop") is False \
            and report.issued is not None and report.issued >= ROBOBA_SINCE:
        kind = (fields.text("duration_class") or "").lower()
        located = f"roboba-{kind}" if kind in ("long", "short") else "roboba"
    earth = fermi_earth.of_place(fields, _times(report))
    theta = fields.number("instrument_theta", 0, 180)
    return _with(report, fields, located, earth, theta, urls)


def _with(
    report: Report, fields: Fields, located: str, earth: Disc | None, theta: float | None,
    urls: list[str | None],
) -> Report:
    place = report.localization
    if isinstance(place, Cone):
        seen = None
        if earth is not None and fermi_earth.believed(place, earth, theta, fields):
            # JSON knows no named tuples.
            seen = (earth.ra, earth.dec, earth.radius)
        row = TABLE[f"fermi-gbm-{located}"]
        place = GBM(place.ra, place.dec, place.radius, place.containment, located, seen, row.text)
    found = _later(report, fields, located, urls)
    return replace(report, localization=place, flags=(*report.flags, *fields.flags), maps=found)


def _later(
    report: Report, fields: Fields, located: str, urls: list[str | None],
) -> tuple[str, ...]:
    # No map is made of what the spacecraft itself found.
    if report.retracted or located == "flight":
        return ()
    return maps([url if _is_of(report, url, fields) else None for url in urls])


def _is_of(report: Report, url: str | None, fields: Fields) -> bool:
    """Tell whether a file can be about a burst, noting if it is about another one."""
    burst = _BURST.match(https(url)) if url else None
    if burst is None:
        return True
    day, number = burst[2][:6], burst[2]
    try:
        moment = datetime.strptime(day, "%y%m%d").replace(tzinfo=UTC) + timedelta(
            days=int(number[6:]) / 1000)
    except ValueError:
        moment = None
    times = _times(report)
    if f"fermi:bn{number}" in report.identifiers or not times or (
            moment is not None and any(abs(time - moment) <= MINUTES for time in times)):
        return True
    fields.flag("healpix_url", f"bn{number} is another burst, whose map is not fetched")
    return False


def _times(report: Report) -> list[datetime]:
    """Return when a burst happened, as the notice and its trigger number say."""
    found = [] if report.t0 is None else [report.t0]
    for name in report.identifiers:
        number = name.removeprefix("fermi:")
        if number.isascii() and number.isdigit() and len(number) <= 10:
            found.append(_MET + timedelta(seconds=int(number)))
    return found


def https(url: str) -> str:
    """Return a URL to be asked over TLS, which HEASARC has."""
    return "https://" + url.removeprefix("http://") if url.startswith("http://") else url


def maps(urls: list[str | None]) -> tuple[str, ...]:
    """Return where Fermi's map of a burst will be: the archived one, then the quick one.

    Parameters
    ----------
    urls : list
        What the notice says of the map, and of any other file of the burst.
    """
    burst = next((m for url in urls if url and (m := _BURST.match(https(url)))), None)
    found = []
    if burst is not None:
        folder = HEASARC.format(*burst.groups())
        found = [f"{folder}current/glg_healpix_all_bn{burst[2]}_v00.fit",
                 f"{folder}quicklook/glg_healpix_all_bn{burst[2]}.fit"]
    stated = urls[0]
    if stated and stated.startswith(("http://", "https://")):
        found.append(https(stated))
    return tuple(dict.fromkeys(found))
