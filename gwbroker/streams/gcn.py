"""GCN over Kafka: classic VOEvents by notice type, unified-schema JSON, circulars, heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gcn import NoticeType

from ..errors import HandlerError, NoticeError
from ..notice import Notice, looks_like_xml
from . import voevent
from .registry import Handler, register, topic_of

__all__ = ["CIRCULARS", "CLASSIC", "HEARTBEAT", "NOTICES", "NoticeType", "handler", "notice_type"]

CLASSIC = "gcn.classic.voevent."
NOTICES = "gcn.notices."
CIRCULARS = "gcn.circulars"
HEARTBEAT = "gcn.heartbeat"


def notice_type(notice: Notice) -> NoticeType | None:
    """Return the classic notice type of a notice, None if it has none that pygcn knows.

    It comes from the topic, or from the VOEvent's ``Packet_Type``.

    Raises
    ------
    NoticeError
        If the notice is XML that cannot be read.
    """
    if notice.topic.startswith(CLASSIC):
        return NoticeType.__members__.get(notice.topic.removeprefix(CLASSIC))
    if not looks_like_xml(notice.payload):
        return None
    packet = voevent.read(notice)
    text = packet.params.get("Packet_Type", "").strip()
    # SVOM and others put a text of their own there.
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        return None
    return NoticeType._value2member_map_.get(int(text))


class GCNStream:
    """What NASA's General Coordinates Network sends."""

    name = "gcn"

    def topics(self, keys: tuple[Any, ...]) -> set[str]:
        """Return the Kafka topics of notice types and topic names."""
        return {CLASSIC + key.name if isinstance(key, NoticeType) else key for key in keys}

    def wants(self, keys: tuple[Any, ...], notice: Notice) -> bool:
        """Tell whether a notice has one of the types, or came by one of the topics."""
        if notice.topic in keys:
            return True
        kinds = [key for key in keys if isinstance(key, NoticeType)]
        if not kinds:
            return False
        # Other roads too: a VOEvent over TCP has the type inside.
        if notice.topic.startswith(CLASSIC) or notice.topic == voevent.TOPIC:
            if notice.topic == voevent.TOPIC and not looks_like_xml(notice.payload):
                raise NoticeError("payload", notice.payload[:40], "is not XML")
            return notice_type(notice) in kinds
        return False

    def alert(self, notice: Notice) -> Any:
        """Return a `VOEvent` for XML, else the JSON value."""
        return voevent.read(notice) if looks_like_xml(notice.payload) else notice.json()


stream = GCNStream()


def handler(*keys: NoticeType | str, **options: Any) -> Callable[[Handler], Handler]:
    """Register a handler for GCN notices.

    Parameters
    ----------
    *keys : NoticeType or str
        Classic notice types, as ``gcn.NoticeType.FERMI_GBM_FIN_POS``, or Kafka topics, as
        ``gcn.notices.einstein_probe.wxt.alert``, ``gcn.circulars`` or ``gcn.heartbeat``.
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``where`` (called with a
        `gwbroker.streams.voevent.VOEvent` for XML, else with the JSON value), ``max_age``,
        ``tells``, ``name``.
    """
    if not keys:
        raise HandlerError("gcn.handler", "names no notice type and no topic",
                           "Give at least one, as gcn.NoticeType.FERMI_GBM_FIN_POS")
    checked = tuple(_check(key) for key in keys)
    return register(stream, checked, **options)


def _check(key: Any) -> NoticeType | str:
    if isinstance(key, NoticeType):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        if key in NoticeType._value2member_map_:
            return NoticeType(key)
        raise HandlerError("gcn.handler", f"{key} is not a notice type",
                           "See gcn.NoticeType for those there are")
    if isinstance(key, str) and key in NoticeType.__members__:
        return NoticeType[key]
    topic = topic_of("gcn.handler", key)
    if not topic.startswith(("gcn.", "igwn.")):
        import difflib

        close = difflib.get_close_matches(topic, NoticeType.__members__, n=3)
        raise HandlerError(
            "gcn.handler", f"{topic!r} is neither a notice type nor a GCN topic",
            f"Did you mean {', '.join(close)}?" if close
            else "Topics of other networks belong to kafka.handler")
    return topic
