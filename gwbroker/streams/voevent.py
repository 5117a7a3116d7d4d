"""VOEvent: reading the XML that observatories have exchanged since 2006.

The three versions in use (1.1, 2.0, 2.1) differ in namespace, and some authors
give none; all are read by their local names.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import HandlerError, NoticeError
from ..notice import Notice, looks_like_xml
from .registry import Handler, register

if TYPE_CHECKING:
    from lxml.etree import _Element

TOPIC = "voevent"
"""The topic of what comes over the VOEvent TCP transport."""

ROLES = ("observation", "prediction", "utility", "test")


@dataclass(frozen=True)
class Position:
    """Where a VOEvent says that it happened, as it says it: nothing is checked yet.

    ``ra``, ``dec`` and ``radius`` are in degrees.
    """

    ra: float
    dec: float
    radius: float | None


@dataclass(frozen=True)
class VOEvent:
    """One VOEvent packet.

    Parameters
    ----------
    ivorn : str
        The packet's identifier, as ``ivo://nasa.gsfc.gcn/Fermi#GBM_...``.
    role : str
        ``observation``, ``prediction``, ``utility`` or ``test``.
    """

    root: _Element = field(repr=False)
    ivorn: str
    role: str
    version: str

    @cached_property
    def params(self) -> dict[str, str]:
        """The parameters of ``What``: by name, and those in a group also by ``Group.Name``."""
        found: dict[str, str] = {}
        what = _child(self.root, "What")
        if what is not None:
            _read_params(what, found, "")
        return found

    @property
    def stream(self) -> str:
        """The part of the ivorn between authority and ``#``, as ``Fermi`` or ``LVC``."""
        path, _, _ = self.ivorn.partition("#")
        return path.rsplit("/", 1)[-1]

    def number(self, name: str, default: float | None = None) -> float | None:
        """Return a parameter as a number.

        Raises
        ------
        NoticeError
            If it is there and not a finite number.
        """
        text = self.params.get(name)
        return default if text is None else as_number(name, text)

    def flag(self, name: str) -> bool:
        """Tell whether a parameter says true."""
        return self.params.get(name, "").strip().lower() in ("true", "1", "yes")

    @property
    def author_date(self) -> datetime | None:
        """When the packet was written (``Who/Date``, UTC)."""
        text = _text(self.root, "Who", "Date")
        return as_time("Who/Date", text) if text else None

    @property
    def time(self) -> datetime | None:
        """When it happened (``WhereWhen``, UTC)."""
        text = _text(self.root, "WhereWhen", "ISOTime")
        return as_time("WhereWhen/ISOTime", text) if text else None

    @property
    def position(self) -> Position | None:
        """Where it happened (``WhereWhen``), None if the packet has no position."""
        where = _child(self.root, "WhereWhen")
        found = None if where is None else _find(where, "Position2D")
        if found is None:
            return None
        ra, dec, radius = (_find(found, name) for name in ("C1", "C2", "Error2Radius"))
        if ra is None or dec is None or not (ra.text or "").strip():
            return None
        return Position(
            as_number("C1 (RA)", ra.text), as_number("C2 (Dec)", dec.text),
            as_number("Error2Radius", radius.text)
            if radius is not None and (radius.text or "").strip() else None)

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        """The packets it cites, as (how, ivorn): how is followup, supersedes or retraction."""
        cited = _child(self.root, "Citations")
        return () if cited is None else tuple(
            (e.get("cite", ""), (e.text or "").strip())
            for e in cited if local(e) == "EventIVORN")

    @property
    def importance(self) -> float | None:
        """The author's ``Why/@importance``, 0 to 1."""
        why = _child(self.root, "Why")
        text = None if why is None else why.get("importance")
        return as_number("Why/@importance", text) if text else None


def as_number(name: str, text: str | None) -> float:
    """Return a text as a finite number.

    Raises
    ------
    NoticeError
        If it is none.
    """
    try:
        value = float(text or "")
    except ValueError:
        raise NoticeError(name, text, "is not a number") from None
    if not math.isfinite(value):
        raise NoticeError(name, text, "is not a finite number")
    return value


def as_time(name: str, text: Any) -> datetime:
    """Return a time in ISO 8601 as UTC; without a zone it is taken to be UTC.

    Raises
    ------
    NoticeError
        If it is none.
    """
    try:
        value = datetime.fromisoformat(str(text).strip())
    except ValueError:
        raise NoticeError(name, text, "is not a time in ISO 8601") from None
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise NoticeError(name, text, "is out of range") from None


def local(element: _Element) -> str:
    """Return an element's name without its namespace; empty for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _child(element: _Element, name: str) -> _Element | None:
    return next((e for e in element if local(e) == name), None)


def _find(element: _Element, name: str) -> _Element | None:
    return next((e for e in element.iter() if local(e) == name), None)


def _text(root: _Element, section: str, name: str) -> str | None:
    part = _child(root, section)
    found = None if part is None else _find(part, name)
    return None if found is None else (found.text or "").strip() or None


def parse(root: _Element) -> VOEvent:
    """Read a VOEvent.

    Raises
    ------
    NoticeError
        If the root is not a VOEvent, or has no ivorn.
    """
    if local(root) != "VOEvent":
        raise NoticeError("root element", root.tag, "is not a VOEvent")
    ivorn = (root.get("ivorn") or "").strip()
    if not ivorn:
        raise NoticeError("VOEvent/@ivorn", root.get("ivorn"), "is missing")
    return VOEvent(root, ivorn, root.get("role", "observation"), root.get("version", ""))


def _read_params(parent: _Element, params: dict[str, str], group: str) -> None:
    for element in parent:
        tag = element.tag
        # As `local`, which takes a third of the time of reading a packet.
        kind = tag[tag.rfind("}") + 1:] if isinstance(tag, str) else ""
        if kind == "Param":
            name = element.get("name", "")
            value = element.get("value")
            if value is None:
                inner = _child(element, "Value")
                value = "" if inner is None else (inner.text or "").strip()
            if group:
                params[f"{group}.{name}"] = value
            params.setdefault(name, value)
        elif kind == "Group" and not group:
            _read_params(element, params, element.get("name") or element.get("type") or "Group")


def read(notice: Notice) -> VOEvent:
    """Return a notice read as a VOEvent; it is read once.

    Raises
    ------
    NoticeError
        If it is not one.
    """
    known = notice.__dict__.get("_voevent")
    if known is None:
        known = notice.__dict__["_voevent"] = parse(notice.xml())
    return known


class VOEventStream:
    """Any VOEvent over any road, chosen by a pattern of its ivorn."""

    name = "voevent"

    def topics(self, keys: tuple[Any, ...]) -> set[str]:
        """Return none: VOEvents come over TCP, or over topics that others ask for."""
        return set()

    def wants(self, keys: tuple[Any, ...], notice: Notice) -> bool:
        """Tell whether a notice is a VOEvent whose ivorn fits one of the patterns."""
        if not looks_like_xml(notice.payload):
            if notice.topic == TOPIC:
                raise NoticeError("payload", notice.payload[:40], "is not XML")
            return False
        if notice.topic != TOPIC and not notice.topic.startswith("gcn.classic."):
            # Somebody's own topic: its XML may be anything, and that is no mistake.
            try:
                root = notice.xml()
            except NoticeError:
                return False
            if local(root) != "VOEvent":
                return False
        packet = read(notice)
        return not keys or any(fnmatch.fnmatchcase(packet.ivorn, key) for key in keys)

    def alert(self, notice: Notice) -> VOEvent:
        """Return the notice as a `VOEvent`."""
        return read(notice)


stream = VOEventStream()


def handler(*patterns: str, **options: Any) -> Callable[[Handler], Handler]:
    """Register a handler for VOEvents by their ivorn.

    Parameters
    ----------
    *patterns : str
        Shell-style patterns of the ivorn, as ``ivo://nasa.gsfc.gcn/Fermi#GBM_*``; none: all.
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``where`` (called with
        a `VOEvent`), ``name``.
    """
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern.startswith(("ivo://", "*")):
            raise HandlerError(
                "voevent.handler", f"{pattern!r} is not a pattern of ivorns",
                'Write it with brackets, as @voevent.handler("ivo://nasa.gsfc.gcn/Fermi#*")')
    return register(stream, patterns, **options)
