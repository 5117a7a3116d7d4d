"""GCN's unified schema: from a JSON notice to a report.

Nothing in these notices is reliably there (of 44 mission examples, 14 have no position
and 9 no time of sending), so every field is read for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import NoticeError
from ..notice import Notice
from ..report import Embedded, Localization, Report, Role
from ..streams import healpix, igwn, scimma
from ..streams.subject import names_of_json, words
from . import pinned, place
from .containment import TABLE, Containment
from .fields import Fields, facts, plain, shown

ALERTS = ("initial", "update", "subsequent", "retraction", "test")
ROLES: dict[str, Role] = {
    "test": "test", "injection": "mock", "injections": "mock", "injected": "mock", "mock": "mock"}
TENSES = (*ROLES, "current", "archival", "planned", "commanded")

NUMBERS: dict[str, tuple[str, float, float]] = {
    # Field: name of the fact with its unit, smallest and largest value.
    "far": ("far_hz", 0, float("inf")),
    "p_astro": ("p_astro", 0, 1),
    "importance": ("importance", 0, 1),
    "nu_energy": ("energy_tev", 0, float("inf")),
    "n_events": ("n_events", 0, float("inf")),
    "number_of_events": ("n_events", 0, float("inf")),
    "snr": ("snr", 0, float("inf")),
    "rate_snr": ("rate_snr", 0, float("inf")),
    "image_snr": ("image_snr", 0, float("inf")),
    "rate_duration": ("rate_duration_s", 0, float("inf")),
    "image_duration": ("image_duration_s", 0, float("inf")),
    "t90": ("t90_s", 0, float("inf")),
    "event_duration": ("duration_ms", 0, float("inf")),
    "detection_interval": ("duration_s", 0, float("inf")),
    "net_count_rate": ("net_count_rate", 0, float("inf")),
    "flux": ("flux", 0, float("inf")),
    "dm": ("dm_pc_cm3", 0, float("inf")),
    "luminosity_distance": ("distance_mpc", 0, float("inf")),
    "record_number": ("record_number", 0, float("inf")),
    "trigger_time_error": ("t0_error_s", 0, float("inf")),
}
COUNTS = ("n_events", "record_number")
COPIED = (
    "mission", "instrument", "messenger", "pipeline", "subtype", "alert_tense", "classification",
    "duration_class", "known_source", "healpix_url", "data_archive_page", "light_curve_url",
    "follow_up_event", "follow_up_type", "trigger_type", "slew_status", "alert_topology",
    "systematic_included", "flux_unit", "additional_info", "reference_catalog",
)

_TRANSIENT = re.compile(
    r"(GRB|XRF|FRB|EP|AT|SN|GW|NuEm|KM3|IceCube|IC)[ -]?(Cascade[ -])?\d{6}", re.ASCII)


def load(notice: Notice) -> dict[str, Any]:
    """Return a notice's JSON object; LIGO/Virgo/KAGRA's alerts may be Avro, which is the same.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    value = igwn.content(notice) if notice.topic == igwn.TOPIC else notice.json()
    if not isinstance(value, dict):
        raise NoticeError("payload", type(value).__name__, "is not a JSON object")
    return value


def read(
    notice: Notice, *, kind: str, label: str, containment: str,
    more: Mapping[str, object] | None = None,
) -> Report:
    """Return what a unified-schema notice says.

    Parameters
    ----------
    notice : Notice
        The notice.
    kind : str
        Kind of the event.
    label : str
        How people call the mission, for the event's name.
    containment : str
        Key of `gwbroker.handlers.containment.TABLE`.
    more : mapping, optional
        Further facts.

    Raises
    ------
    NoticeError
        If nobody can tell which event it is about.
    """
    value = load(notice)
    names = names_of_json(notice.topic, value)
    if not names:
        raise NoticeError(
            "id", plain(value.get("id")), "is missing, so that the event is not known")
    fields = Fields(value)
    alert = alert_of(fields)
    localization = locate(fields, TABLE[containment])
    called = words(value.get("event_name"))
    made: dict[str, object] = {
        fact: fields.number(name, low, high)
        for name, (fact, low, high) in NUMBERS.items() if name in value}
    made.update({fact: round(number) for fact, number in made.items()
                 if fact in COUNTS and isinstance(number, float)})
    where = _position(Fields(value))
    t0 = fields.time("trigger_time") or fields.time("observation_start")
    issued = fields.time("alert_datetime")
    role: Role = "test" if scimma.is_test(notice) else role_of(fields)
    pinned.check(fields)
    own = names[0].partition(":")[2]
    made.update(ra=where and where[0], dec=where and where[1])
    return Report(
        kind=kind,
        name=next((n for n in (*called, own) if _TRANSIENT.match(n)), None)
        or f"{label} {own}".replace(":", " "),
        identifiers=names,
        role=role,
        alert=alert,
        retracted=alert == "retraction",
        t0=t0,
        issued=issued,
        localization=localization,
        facts=facts(**{n: value.get(n) for n in COPIED}, names=list(called),
                    **made, **dict(more or {})),
        flags=tuple(fields.flags),
    )


def alert_of(fields: Fields) -> str:
    """Return what the notice is to its event; a sender that does not say begins one."""
    value = fields.values.get("alert_type")
    if value is None:
        return "initial"
    text = fields.text("alert_type", 24)
    if text is None:
        fields.flag("alert_type", f"{shown(value)} is not text")
        return "initial"
    if text.lower() not in (*ALERTS, *ROLES):
        fields.flag("alert_type", f"{text!r} is not known")
    return text.lower()[:24]


def role_of(fields: Fields) -> Role:
    """Return whether it is real, a test, or a mock (an injection)."""
    tense = (fields.text("alert_tense", 24) or "current").lower()
    if tense not in TENSES:
        fields.flag("alert_tense", f"{tense!r} is not known")
    kind = (fields.text("alert_type", 24) or "").lower()
    return ROLES.get(tense) or ROLES.get(kind) or "real"


def _position(fields: Fields) -> tuple[float, float] | None:
    return place.position(fields, fields.values.get("ra"), fields.values.get("dec"))


def locate(fields: Fields, row: Containment) -> Localization | None:
    """Return the best that a notice says of the place, noting what is wrong with it.

    A map inside it comes first, then an ellipse or radius, then corners.
    """
    value = fields.values
    where = _position(fields)
    if value.get("healpix_file") is not None:
        name = "healpix_file"
        if fields.attempt(lambda: healpix.check(name, value[name])) is not None:
            return Embedded(name)
    probability, source = row.probability, row.text
    if value.get("containment_probability") is not None:
        stated = fields.number("containment_probability", 0, 1, "()")
        if stated is None:
            return None
        probability, source = stated, "containment_probability of the notice"
    corners = value.get("rectangular_error_corners")
    if where is not None and (corners is None or value.get("ra_dec_error") is not None):
        return place.region(
            fields, where, "ra_dec_error", value.get("ra_dec_error"), probability, source)
    if corners is None:
        return None
    return place.polygon(fields, "rectangular_error_corners", corners, probability, source)
