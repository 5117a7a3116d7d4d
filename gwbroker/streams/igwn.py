"""LIGO/Virgo/KAGRA public alerts: the topic ``igwn.gwalert``, JSON from GCN, Avro from SCiMMA."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import HandlerError, NoticeError
from ..notice import Notice
from . import avro, kafka
from .pipeline import PipelineAlert
from .pipeline import handler as pipeline
from .pipeline import read as read_pipeline
from .registry import Handler, register
from .voevent import as_time

__all__ = ["ALERT_TYPES", "TOPIC", "Alert", "Candidate", "PipelineAlert", "content", "handler",
           "pipeline", "read", "read_pipeline"]

TOPIC = "igwn.gwalert"
ALERT_TYPES = ("EARLYWARNING", "PRELIMINARY", "INITIAL", "UPDATE", "RETRACTION")


class _Part(BaseModel):
    # Fields come and go between observing runs; what is new is let through.
    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


class Candidate(_Part):
    """The ``event`` of an alert."""

    time: str | None = None
    far: float | None = Field(None, ge=0, allow_inf_nan=False, description="Hz")
    significant: bool | None = None
    instruments: tuple[str, ...] = ()
    group: str | None = None
    pipeline: str | None = None
    search: str | None = None
    properties: dict[str, float | None] = Field(default_factory=dict)
    classification: dict[str, float | None] = Field(default_factory=dict)
    duration: float | None = None
    central_frequency: float | None = None
    skymap: str | None = Field(None, repr=False, description="base64 of a multi-order FITS file")


class Alert(_Part):
    """One alert; the fields of its ``event`` can be read from it directly, as ``alert.far``."""

    alert_type: str
    superevent_id: str = Field(min_length=1, max_length=64)
    time_created: str | None = None
    urls: dict[str, Any] | None = None
    event: Candidate | None = None
    external_coinc: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        # A predicate such as `a.far < 1e-8` should not have to ask for a retraction first;
        # that has no event, and NaN compares as false with everything.
        if name in Candidate.model_fields:
            event = self.__dict__.get("event")
            value = None if event is None else getattr(event, name)
            return float("nan") if value is None and name == "far" else value
        return super().__getattr__(name)  # type: ignore[misc]

    @property
    def mock(self) -> bool:
        """Whether it is a rehearsal: a superevent that begins with M."""
        return self.superevent_id.startswith("M")

    @property
    def test(self) -> bool:
        """Whether it is a test: a superevent that begins with T."""
        return self.superevent_id.startswith("T")

    @property
    def created(self) -> datetime | None:
        """When the alert was made (UTC)."""
        return as_time("time_created", self.time_created) if self.time_created else None

    @property
    def t0(self) -> datetime | None:
        """When the signal reached the Earth's centre (UTC); None in a retraction."""
        time = self.event.time if self.event else None
        return as_time("event.time", time) if time else None

    def skymap_bytes(self) -> bytes | None:
        """Return the sky map's FITS file; None if the alert has none.

        Raises
        ------
        NoticeError
            If it is not base64.
        """
        text = self.event.skymap if self.event else None
        if text is None:
            return None
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as e:
            raise NoticeError("event.skymap", text[:40], f"is not base64: {e}") from None


def content(notice: Notice) -> Any:
    """Return what GCN's JSON of an alert says, also where it came as Avro; it is read once.

    Avro has maps as bytes, where JSON has them in base64; they become base64.

    Raises
    ------
    NoticeError
        If it is neither.
    """
    if not notice.payload.startswith(avro.MAGIC):
        return notice.json()
    if "_igwn_content" not in notice.__dict__:
        notice.__dict__["_igwn_content"] = _as_json(kafka.decode(notice))
    return notice.__dict__["_igwn_content"]


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def read(notice: Notice) -> Alert:
    """Return a notice read as an alert; it is read once.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    known = notice.__dict__.get("_igwn")
    if known is None:
        known = notice.__dict__["_igwn"] = _parse(content(notice))
    return known


def _parse(value: Any) -> Alert:
    if not isinstance(value, dict):
        raise NoticeError("payload", type(value).__name__, "is not a JSON object")
    try:
        return Alert.model_validate(value)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False)[0]
        problem = "is missing" if first["type"] == "missing" else first["msg"].lower()
        found = None if first["type"] == "missing" else first.get("input")
        raise NoticeError(".".join(map(str, first["loc"])), found, problem) from None


class IGWNStream:
    """The topic ``igwn.gwalert``."""

    name = "igwn"

    def topics(self, keys: tuple[Any, ...]) -> set[str]:
        """Return the one topic."""
        return {TOPIC}

    def wants(self, keys: tuple[Any, ...], notice: Notice) -> bool:
        """Tell whether a notice is an alert of one of the types; without types, any alert."""
        if notice.topic != TOPIC:
            return False
        return not keys or read(notice).alert_type.upper() in keys

    def alert(self, notice: Notice) -> Alert:
        """Return the notice as an `Alert`."""
        return read(notice)


stream = IGWNStream()


def handler(*alert_types: str, **options: Any) -> Callable[[Handler], Handler]:
    """Register a handler for LIGO/Virgo/KAGRA alerts.

    Parameters
    ----------
    *alert_types : str
        ``EARLYWARNING``, ``PRELIMINARY``, ``INITIAL``, ``UPDATE``, ``RETRACTION``; none: all.
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``where`` (called with an
        `Alert`, as ``where=lambda a: a.far < 1e-8``), ``max_age``, ``tells``, ``name``.
    """
    for key in alert_types:
        if key not in ALERT_TYPES:
            raise HandlerError("igwn.handler", f"{key!r} is not an alert type",
                               f"Accepted, with brackets: {', '.join(ALERT_TYPES)}")
    return register(stream, alert_types, **options)
