"""GCN's heartbeat: about one message a second, to tell that the connection is alive."""

from __future__ import annotations

from datetime import datetime

from ..errors import NoticeError
from ..notice import Notice
from ..streams import gcn
from ..streams.voevent import as_time
from .fields import plain
from .unified import load


@gcn.handler(gcn.HEARTBEAT)
def on_heartbeat(notice: Notice) -> None:
    """Check that a heartbeat is one; when it came is kept with the stream."""
    read_heartbeat(notice)


def read_heartbeat(notice: Notice) -> datetime:
    """Return when a heartbeat was sent (UTC).

    Raises
    ------
    NoticeError
        If it does not say.
    """
    value = load(notice).get("alert_datetime")
    if not isinstance(value, str):
        raise NoticeError("alert_datetime", plain(value), "is missing or not text")
    return as_time("alert_datetime", value)
