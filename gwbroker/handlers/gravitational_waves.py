"""Gravitational waves: LIGO/Virgo/KAGRA alerts, as JSON and as the classic VOEvents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import NoticeError
from ..notice import Notice
from ..report import Embedded, Report, Role
from ..streams import gcn, healpix, igwn, scimma
from ..streams.gcn import NoticeType
from ..streams.subject import clean, names_of_json
from ..streams.voevent import VOEvent
from ..tasks import events
from . import classic
from .classic import Rule
from .fields import Fields, facts, plain, shown
from .unified import load

TYPES = {
    NoticeType.LVC_EARLY_WARNING: Rule("gw", "", alert="earlywarning"),
    NoticeType.LVC_PRELIMINARY: Rule("gw", "", alert="preliminary"),
    NoticeType.LVC_INITIAL: Rule("gw", "", alert="initial"),
    NoticeType.LVC_UPDATE: Rule("gw", "", alert="update"),
    NoticeType.LVC_RETRACTION: Rule("gw", "", alert="retraction"),
    NoticeType.LVC_TEST: Rule("gw", "", alert="test"),
    # The position in it is a counterpart's, not the merger's.
    NoticeType.LVC_COUNTERPART: Rule("gw", "", alert="counterpart"),
}


@igwn.handler(queue="events")
def on_gwalert(notice: Notice) -> None:
    """Record an alert of LIGO, Virgo and KAGRA."""
    events.record(notice, read_gwalert(notice))


@gcn.handler(*TYPES, queue="events")
def on_classic(notice: Notice) -> None:
    """Record a classic notice of LIGO and Virgo, as private feeds still have them."""
    events.record(notice, read_classic(notice))


def role_of(superevent: str) -> Role:
    """Return the role by a superevent's first letter: M for mock, T for test."""
    return {"M": "mock", "T": "test"}.get(superevent[:1], "real")  # type: ignore[return-value]


def read_gwalert(notice: Notice) -> Report:
    """Return what an alert says.

    Fields are read one by one, so that one bad value does not hide a merger.

    Raises
    ------
    NoticeError
        If it has no superevent.
    """
    value = load(notice)
    names = names_of_json(igwn.TOPIC, value)
    if not names:
        raise NoticeError("superevent_id", plain(value.get("superevent_id")), "is missing")
    superevent = names[0].removeprefix("gw:")
    fields = Fields(value)
    alert = (fields.text("alert_type", 24) or "").upper()
    if alert not in igwn.ALERT_TYPES:
        fields.flag("alert_type", f"{shown(value.get('alert_type'))} is not known")
    event = value.get("event")
    if event is not None and not isinstance(event, dict):
        fields.flag("event", f"{shown(event)} is not a JSON object")
    inner = Fields(event if isinstance(event, dict) else {})
    skymap = inner.values.get("skymap")
    embedded = None if skymap is None else inner.attempt(
        lambda: healpix.check("skymap", skymap))
    time = inner.time("time")
    made = _facts(inner)
    return Report(
        kind="gw", name=superevent, identifiers=names,
        role="test" if scimma.is_test(notice) else role_of(superevent),
        alert=clean(alert.lower(), 24) or "initial", retracted=alert == "RETRACTION",
        t0=time, issued=fields.time("time_created"),
        localization=None if embedded is None else Embedded("event.skymap"),
        facts=facts(**made, external_coincidence=_coincidence(value.get("external_coinc")),
                    urls=value.get("urls")),
        flags=(*fields.flags, *(f"event.{flag}" for flag in inner.flags)),
    )


def _facts(event: Fields) -> dict[str, object]:
    value = event.values
    return {
        "far_hz": event.number("far", 0),
        "significant": value.get("significant"),
        "instruments": value.get("instruments"),
        "group": event.text("group"),
        "pipeline": event.text("pipeline"),
        "search": event.text("search"),
        "duration_s": event.number("duration", 0),
        "central_frequency_hz": event.number("central_frequency", 0),
        **{name: _shares(event, name) for name in ("properties", "classification")},
    }


def _shares(event: Fields, name: str) -> dict[str, float] | None:
    """Return probabilities by class; classes that nobody has heard of pass."""
    value = event.values.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        event.flag(name, f"{shown(value)} is not a JSON object")
        return None
    made = {clean(key, 80): event.within(clean(f"{name}.{key}", 80), share, 0, 1)
            for key, share in value.items() if share is not None}
    return {key: share for key, share in made.items() if share is not None}


def _coincidence(value: Any) -> dict[str, object] | None:
    """Return what an alert says of a coincidence, without the map that may be in it."""
    if not isinstance(value, dict):
        return None
    return {key: each for key, each in value.items() if "skymap" not in key}


def read_classic(notice: Notice) -> Report:
    """Return what a classic notice says; its sky map is elsewhere, at the fact ``skymap_url``.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    report = classic.read(notice, TYPES, _classic_facts)
    if not report.identifiers[0].startswith("gw:"):
        raise NoticeError("GraceID", None, "is missing, so that the event is not known")
    role = role_of(report.name)
    if scimma.is_test(notice):
        return report
    return report if role == "real" else replace(report, role=role)


def _classic_facts(packet: VOEvent, fields: Fields) -> Mapping[str, object]:
    params = packet.params
    made: dict[str, object] = {
        "far_hz": fields.number("FAR", 0),
        "instruments": [each.strip() for each in params.get("Instruments", "").split(",") if each],
        "group": params.get("Group"), "pipeline": params.get("Pipeline"),
        "search": params.get("Search"), "skymap_url": params.get("skymap_fits"),
        "urls": {"gracedb": params["EventPage"]} if params.get("EventPage") else None,
        "significant": packet.flag("Significant") if "Significant" in params else None,
    }
    for group in ("Classification", "Properties"):
        found = {name.partition(".")[2]: fields.number(name, 0, 1)
                 for name in params if name.startswith(f"{group}.")}
        made[group.lower()] = {name: share for name, share in found.items() if share is not None}
    return made
