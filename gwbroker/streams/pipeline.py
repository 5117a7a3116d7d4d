"""igwn-alert's topics: what GraceDB says of every upload, for those with access to it.

A topic of SCiMMA's Kafka is named after the GraceDB server and what uploads there, as
``gracedb.cbc_gstlal`` or ``gracedb-playground.superevent``; a message is JSON with ``uid``,
``alert_type``, ``data`` and ``object`` (igwn-alert 0.7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import HandlerError, NoticeError
from ..notice import Notice
from . import scimma
from .registry import Handler, register, topic_of

GROUP = "gracedb"
"""The server whose topics are meant where only a pipeline is named."""

_TYPE = re.compile(r"[a-z][a-z_]{0,39}\Z")


@dataclass(frozen=True)
class PipelineAlert:
    """What GraceDB says of an upload or a change.

    Parameters
    ----------
    uid : str
        The event or superevent, as ``G184098`` or ``S190814bv``.
    alert_type : str
        What happened, as ``new``, ``update``, ``label_added`` or ``log``.
    object : dict
        The event or superevent as it is now.
    data : dict
        What is new.
    """

    uid: str
    alert_type: str
    object: dict[str, Any] = field(default_factory=dict, repr=False)
    data: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def far(self) -> float:
        """False-alarm rate (Hz); NaN, which compares as false with everything, if none is given."""
        value = self.object.get("far")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return float("nan")
        try:
            return float(value)
        except OverflowError:  # JSON's whole numbers have no end.
            return float("nan")

    @property
    def superevent(self) -> str | None:
        """The superevent that it is, or that it belongs to."""
        if re.match(r"[MT]?S\d", self.uid):
            return self.uid
        value = self.object.get("superevent") or self.object.get("superevent_id")
        return value if isinstance(value, str) else None

    @property
    def detail(self) -> str:
        """What tells one message of a type from the next of the same upload."""
        found = (self.data.get(name) for name in ("name", "N", "filename", "file_version"))
        return ":".join(str(each)[:80] for each in found if isinstance(each, str)
                        or (isinstance(each, int) and abs(each) < 10**30))


def is_topic(topic: str) -> bool:
    """Tell whether a topic is one of a GraceDB server's."""
    return topic.startswith((f"{GROUP}.", f"{GROUP}-"))


def read(notice: Notice) -> PipelineAlert:
    """Return a notice read as an alert of GraceDB; it is read once.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    known = notice.__dict__.get("_pipeline")
    if known is None:
        known = notice.__dict__["_pipeline"] = _parse(scimma.read(notice).content)
    return known


def _parse(value: Any) -> PipelineAlert:
    # Text of JSON in JSON, as the command of igwn-alert sends it.
    for _ in range(2):
        if isinstance(value, str | bytes):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise NoticeError("payload", value[:40], "is not JSON") from None
    if not isinstance(value, dict):
        raise NoticeError("payload", type(value).__name__, "is not a JSON object")
    for name in ("uid", "alert_type"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise NoticeError(name, value.get(name), "is missing or not text")
    parts = {name: value[name] for name in ("object", "data") if isinstance(value.get(name), dict)}
    return PipelineAlert(value["uid"], value["alert_type"].lower(), **parts)


class PipelineStream:
    """GraceDB's topics and types of alerts."""

    name = "pipeline"

    def topics(self, keys: tuple[Any, ...]) -> set[str]:
        """Return the one topic."""
        return {keys[0]}

    def wants(self, keys: tuple[Any, ...], notice: Notice) -> bool:
        """Tell whether a notice came by the topic and is of one of the types."""
        if notice.topic != keys[0]:
            return False
        return len(keys) == 1 or read(notice).alert_type in keys[1:]

    def alert(self, notice: Notice) -> PipelineAlert:
        """Return the notice as a `PipelineAlert`."""
        return read(notice)


stream = PipelineStream()


def handler(
    topic: str, *alert_types: str, group: str = GROUP, **options: Any,
) -> Callable[[Handler], Handler]:
    """Register a handler for what GraceDB says of a pipeline's uploads.

    Parameters
    ----------
    topic : str
        As ``cbc_gstlal``, ``burst_cwb`` or ``superevent``; or with its server, as
        ``gracedb-playground.cbc_gstlal``.
    *alert_types : str
        As ``new``, ``update`` or ``label_added``; none: all.
    group : str
        The server, where the topic does not name it.
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``where`` (called with a
        `PipelineAlert`), ``max_age``, ``tells``, ``name``.
    """
    checked = topic_of("igwn.pipeline", topic)
    whole = checked if "." in checked else f"{topic_of('igwn.pipeline', group)}.{checked}"
    for kind in alert_types:
        if not isinstance(kind, str) or not _TYPE.match(kind):
            raise HandlerError("igwn.pipeline", f"{kind!r} is not a type of alert",
                               "Write it as new, update or label_added")
    return register(stream, (whole, *alert_types), **options)
