"""VOEvents, above all GCN's classic notices: from a packet to a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gcn import NoticeType

from ..errors import NoticeError
from ..notice import Notice
from ..report import Localization, Report, Role
from ..streams import scimma, voevent
from ..streams.gcn import CLASSIC
from ..streams.subject import clean, names_of_packet
from ..streams.voevent import VOEvent
from . import place
from .containment import TABLE
from .fields import Fields, facts

Facts = Callable[[VOEvent, Fields], Mapping[str, object]]


@dataclass(frozen=True)
class Rule:
    """How the notices of one type are read.

    Parameters
    ----------
    kind : str
        Kind of the event.
    label : str
        How people call the mission, for the event's name.
    containment : str or None
        Key of `gwbroker.handlers.containment.TABLE`; None if its position is not the source's.
    alert : str
        What a notice of this type is to its event.
    """

    kind: str
    label: str
    containment: str | None = None
    alert: str = "initial"


def type_of(notice: Notice, packet: VOEvent) -> NoticeType | None:
    """Return the classic notice type of a packet, by its topic or its ``Packet_Type``."""
    if notice.topic.startswith(CLASSIC):
        return NoticeType.__members__.get(notice.topic.removeprefix(CLASSIC))
    return packet_type(packet)


def packet_type(packet: VOEvent) -> NoticeType | None:
    """Return the type that a packet says it has, None if pygcn does not know it."""
    text = packet.params.get("Packet_Type", "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    return NoticeType._value2member_map_.get(int(text))


def read(
    notice: Notice, rules: Mapping[NoticeType, Rule], more: Facts | None = None,
    default: Rule | None = None,
) -> Report:
    """Return what a packet says.

    Parameters
    ----------
    notice : Notice
        A notice with a VOEvent.
    rules : mapping
        How each type is read.
    more : callable, optional
        Returns further facts.
    default : Rule, optional
        How types without a rule are read.

    Raises
    ------
    NoticeError
        If it is not a VOEvent, or of no type that is read here.
    """
    packet = voevent.read(notice)
    kind = type_of(notice, packet)
    rule = rules.get(kind, default) if kind is not None else default
    if rule is None:
        raise NoticeError("Packet_Type", packet.params.get("Packet_Type"), "is not read here")
    names = names_of_packet(packet)
    if not names:
        raise NoticeError("VOEvent/@ivorn", packet.ivorn, "has no readable character")
    fields = Fields(packet.params)
    gone = retracted(packet)
    localization = locate(packet, fields, rule)
    where = _position(packet, Fields({}))
    extra = dict(more(packet, fields)) if more else {}
    number = names[0].partition(":")[2] if names[0] != clean(packet.ivorn) else ""
    return Report(
        kind=rule.kind,
        name=f"{rule.label} {number}".strip() if number else _fragment(packet.ivorn),
        identifiers=names,
        role="test" if scimma.is_test(notice) else role_of(packet, kind),
        alert="retraction" if gone else rule.alert,
        retracted=gone,
        t0=fields.attempt(lambda: packet.time),
        issued=fields.attempt(lambda: packet.author_date),
        localization=localization,
        facts={**facts(
            notice_type=kind.name if kind is not None else None, ivorn=packet.ivorn,
            ra=where and where[0], dec=where and where[1],
            importance=fields.attempt(lambda: packet.importance),
            cites=[to for _, to in packet.citations[:10]],
            not_grb=packet.flag("Def_NOT_a_GRB") or None,
        ), **facts(**extra)},
        flags=tuple(fields.flags),
    )


def _fragment(ivorn: str) -> str:
    return clean(ivorn.partition("#")[2])[-120:] or clean(ivorn)[-120:]


def role_of(packet: VOEvent, kind: NoticeType | None) -> Role:
    """Return whether a packet is real, a test, or a mock (an injection)."""
    if packet.role.strip().lower() == "test":
        return "test"
    # The flags' names differ between missions; plain Test is AMON's.
    if any(packet.flag(name) for name in ("Test_Submission", "InternalTest", "Trigger_ID.Test")):
        return "test"
    if kind is not None and "TEST" in kind.name.split("_"):
        return "test"
    return "mock" if packet.flag("HardwareInj") else "real"


def retracted(packet: VOEvent) -> bool:
    """Tell whether a packet takes back what earlier ones said.

    That it was no gamma-ray burst after all is not that: something was there.
    """
    return (any(how.strip().lower() == "retraction" for how, _ in packet.citations)
            or any(packet.flag(name) for name in ("Retraction", "retraction"))
            or packet.params.get("AlertType", "").strip().lower() == "retraction"
            or packet_type(packet) is NoticeType.LVC_RETRACTION
            # pygcn does not know SVOM's types.
            or (packet.ivorn.startswith("ivo://org.svom/")
                and packet.params.get("Packet_Type", "").strip() == "219"))


def _position(packet: VOEvent, fields: Fields) -> tuple[float, float] | None:
    found = fields.attempt(lambda: packet.position)
    if found is None:
        return None
    if found.ra == found.dec == 0:
        fields.flag("C1 (RA), C2 (Dec)", "0, 0 stands for no position")
        return None
    return place.position(fields, found.ra, found.dec, ("C1 (RA)", "C2 (Dec)"))


def locate(packet: VOEvent, fields: Fields, rule: Rule) -> Localization | None:
    """Return where a packet says that its source is, noting what is wrong with it."""
    if rule.containment is None:
        return None
    kind = packet.params.get("Coords_String", "source_object").strip().lower()
    if kind not in ("", "source_object"):
        return None  # where the spacecraft looks
    where = _position(packet, fields)
    if where is None:
        return None
    found = fields.attempt(lambda: packet.position)
    row = TABLE[rule.containment]
    return place.region(fields, where, "Error2Radius", found and found.radius,
                        row.probability, row.text)
