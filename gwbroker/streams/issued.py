"""Issued: when the sender says that a message was made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import NoticeError
from ..notice import looks_like_xml
from . import igwn, voevent
from .gcn import CIRCULARS
from .voevent import as_time

if TYPE_CHECKING:
    from ..notice import Notice

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Times before it are no times of sending: GCN began in 1993."""

AHEAD = timedelta(days=1)
"""How far ahead of its arrival a message may say that it was made; clocks and zones differ."""

FIELDS = ("alert_datetime", "time_created")
"""Fields of JSON messages with it: GCN's unified schema, and LIGO/Virgo/KAGRA's alerts.

``trigger_time`` and the like are not: an archive is searched years after the burst.
"""

_MARKS = tuple(f'"{name}"'.encode() for name in FIELDS)


def issued(notice: Notice) -> datetime | None:
    """Return when the sender says that a message was made (UTC); None if nobody can tell.

    It is what is in the message: a circular's ``createdOn`` and ``editedOn``, the later of
    the two; ``alert_datetime`` or ``time_created`` of JSON; ``Who/Date`` of a VOEvent; else
    Kafka's timestamp. A time from before 1990, or more than a day after the arrival, counts
    as none. It never raises, and reads a message once.
    """
    if "_issued" not in notice.__dict__:
        notice.__dict__["_issued"] = _first(notice, _inside(notice)) \
            or _first(notice, iter((notice.sent,)))
    known: datetime | None = notice.__dict__["_issued"]
    return known


def age(notice: Notice) -> float:
    """Return how many seconds before its arrival a message was made; 0 if nobody can tell."""
    made = issued(notice)
    return 0.0 if made is None else max(0.0, (notice.received - made).total_seconds())


def _first(notice: Notice, times: Iterator[datetime | None]) -> datetime | None:
    try:
        good = [t for t in times if t is not None and EARLIEST <= t <= notice.received + AHEAD]
    except (NoticeError, OverflowError):
        return None
    return max(good, default=None)


def _inside(notice: Notice) -> Iterator[datetime | None]:
    if looks_like_xml(notice.payload):
        yield voevent.read(notice).author_date
        return
    value = _object(notice)
    if value is None:
        return
    if notice.topic.startswith(CIRCULARS):
        for name in ("createdOn", "editedOn"):
            yield _milliseconds(value.get(name))
        return
    for name in FIELDS:
        text = value.get(name)
        if isinstance(text, str):
            # One bad field does not hide the other.
            try:
                yield as_time(name, text[:64])
            except NoticeError:
                continue


def _object(notice: Notice) -> dict[str, Any] | None:
    payload = notice.payload
    if notice.topic == igwn.TOPIC:
        value = igwn.content(notice)
    elif notice.topic.startswith(("gcn.", "igwn.")) or any(
            name in payload for name in _MARKS):
        value = notice.json()
    else:
        return None
    return value if isinstance(value, dict) else None


def _milliseconds(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
