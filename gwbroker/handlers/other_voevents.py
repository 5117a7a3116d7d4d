"""VOEvents that no other built-in handler wants, so that none passes without a trace."""

from __future__ import annotations

from gcn import NoticeType

from ..notice import Notice
from ..report import Report
from ..streams import gcn, voevent
from ..streams.subject import names_of_packet
from ..streams.voevent import VOEvent
from ..tasks import events
from . import classic, gamma_ray_bursts, gravitational_waves, neutrinos
from .classic import Rule

KINDS = {
    # How an event's identifier begins: its kind, and how people call the mission.
    "fermi": ("grb", "Fermi"), "fermi-subthreshold": ("grb", "Fermi"), "swift": ("grb", "Swift"),
    "integral": ("grb", "INTEGRAL"), "integral-spiacs": ("grb", "INTEGRAL SPI-ACS"),
    "agile": ("grb", "AGILE"), "calet": ("grb", "CALET"), "gecam": ("grb", "GECAM"),
    "konus": ("grb", "KONUS"), "hawc": ("grb", "HAWC"), "maxi": ("xray", "MAXI"),
    "amon": ("neutrino", "AMON"), "icecube": ("neutrino", "IceCube"),
    "km3net": ("neutrino", "KM3NeT"), "snews": ("supernova", "SNEWS"),
    "superk-trigger": ("supernova", "Super-K"), "gw": ("gw", ""), "moa": ("optical", "MOA"),
    "svom": ("grb", "SVOM"),
}
OPTICAL = ("moa", "ogle", "gaia", "asassn", "asas-sn", "crts", "ztf", "cbat")

NOT_EVENTS = frozenset(
    kind for kind in NoticeType
    if kind.name.endswith(("IM_ALIVE", "KILL_SOCKET", "POINTDIR", "SC_SLEW", "SC_SLEW_INTERNAL"))
    or kind.name.startswith(("SWIFT_FOM_", "SWIFT_TOO_", "DOW_TOD")))
"""Types that say that somebody is alive, or where a spacecraft looks or would look."""

CLAIMED = frozenset((*gravitational_waves.TYPES, *gamma_ray_bursts.TYPES, *neutrinos.TYPES,
                     NoticeType.MOA, *NOT_EVENTS))


def unclaimed(packet: VOEvent) -> bool:
    """Tell whether no other built-in handler wants a packet, and it is about something."""
    return classic.packet_type(packet) not in CLAIMED and packet.role.lower() != "utility"


@voevent.handler(queue="events", where=unclaimed)
def on_any(notice: Notice) -> None:
    """Record a VOEvent that nobody else wants, over whichever road it came."""
    events.record(notice, read_any(notice))


@gcn.handler(*(f"gcn.notices.svom.voevent.{name}" for name in ("grm", "eclairs", "mxt", "vt")),
             "gcn.notices.km3net.voevent", where=lambda _: False)
def ask_for_topics(notice: Notice) -> None:
    """Ask for topics that carry VOEvents; those are recorded by `on_any`, none comes here."""


@gcn.handler(NoticeType.MOA, queue="events")
def on_moa(notice: Notice) -> None:
    """Record a microlensing event of MOA."""
    events.record(notice, read_any(notice))


def read_any(notice: Notice) -> Report:
    """Return what a VOEvent of any author says.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    packet = voevent.read(notice)
    names = names_of_packet(packet)
    author = packet.ivorn.lower()
    if author.startswith("ivo://org.svom/"):
        return gamma_ray_bursts.read_svom_packet(notice)
    if "km3net" in author:
        return neutrinos.read_km3net_packet(notice)
    prefix = names[0].partition(":")[0] if names else ""
    kind, label = KINDS.get(prefix, ("other", ""))
    if kind == "other" and packet.stream.lower().startswith(OPTICAL):
        kind = "optical"
    # A merger's map never is a circle around a position.
    containment = None if kind == "gw" else "other"
    return classic.read(notice, {}, default=Rule(kind, label, containment))
