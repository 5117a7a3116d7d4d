"""The VOEvent Transport Protocol as values: frames and messages, without any connection.

A frame is the length of a document, four bytes, big-endian, followed by the document. The
document is either a VOEvent packet or a Transport message that keeps the connection alive
or answers a packet. Facts come from the VOEvent Transport Protocol 2.0 note (IVOA) and from
what brokers were seen to send.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import TransportError
from ..notice import parse_xml, utcnow

if TYPE_CHECKING:
    from lxml.etree import _Element

HEADER = struct.Struct("!I")

MAX_MESSAGE = 8 * 1024 * 1024
"""Longest document that is accepted unless told otherwise, in bytes."""

NAMESPACES = (
    "http://telescope-networks.org/xml/Transport/v1.1",
    "http://telescope-networks.org/schema/Transport/v1.1",
    "http://www.telescope-networks.org/xml/Transport/v1.1",
)
"""The three names under which brokers are known to send Transport messages."""

ROLES = ("iamalive", "authenticate", "ack", "nak")

XPATH_FILTER = "xpath-filter"
"""Name of the parameter by which a subscriber asks for a part of the packets."""


def encode(payload: bytes) -> bytes:
    """Return the frame that carries a document.

    Raises
    ------
    TransportError
        If the document is longer than four bytes can say.
    """
    try:
        return HEADER.pack(len(payload)) + payload
    except struct.error:
        raise TransportError(f"a document of {len(payload)} B does not fit in a frame") from None


class Decoder:
    """Cut the bytes of a connection into documents, storing only what has arrived.

    Parameters
    ----------
    limit : int
        Longest document that is accepted, in bytes.
    """

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def __len__(self) -> int:
        """Return the number of bytes that wait here."""
        return len(self._buffer)

    @property
    def wanted(self) -> int | None:
        """Announced length of the document that is arriving, in bytes; None before its header."""
        if len(self._buffer) < HEADER.size:
            return None
        return int(HEADER.unpack_from(self._buffer)[0])

    def feed(self, data: bytes) -> None:
        """Store bytes from the connection."""
        self._buffer += data

    def next(self) -> bytes | None:
        """Return the next complete document, or None if more bytes are needed for it.

        Raises
        ------
        TransportError
            If a document longer than the limit is announced; the connection cannot be
            used any further, because where the next document starts is not known.
        """
        wanted = self.wanted
        if wanted is None:
            return None
        if wanted > self.limit:
            raise TransportError(
                f"the peer announces a message of {wanted} B; at most {self.limit} B are accepted"
            )
        end = HEADER.size + wanted
        if len(self._buffer) < end:
            return None
        payload = bytes(memoryview(self._buffer)[HEADER.size : end])
        del self._buffer[:end]
        return payload


@dataclass(frozen=True)
class Packet:
    """A VOEvent as the protocol sees it: enough to answer it."""

    ivorn: str | None
    role: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Transport:
    """A message of the protocol itself.

    Parameters
    ----------
    role : str
        ``iamalive``, ``authenticate``, ``ack`` or ``nak``.
    origin : str, optional
        Who started the exchange: the broker, or for ``ack`` and ``nak`` the packet's ivorn.
    response : str, optional
        Who answers.
    timestamp : datetime, optional
        When it was sent (UTC); None if absent or unreadable.
    result : str, optional
        The reason of a ``nak``.
    params : tuple of (name, value)
        Parameters, as the filters of an ``authenticate`` answer.
    namespace : str
        XML namespace of the root element, or an empty string.
    """

    role: str
    origin: str | None
    response: str | None = None
    timestamp: datetime | None = field(default_factory=utcnow)
    result: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    namespace: str = NAMESPACES[0]

    def answer(self, own: str, filters: tuple[str, ...] = ()) -> Transport:
        """Return the answer to this ``iamalive`` or ``authenticate``, as the peer speaks it.

        A peer that does not say who it is gets our own name as the origin, since the
        protocol asks for one.
        """
        return replace(
            self, origin=self.origin or own, response=own, timestamp=utcnow(), result=None,
            params=tuple((XPATH_FILTER, each) for each in filters),
        )

    def to_xml(self) -> bytes:
        """Return the message as an XML document in UTF-8.

        Raises
        ------
        TransportError
            If a value holds a character that XML cannot carry, or the role is unknown.
        """
        from lxml import etree

        if self.role not in ROLES:
            raise TransportError(f"{self.role!r} is not a role of a Transport message")
        stamp = (self.timestamp or utcnow()).astimezone(UTC)
        try:
            root = etree.Element(
                etree.QName(self.namespace or None, "Transport"), role=self.role, version="1.0",
                nsmap={"trn": self.namespace} if self.namespace else None,
            )
            etree.SubElement(root, "Origin").text = self.origin or ""
            if self.response is not None:
                etree.SubElement(root, "Response").text = self.response
            etree.SubElement(root, "TimeStamp").text = f"{stamp:%Y-%m-%dT%H:%M:%SZ}"
            if self.params or self.result is not None:
                meta = etree.SubElement(root, "Meta")
                for name, value in self.params:
                    etree.SubElement(meta, "Param", name=name, value=value)
                if self.result is not None:
                    etree.SubElement(meta, "Result").text = self.result
        except ValueError as e:
            raise TransportError(f"a {self.role} message cannot be written: {e}") from None
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def iamalive(origin: str) -> Transport:
    """Return the message by which a broker tells that it is there."""
    return Transport("iamalive", origin)


def authenticate(origin: str) -> Transport:
    """Return the message by which a broker asks a subscriber who it is."""
    return Transport("authenticate", origin)


def ack(ivorn: str, own: str) -> Transport:
    """Return the answer to a packet that has been kept."""
    return Transport("ack", ivorn, own)


def nak(ivorn: str, own: str, reason: str | None = None) -> Transport:
    """Return the answer to a packet that is refused."""
    return Transport("nak", ivorn, own, result=reason)


def may_be_transport(payload: bytes) -> bool:
    """Tell without parsing whether a document could be a Transport message."""
    # UTF-16 has a zero byte beside each letter of the name.
    return b"Transport" in payload[:4096].replace(b"\0", b"")


def parse(payload: bytes) -> Transport | Packet:
    """Read a document that came over the wire.

    The root element is recognised by its local name, whatever its namespace or prefix, so
    that VOEvent 1.1, 2.0, 2.1 and packets without a namespace are all taken, and so is a
    Transport message of a namespace that is not in `NAMESPACES`: clients that insisted on
    the known ones were cut off by brokers with another.

    Raises
    ------
    NoticeError
        If it is not well-formed XML or has a document type declaration.
    TransportError
        If it is neither a VOEvent nor a Transport message, or the latter is malformed.
    """
    return read(parse_xml(payload))


def read(root: _Element) -> Transport | Packet:
    """Read the root element of a document that came over the wire; see `parse`.

    Raises
    ------
    TransportError
        If it is neither a VOEvent nor a Transport message, or the latter is malformed.
    """
    from lxml import etree

    name = etree.QName(root)
    if name.localname == "VOEvent":
        return Packet(
            ivorn=(root.get("ivorn") or "").strip() or None,
            role=root.get("role"), version=root.get("version"),
        )
    if name.localname != "Transport":
        raise TransportError(f"unknown document with root element {name.text[:120]}")
    role = root.get("role")
    if role not in ROLES:
        raise TransportError(f"Transport message with the role {str(role)[:40]!r}")
    meta = _child(root, "Meta")
    return Transport(
        role=role, origin=_text(root, "Origin"), response=_text(root, "Response"),
        timestamp=_time(_text(root, "TimeStamp")),
        result=None if meta is None else _text(meta, "Result"),
        params=() if meta is None else tuple(
            (each.get("name") or "", each.get("value") or "")
            for each in meta.iterchildren("{*}Param")
        ) + tuple(
            # As filters were written before they were parameters.
            (XPATH_FILTER, each.text or "") for each in meta.iterchildren("{*}filter")
            if each.get("type") == "xpath"
        ),
        namespace=name.namespace or "",
    )


def _child(parent: _Element, name: str) -> _Element | None:
    return next(iter(parent.iterchildren("{*}" + name)), None)


def _text(parent: _Element, name: str) -> str | None:
    child = _child(parent, name)
    if child is None:
        return None
    # A comment cuts the text in pieces.
    pieces = [child.text or "", *(each.tail or "" for each in child)]
    return "".join(pieces).strip() or None


def _time(text: str | None) -> datetime | None:
    """Read an ISO 8601 time; one without a zone is taken as UTC."""
    try:
        stamp = datetime.fromisoformat(text or "")
        return stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
