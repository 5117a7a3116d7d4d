"""Gamma-ray bursts and X-ray transients: Fermi, Swift, SVOM, Einstein Probe, MAXI and others."""

from __future__ import annotations

from collections.abc import Mapping

from ..notice import Notice
from ..report import Report
from ..streams import gcn, voevent
from ..streams.gcn import NoticeType
from ..streams.subject import words
from ..streams.voevent import VOEvent
from ..tasks import events
from . import classic, fermi_gbm, unified
from .classic import Rule
from .fields import Fields
from .unified import load

N = NoticeType

FERMI = {
    N.FERMI_GBM_ALERT: Rule("grb", "Fermi", alert="trigger"),
    N.FERMI_GBM_FLT_POS: Rule("grb", "Fermi", "fermi-gbm-flight", "initial"),
    N.FERMI_GBM_GND_POS: Rule("grb", "Fermi", "fermi-gbm-ground", "update"),
    N.FERMI_GBM_FIN_POS: Rule("grb", "Fermi", "fermi-gbm-final", "update"),
    N.FERMI_GBM_POS_TEST: Rule("grb", "Fermi", "fermi-gbm", "test"),
    N.FERMI_GBM_SUBTHRESH: Rule("grb", "Fermi", "fermi-gbm", "subthreshold"),
    N.FERMI_LAT_POS_INI: Rule("grb", "Fermi", "fermi-lat", "initial"),
    N.FERMI_LAT_POS_UPD: Rule("grb", "Fermi", "fermi-lat", "update"),
    N.FERMI_LAT_POS_TEST: Rule("grb", "Fermi", "fermi-lat", "test"),
    N.FERMI_LAT_GND: Rule("grb", "Fermi", "fermi-lat", "update"),
    N.FERMI_LAT_OFFLINE: Rule("grb", "Fermi", "fermi-lat", "update"),
    N.FERMI_LAT_TRANS: Rule("other", "Fermi", "fermi-lat"),
}
SWIFT = {
    N.SWIFT_BAT_GRB_ALERT: Rule("grb", "Swift", alert="trigger"),
    N.SWIFT_BAT_GRB_POS_ACK: Rule("grb", "Swift", "swift-bat", "initial"),
    N.SWIFT_BAT_GRB_POS_NACK: Rule("grb", "Swift", alert="no position"),
    N.SWIFT_BAT_GRB_POS_TEST: Rule("grb", "Swift", "swift-bat", "test"),
    N.SWIFT_BAT_QL_POS: Rule("grb", "Swift", "swift-bat", "quicklook"),
    N.SWIFT_BAT_SUB_THRESHOLD: Rule("grb", "Swift", "swift-bat", "subthreshold"),
    N.SWIFT_BAT_SLEW_POS: Rule("grb", "Swift", "swift-bat", "initial"),
    N.SWIFT_BAT_TRANS: Rule("xray", "Swift", "swift-bat", "initial"),
    N.SWIFT_XRT_POSITION: Rule("grb", "Swift", "swift-xrt", "update"),
    N.SWIFT_UVOT_POS: Rule("grb", "Swift", "swift-uvot", "update"),
}
OTHERS = {
    N.INTEGRAL_SPIACS: Rule("grb", "INTEGRAL SPI-ACS", alert="trigger"),
    N.INTEGRAL_WAKEUP: Rule("grb", "INTEGRAL", "integral-ibis", "initial"),
    N.INTEGRAL_REFINED: Rule("grb", "INTEGRAL", "integral-ibis", "update"),
    N.INTEGRAL_OFFLINE: Rule("grb", "INTEGRAL", "integral-ibis", "update"),
    N.INTEGRAL_WEAK: Rule("grb", "INTEGRAL", "integral-ibis", "subthreshold"),
    N.MAXI_UNKNOWN: Rule("xray", "MAXI", "maxi-gsc"),
    N.MAXI_KNOWN: Rule("xray", "MAXI", "maxi-gsc"),
    N.MAXI_TEST: Rule("xray", "MAXI", "maxi-gsc", "test"),
    N.GECAM_FLT: Rule("grb", "GECAM", "gecam", "initial"),
    N.GECAM_GND: Rule("grb", "GECAM", "gecam", "update"),
    N.CALET_GBM_FLT_LC: Rule("grb", "CALET", alert="lightcurve"),
    N.CALET_GBM_GND_LC: Rule("grb", "CALET", alert="lightcurve"),
    N.KONUS_LC: Rule("grb", "KONUS", alert="lightcurve"),
}
TYPES = {**FERMI, **SWIFT, **OTHERS}


@gcn.handler(*TYPES, queue="events")
def on_classic(notice: Notice) -> None:
    """Record a classic notice of a gamma-ray or X-ray mission."""
    events.record(notice, read_classic(notice))


@gcn.handler("gcn.notices.fermi.gbm", "gcn.notices.fermi.gbm.trigger", queue="events")
def on_fermi_gbm(notice: Notice) -> None:
    """Record a unified notice of Fermi GBM."""
    events.record(notice, read_fermi_gbm(notice))


@gcn.handler("gcn.notices.fermi.lat.flare", queue="events")
def on_fermi_flare(notice: Notice) -> None:
    """Record a flare of a known source, seen by Fermi LAT."""
    events.record(notice, read_fermi_flare(notice))


@gcn.handler("gcn.notices.swift.bat.guano", queue="events")
def on_guano(notice: Notice) -> None:
    """Record a burst found on the ground in Swift BAT's data."""
    events.record(notice, read_guano(notice))


@gcn.handler("gcn.notices.svom", "gcn.notices.svom.trigger", "gcn.notices.svom.refined",
             "gcn.notices.svom.mxt.localisation", queue="events")
def on_svom(notice: Notice) -> None:
    """Record a unified notice of SVOM."""
    events.record(notice, read_svom(notice))


@gcn.handler("gcn.notices.einstein_probe.wxt.alert", queue="events")
def on_einstein_probe(notice: Notice) -> None:
    """Record an X-ray transient of Einstein Probe."""
    events.record(notice, read_einstein_probe(notice))


@gcn.handler("gcn.notices.maxi.gsc.known", "gcn.notices.maxi.gsc.unknown", queue="events")
def on_maxi(notice: Notice) -> None:
    """Record an X-ray transient of MAXI."""
    events.record(notice, read_maxi(notice))


@gcn.handler("gcn.notices.burstcube", "gcn.notices.burstcube.alert",
             "gcn.notices.burstcube.test", queue="events")
def on_burstcube(notice: Notice) -> None:
    """Record a burst of BurstCube."""
    events.record(notice, read_burstcube(notice))


def read_classic(notice: Notice) -> Report:
    """Return what a classic notice says.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    return fermi_gbm.of_packet(notice, classic.read(notice, TYPES, _facts))


def _facts(packet: VOEvent, fields: Fields) -> Mapping[str, object]:
    params = packet.params
    if packet.flag("StarTrack_Lost_Lock"):
        fields.flag("StarTrack_Lost_Lock", "true: the position may be wrong")
    known = any(packet.flag(f"Target_in_{which}_Catalog") for which in ("Flt", "Gnd", "Blk"))
    return {
        "significance": fields.number("Burst_Signif", 0) or fields.number("Image_Signif", 0),
        "rate_significance": fields.number("Rate_Signif", 0),
        "duration_s": fields.number("Data_Integ", 0) or fields.number("Integ_Time", 0),
        "reliability": fields.number("Reliability", 0),
        "far_hz": fields.number("FAR", 0),
        "duration_class": params.get("Long_short"),
        "most_likely": params.get("Most_Likely_Index"),
        "most_likely_percent": fields.number("Most_Likely_Prob", 0, 100),
        "known_source": known or None,
        "skymap_url": params.get("LocationMap_URL") or params.get("HealPix_URL"),
        "light_curve_url": params.get("LightCurve_URL"),
    }


def read_fermi_gbm(notice: Notice) -> Report:
    """Return what a unified notice of Fermi GBM says."""
    report = unified.read(notice, kind="grb", label="Fermi", containment="fermi-gbm")
    return fermi_gbm.of_json(notice, report)


def read_fermi_flare(notice: Notice) -> Report:
    """Return what a notice of a flare says: the event is that source on that day."""
    return unified.read(notice, kind="other", label="Fermi LAT", containment="fermi-lat")


def read_guano(notice: Notice) -> Report:
    """Return what a notice of GUANO says."""
    return unified.read(notice, kind="grb", label="Swift GUANO", containment="swift-guano")


def read_svom(notice: Notice) -> Report:
    """Return what a unified notice of SVOM says."""
    name = (Fields(load(notice)).text("instrument") or "").lower()
    row = f"svom-{name}" if name in ("eclairs", "grm", "mxt", "vt") else "svom-eclairs"
    return unified.read(notice, kind="grb", label="SVOM", containment=row)


def read_svom_packet(notice: Notice) -> Report:
    """Return what a VOEvent of SVOM says."""
    packet = voevent.read(notice)
    name = packet.params.get("Instrument", "").strip().lower()
    row = f"svom-{name}" if name in ("eclairs", "grm", "mxt", "vt") else "svom-eclairs"
    cites = any(how.strip().lower() in ("followup", "supersedes") for how, _ in packet.citations)
    rule = Rule("grb", "SVOM", row, "update" if cites else "initial")
    return classic.read(notice, {}, _svom_facts, rule)


def _svom_facts(packet: VOEvent, fields: Fields) -> Mapping[str, object]:
    return {"instrument": packet.params.get("Instrument"),
            "level": packet.params.get("Notice_Level"), "snr": fields.number("SNR", 0)}


def read_einstein_probe(notice: Notice) -> Report:
    """Return what a notice of Einstein Probe says."""
    return unified.read(notice, kind="xray", label="EP", containment="ep-wxt")


def read_maxi(notice: Notice) -> Report:
    """Return what a notice of MAXI says; it is a gamma-ray burst if MAXI calls it one."""
    burst = any(name.startswith("GRB ") for name in words(load(notice).get("event_name")))
    return unified.read(notice, kind="grb" if burst else "xray", label="MAXI",
                        containment="maxi-gsc")


def read_burstcube(notice: Notice) -> Report:
    """Return what a notice of BurstCube says."""
    return unified.read(notice, kind="grb", label="BurstCube", containment="burstcube")
