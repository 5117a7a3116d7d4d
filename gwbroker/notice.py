"""Notice: one message from outside, exactly as it arrived."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .errors import NoticeError

if TYPE_CHECKING:
    from lxml.etree import _Element

READINGS = frozenset((
    "_xml", "_json", "_voevent", "_decoded", "_scimma", "_igwn", "_igwn_content", "_pipeline"))
"""Attributes in which this module and the streams keep what they have read of a notice."""


INCOMPLETE = "gwbroker.incomplete"
"""Header of a notice whose payload is not the whole message: the reason."""

DOUBTFUL = "gwbroker.doubtful"
"""Header of a notice that is whole, but of which something beside it could not be read."""


def utcnow() -> datetime:
    """Return the time now, UTC and aware of it."""
    return datetime.now(UTC)


def looks_like_xml(payload: bytes) -> bool:
    """Tell whether bytes look like an XML document rather than JSON or text."""
    if payload[:1] in (b"<", b"{"):
        return payload[:1] == b"<"
    return payload[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


@contextmanager
def uncollected(size: int) -> Iterator[None]:
    """Pause Python's cyclic garbage collector while a large message (bytes) is read.

    What it is read into are up to millions of objects, none in a circle, and the collector
    would go through all of them again and again: three quarters of the time.
    """
    if size < 1 << 18 or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass(frozen=True)
class Notice:
    """One message from outside: its bytes, where it came from, and when.

    Parameters
    ----------
    payload : bytes
        The message, exactly as it arrived.
    source : str
        The configured source that brought it, as ``kafka.gcn`` or ``vtp.comet``.
    topic : str
        The Kafka topic; ``voevent`` for the VOEvent transport.
    partition, offset : int, optional
        Where it stood in Kafka.
    received : datetime
        When it arrived here (UTC).
    sent : datetime, optional
        When the source says that it was sent (UTC).
    id : int, optional
        Its number in the ledger, once it is kept.
    headers : tuple of (str, bytes)
        Kafka headers, in their order.
    replay : str, optional
        The label of the replay that calls a handler with it again; None when it is live.
    """

    payload: bytes = field(repr=False)
    source: str = "replay"
    topic: str = ""
    partition: int | None = None
    offset: int | None = None
    received: datetime = field(default_factory=utcnow)
    sent: datetime | None = None
    id: int | None = None
    headers: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    replay: str | None = None

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the payload, 32 bytes."""
        return hashlib.sha256(self.payload).digest()

    @property
    def sha256(self) -> str:
        """SHA-256 of the payload, as 64 hexadecimal digits."""
        return self.digest.hex()

    def header(self, name: str) -> bytes | None:
        """Return the value of the last Kafka header of a name; None if there is none."""
        return next((value for key, value in reversed(self.headers) if key == name), None)

    @property
    def incomplete(self) -> str | None:
        """Why the payload is not the whole message; None if it is."""
        return self._said(INCOMPLETE)

    @property
    def doubtful(self) -> str | None:
        """What could not be read beside the payload; None if nothing is wrong."""
        return self._said(DOUBTFUL)

    def _said(self, name: str) -> str | None:
        found = self.header(name) if self.headers else None
        return None if found is None else found.decode("utf-8", "replace")

    def with_id(self, number: int) -> Notice:
        """Return the same notice with its number in the ledger."""
        return replace(self, id=number)

    def forget(self) -> None:
        """Forget what the payload was read into, which takes many times its size.

        What others noted of it in passing, as how it is identified, stays; what is asked for
        again is read again.
        """
        for name in [name for name in self.__dict__ if name in READINGS]:
            del self.__dict__[name]

    def text(self) -> str:
        """Return the payload as text.

        Raises
        ------
        NoticeError
            If it is not valid UTF-8.
        """
        try:
            return self.payload.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise NoticeError(
                "payload", self.payload[max(0, e.start - 8) : e.start + 8],
                f"byte {e.start} is not valid UTF-8",
            ) from None

    def json(self) -> Any:
        """Return the payload read as JSON; it is read once.

        Raises
        ------
        NoticeError
            If it is not JSON; ``NaN`` and ``Infinity`` are not JSON.
        """
        return self._json

    @cached_property
    def _json(self) -> Any:
        if not self.payload:
            raise NoticeError("payload", b"", "the message is empty")

        def refuse(constant: str) -> None:
            raise NoticeError("payload", constant, "is not a JSON number")

        try:
            with uncollected(len(self.payload)):
                return json.loads(self.text(), parse_constant=refuse)
        except json.JSONDecodeError as e:
            near = e.doc[max(0, e.pos - 20) : e.pos + 20]
            raise NoticeError(
                "payload", near, f"not JSON: {e.msg} at line {e.lineno} column {e.colno}"
            ) from None
        except ValueError as e:
            # A number of more digits than Python reads.
            raise NoticeError("payload", self.payload[:40], f"not JSON: {e}") from None
        except RecursionError:
            raise NoticeError(
                "payload", self.payload[:20], "JSON nested too deeply"
            ) from None

    def xml(self) -> _Element:
        """Return the root element of the payload read as XML, without DTD, entities or network.

        Raises
        ------
        NoticeError
            If it is not well-formed, or has a document type declaration.
        """
        return self._xml

    @cached_property
    def _xml(self) -> _Element:
        return parse_xml(self.payload)


def parse_xml(payload: bytes) -> _Element:
    """Parse XML from an untrusted source.

    Raises
    ------
    NoticeError
        If it is not well-formed, or has a document type declaration
        (where entities and external references live), or is nested too deeply.
    """
    from lxml import etree

    if not payload or payload.isspace():
        raise NoticeError("payload", payload[:20], "the message is empty")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False,
        dtd_validation=False, attribute_defaults=False, huge_tree=False,
    )
    try:
        root = etree.fromstring(payload, parser)
    except etree.XMLSyntaxError as e:
        raise NoticeError("payload", payload[:40], f"not well-formed XML: {e.msg}") from None
    except ValueError as e:
        raise NoticeError("payload", payload[:40], f"not XML: {e}") from None
    doctype = str(getattr(root.getroottree().docinfo, "doctype", ""))
    if doctype:
        raise NoticeError(
            "payload", doctype,
            "a document type declaration is refused, because entities can be bombs",
        )
    return root
