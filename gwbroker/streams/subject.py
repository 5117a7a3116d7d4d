"""What a message is called, and which astrophysical source it is about.

The identifiers made here are the ones under which events are found, so that what
different messages, formats and roads say of one source comes together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import NoticeError
from ..notice import looks_like_xml
from . import igwn, pipeline, scimma, voevent
from .gcn import CIRCULARS, HEARTBEAT, NOTICES

if TYPE_CHECKING:
    from ..notice import Notice
    from .voevent import VOEvent

LONGEST = 200
"""Longest identifier, in characters; databases limit what an index takes."""


@dataclass(frozen=True)
class Identity:
    """What a message is called.

    Parameters
    ----------
    identifier : str or None
        What the sender calls the message: other bytes under it are a revision.
    subject : str or None
        The source that it is about: jobs with the same one run one at a time, in order.
        It is the first identifier of its event, as ``gw:S190814bv``.
    version : str or None
        Messages of one identifier and version say the same, whatever their bytes: handlers
        act on the first. None where only the bytes can tell.
    """

    identifier: str | None = None
    subject: str | None = None
    version: str | None = None


NOBODY = Identity()

MISSIONS = {
    "burstcube": "burstcube", "chime": "chime", "dsa110": "dsa110", "einstein_probe": "ep",
    "fermi": "fermi", "icecube": "icecube", "km3net": "km3net", "maxi": "maxi",
    "superk": "superk", "svom": "svom", "swift": "swift",
}
"""Third word of a topic ``gcn.notices.*`` and how identifiers of that mission begin."""

PARAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    # Stream of the ivorn: how identifiers begin, and the parameters that may hold the number.
    "fermi": ("fermi", ("TrigID",)),
    "subthreshold": ("fermi-subthreshold", ("Trans_Num",)),
    "swift": ("swift", ("TrigID",)),
    "integral": ("integral", ("TrigID",)),
    "agile": ("agile", ("TrigID",)),
    "maxi": ("maxi", ("EVENT_ID_NUM", "Event_ID_Num", "Event_ID", "TrigID")),
    "konus": ("konus", ("TrigID",)),
    "calet": ("calet", ("TrigID", "Trigger_ID_Num")),
    "gecam": ("gecam", ("Trigger_Number", "TrigID")),
    "moa": ("moa", ("TrigID",)),
    "snews": ("snews", ("TrigID", "Trigger_Number")),
    "sk_sn": ("superk-trigger", ("Trigger_Number", "TrigID")),
    "superk": ("superk-trigger", ("Trigger_Number", "TrigID")),
    "lvc": ("gw", ("GraceID",)),
    "km3net": ("km3net", ("id", "event_id", "EventID", "TrigID", "event_name")),
    "fsc": ("svom", ("Burst_Id", "Svom_Identifiers.Burst_Id")),
}

_RUN_EVENT = re.compile(r"0*(\d{1,12})_0*(\d{1,12})(?:_\d{1,3})?\Z", re.ASCII)


def clean(text: str, limit: int = LONGEST) -> str:
    """Return a text that every database takes: printable, stripped, and not too long.

    What is cut off a long one is replaced by a part of its SHA-256, so that two stay two.
    """
    if not text.isprintable():
        # Among others NUL, and halves of surrogate pairs, which JSON lets through.
        text = "".join(c if c.isprintable() else " " for c in text)
    text = text.strip()
    if len(text) <= limit:
        return text
    return f"{text[: limit - 17]}~{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def words(value: Any) -> tuple[str, ...]:
    """Return the texts of a field that may be a string, a number, or a list of such."""
    if isinstance(value, str):
        one = clean(value)
        return (one,) if one else ()
    if isinstance(value, int) and not isinstance(value, bool):
        # A longer number would not be written out at all.
        return (str(value),) if abs(value) < 10**30 else ()
    if isinstance(value, list):
        found = (words(each) for each in value[:20] if not isinstance(each, list))
        return tuple(dict.fromkeys(word for each in found for word in each))
    return ()


def icecube(number: str) -> str:
    """Return ``run_event`` without padding and revision, if a number is of that form."""
    parts = _RUN_EVENT.match(number)
    return f"{parts[1]}_{parts[2]}" if parts else number


def names_of_json(topic: str, value: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the identifiers of the event that a JSON notice is about; none if it has no id."""
    if topic == igwn.TOPIC:
        found = words(value.get("superevent_id"))
        return (clean(f"gw:{found[0]}"),) if found else ()
    parts = topic.split(".")
    mission = MISSIONS.get(parts[2]) if topic.startswith(NOTICES) and len(parts) > 2 else None
    ids = words(value.get("id"))
    if mission is None:
        return (clean(f"{topic}:{ids[0]}"),) if ids else ()
    if topic.startswith("gcn.notices.icecube.lvk"):
        # A search for neutrinos from a merger is about the merger.
        found = words(value.get("ref_ID")) or words(value.get("ref_id")) or words(
            value.get("reference"))
        return tuple(clean(f"gw:{name}") for name in found[:1])
    if topic.startswith("gcn.notices.fermi.lat.flare"):
        # Sources flare again; the day tells one flare from the next.
        source, start = words(value.get("event_name")), words(value.get("observation_start"))
        return tuple(clean(f"fermi-lat:{source[0]}:{day[:10]}") for day in start[:1] if source)
    if mission == "fermi":
        # Trigger number first, since classic notices have nothing else.
        ids = tuple(sorted(ids, key=lambda number: not number.isdigit()))
    if mission == "icecube":
        ids = tuple(dict.fromkeys(icecube(number) for number in ids))
    if mission == "superk":
        ids += tuple(f"trigger:{n}" for n in words(value.get("trigger_number"))[:1])
    if mission in ("icecube", "km3net"):
        ids += words(value.get("event_name"))
    return tuple(
        clean(f"superk-{each}" if each.startswith("trigger:") else f"{mission}:{each}")
        for each in ids)


def names_of_packet(packet: VOEvent) -> tuple[str, ...]:
    """Return the identifiers of the event that a VOEvent is about: at worst its ivorn."""
    found = _numbered(packet)
    return (found,) if found else tuple(filter(None, (clean(packet.ivorn),)))


def _numbered(packet: VOEvent) -> str | None:
    params, stream = packet.params, packet.stream.lower()
    if stream.startswith(("amon", "icecube")):
        return _amon(packet, stream)
    if "km3net" in packet.ivorn.lower():
        stream = "km3net"
    if stream not in PARAMS:
        return None
    if stream == "fermi" and "TrigID" not in params:
        stream = "subthreshold"
    prefix, candidates = PARAMS[stream]
    if params.get("Packet_Type", "").strip() == "52":
        prefix = "integral-spiacs"  # counts its triggers for itself
    for name in candidates:
        # Nought stands for no number in the binary packets that these are made from.
        number = clean(params.get(name, ""))
        if number.strip("0"):
            return clean(f"{prefix}:{number}")
    return None


def _amon(packet: VOEvent, stream: str) -> str | None:
    params, fragment = packet.params, packet.ivorn.partition("#")[2].lower()
    run, event = (clean(params.get(name, "")) for name in ("run_id", "event_id"))
    if run.strip("0") and event.strip("0"):
        if "icecube" in fragment or stream.startswith("icecube"):
            return clean(f"icecube:{icecube(f'{run}_{event}')}")
        mission = "hawc" if "hawc" in fragment else "amon"
        return clean(f"{mission}:{run}_{event}")
    number = clean(params.get("AMON_ID", ""))
    return clean(f"amon:{number}") if number.strip("0") else None


def identify(notice: Notice) -> Identity:
    """Return what a message is called; both parts are None where nobody can tell.

    Called for every message that arrives: it never raises, whatever the content, and what
    it has to parse is parsed once.
    """
    known = notice.__dict__.get("_identity")
    if known is None:
        try:
            known = _identify(notice)
        except NoticeError:
            known = NOBODY
        if known.identifier is None and notice.headers:
            number = scimma.message_id(notice)
            known = replace(known, identifier=number and f"hop:{number}")
        notice.__dict__["_identity"] = known
    return known


def _identify(notice: Notice) -> Identity:
    topic = notice.topic
    if topic == HEARTBEAT:
        return NOBODY
    if looks_like_xml(notice.payload):
        packet = voevent.read(notice)
        names = names_of_packet(packet)
        return Identity(clean(packet.ivorn) or None, names[0] if names else None)
    if pipeline.is_topic(topic):
        return _of_pipeline(topic, pipeline.read(notice))
    if not topic.startswith(("gcn.", "igwn.")):
        return NOBODY
    value = igwn.content(notice) if topic == igwn.TOPIC else notice.json()
    if not isinstance(value, dict):
        return NOBODY
    if topic.startswith(CIRCULARS):
        number = words(value.get("circularId"))
        return Identity(clean(f"circular:{number[0]}"), None, version_of_circular(value)) \
            if number else NOBODY
    names = names_of_json(topic, value)
    subject = names[0] if names else None
    if topic == igwn.TOPIC:
        name = subject and clean(subject.replace("gw:", "igwn:", 1))
        return Identity(name, subject, _version_of_alert(value))
    ids = words(value.get("id"))
    return Identity(clean(f"{topic}:{ids[0]}") if ids else None, subject)


def version_of_circular(value: Mapping[str, Any]) -> str:
    """Return what changes when a circular is edited, as 16 hexadecimal digits.

    GCN sends circulars again, some a hundred times: the same bytes, or with what a catalogue
    has added since. What people wrote, and the number and time of the last edit, are what
    count; spaces at the ends and kinds of line ends do not.
    """
    version = value.get("version")
    said: list[Any] = [1 if version is None else version, value.get("editedOn")]
    for name in ("subject", "eventId", "body"):
        text = value.get(name)
        said.append("\n".join(text.split("\r\n")).strip() if isinstance(text, str) else text)
    return _short(said)


def _version_of_alert(value: Mapping[str, Any]) -> str | None:
    """Return what tells alerts of one merger apart, also between GCN's JSON and SCiMMA's Avro."""
    event = value.get("event")
    event = event if isinstance(event, Mapping) else {}
    told = [value.get("alert_type"), value.get("time_created")]
    if not all(isinstance(each, str) and each for each in told):
        return None
    skymap = event.get("skymap")
    return _short([*told, event.get("far"), event.get("significant"),
                   "".join(skymap.split()) if isinstance(skymap, str) else skymap,
                   value.get("external_coinc") is None])


def _short(said: list[Any]) -> str:
    # Of what is no plain value, and may be nested deeper than can be written, only the kind.
    plain = [each if each is None or isinstance(each, str | int | float) else type(each)
             for each in said]
    return hashlib.sha256(repr(plain).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _of_pipeline(topic: str, alert: pipeline.PipelineAlert) -> Identity:
    name = ":".join(filter(None, (topic, alert.uid, alert.alert_type, alert.detail)))
    return Identity(clean(name), clean(f"gw:{alert.superevent}") if alert.superevent
                    else clean(f"gracedb:{alert.uid}"))
