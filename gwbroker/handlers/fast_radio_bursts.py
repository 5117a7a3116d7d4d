"""Fast radio bursts: CHIME and DSA-110."""

from __future__ import annotations

from ..notice import Notice
from ..report import Report
from ..streams import gcn
from ..tasks import events
from . import unified


@gcn.handler("gcn.notices.chime.frb", queue="events")
def on_chime(notice: Notice) -> None:
    """Record a burst of CHIME/FRB."""
    events.record(notice, read_chime(notice))


@gcn.handler("gcn.notices.dsa110.frb", queue="events")
def on_dsa110(notice: Notice) -> None:
    """Record a burst of DSA-110."""
    events.record(notice, read_dsa110(notice))


def read_chime(notice: Notice) -> Report:
    """Return what a notice of CHIME/FRB says."""
    return unified.read(notice, kind="frb", label="CHIME", containment="chime")


def read_dsa110(notice: Notice) -> Report:
    """Return what a notice of DSA-110 says.

    Its error has two values and no angle, which by the schema means that the first
    axis points north.
    """
    return unified.read(notice, kind="frb", label="DSA-110", containment="dsa110")
