"""Neutrinos: IceCube, KM3NeT, AMON's coincidences, and supernovae seen underground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import NoticeError
from ..notice import Notice
from ..report import Cone, Report
from ..streams import gcn, voevent
from ..streams.gcn import NoticeType
from ..streams.subject import names_of_json
from ..streams.voevent import VOEvent
from ..tasks import events
from . import classic, place, unified
from .classic import Rule
from .fields import Fields

N = NoticeType

ICECUBE = {
    N.ICECUBE_ASTROTRACK_GOLD: Rule("neutrino", "IceCube", "icecube-track"),
    N.ICECUBE_ASTROTRACK_BRONZE: Rule("neutrino", "IceCube", "icecube-track"),
    N.ICECUBE_CASCADE: Rule("neutrino", "IceCube", "icecube-cascade"),
    N.AMON_ICECUBE_HESE: Rule("neutrino", "IceCube", "icecube-hese"),
    N.AMON_ICECUBE_EHE: Rule("neutrino", "IceCube", "icecube-ehe"),
    N.AMON_ICECUBE_COINC: Rule("neutrino", "IceCube", "icecube-track"),
    N.AMON_NU_EM_COINC: Rule("neutrino", "AMON", "amon-nu-em"),
}
SUPERNOVA = {
    N.SK_SN: Rule("supernova", "Super-K", "superk"),
    N.SNEWS: Rule("supernova", "SNEWS", "snews"),
}
TYPES = {**ICECUBE, **SUPERNOVA}

WIDEST_EHE = 3.0
"""Degrees; wider than any through-going track: the number is in arcminutes."""

YEAR = 365.25 * 86400


@gcn.handler(*TYPES, queue="events")
def on_classic(notice: Notice) -> None:
    """Record a classic notice of neutrinos."""
    events.record(notice, read_classic(notice))


@gcn.handler("gcn.notices.icecube.gold_bronze_track_alerts",
             "gcn.notices.icecube.single_neutrino_alerts", queue="events")
def on_icecube(notice: Notice) -> None:
    """Record a single neutrino of IceCube."""
    events.record(notice, read_icecube(notice))


@gcn.handler("gcn.notices.icecube.lvk_nu_track_search", queue="events")
def on_icecube_search(notice: Notice) -> None:
    """Attach IceCube's search for neutrinos from a merger to that merger, if it is known."""
    events.attach(notice, merger_of(notice), alert="neutrino search")


@gcn.handler("gcn.notices.km3net", "gcn.notices.km3net.alert", queue="events")
def on_km3net(notice: Notice) -> None:
    """Record neutrinos of KM3NeT."""
    events.record(notice, read_km3net(notice))


@gcn.handler("gcn.notices.superk.sn_alert", queue="events")
def on_superk(notice: Notice) -> None:
    """Record a supernova's neutrinos in Super-Kamiokande."""
    events.record(notice, read_superk(notice))


def read_classic(notice: Notice) -> Report:
    """Return what a classic notice says.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    report = classic.read(notice, TYPES, _facts)
    packet = voevent.read(notice)
    kind = classic.type_of(notice, packet)
    if kind == N.AMON_ICECUBE_EHE:
        return _ehe(report)
    name = "Src_Error90" if kind == N.SK_SN else "src_error_90"
    return report if kind == N.SNEWS else _widen(report, packet, name)


def _ehe(report: Report) -> Report:
    """Return a report whose radius is in degrees: these notices had arcminutes in places."""
    cone = report.localization
    if not isinstance(cone, Cone) or cone.radius <= WIDEST_EHE:
        return report
    return replace(
        report, localization=replace(cone, radius=cone.radius / 60),
        flags=(*report.flags, f"Error2Radius: {cone.radius:g} is taken as arcminutes"))


def _widen(report: Report, packet: VOEvent, name: str) -> Report:
    """Return a report with the radius that says of itself that it is 90 %, where there is one."""
    cone, fields = report.localization, Fields(packet.params)
    if not isinstance(cone, Cone) or name not in packet.params:
        return report
    size = place.radius(fields, name, packet.params[name] or None)
    return replace(
        report, flags=(*report.flags, *fields.flags),
        localization=cone if size is None else Cone(
            cone.ra, cone.dec, size, 0.9, f"{name} of the notice (90 % containment)"))


def _facts(packet: VOEvent, fields: Fields) -> Mapping[str, object]:
    params = packet.params
    far = fields.number("FAR", 0)
    return {
        "far_hz": None if far is None else far / YEAR,  # written as a number per year
        "p_astro": fields.number("signalness", 0, 1),
        "energy_tev": fields.number("energy", 0),
        "error_50_deg": fields.number("src_error_50", 0),
        "error_68_deg": fields.number("Src_Error68", 0),
        "revision": fields.number("Rev", 0),
        "n_events": fields.number("N_Events", 0),
        "duration_s": fields.number("Duration", 0),
        "skymap_url": params.get("skymap_fits"),
    }


def read_icecube(notice: Notice) -> Report:
    """Return what a unified notice of IceCube says."""
    return unified.read(notice, kind="neutrino", label="IceCube", containment="icecube-track")


def merger_of(notice: Notice) -> list[str]:
    """Return the names of the merger that a search for neutrinos is about.

    Raises
    ------
    NoticeError
        If it names none.
    """
    names = names_of_json(notice.topic, unified.load(notice))
    if not names:
        raise NoticeError("ref_ID", None, "is missing")
    return list(names)


def read_km3net(notice: Notice) -> Report:
    """Return what a unified notice of KM3NeT says."""
    return unified.read(notice, kind="neutrino", label="KM3NeT", containment="km3net")


def read_km3net_packet(notice: Notice) -> Report:
    """Return what a VOEvent of KM3NeT says."""
    return classic.read(notice, {}, _facts, Rule("neutrino", "KM3NeT", "km3net"))


def read_superk(notice: Notice) -> Report:
    """Return what a unified notice of Super-Kamiokande says."""
    return unified.read(notice, kind="supernova", label="Super-K", containment="superk")


