"""SCiMMA's topics: messages framed by hop-client, whose Kafka headers say what is inside.

Facts of the framing, from hop-client 0.13: ``_format`` names the format, ``_id`` holds the
16 bytes of a UUID, ``_sender`` the author's user name, and a message with ``_test`` is a
test. Before there were headers a message was a JSON object of ``format`` and ``content``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import HandlerError
from ..notice import Notice
from . import kafka, voevent
from .registry import Handler, register, topic_of

LARGEST_HEADER = 256
"""Characters of a header that are read as text; what is longer is cut."""

_LINE = re.compile(r"([^:\n]{1,100}):[ \t]*(.*)")


@dataclass(frozen=True)
class Message:
    """A message of SCiMMA.

    Parameters
    ----------
    format : str or None
        As ``voevent``, ``circular``, ``gcntextnotice``, ``json``, ``avro``, ``blob`` or
        ``external``; None if the message does not say.
    content : object
        What is inside: a `gwbroker.streams.voevent.VOEvent`; a dict with ``header`` and
        ``body``; a dict of a text notice's fields in lower case; a JSON value; an Avro record
        or a list of several; a dict with the ``url`` of an external message, which nobody
        fetches; bytes for all else.
    id : str or None
        The message's UUID.
    sender : str or None
        Who wrote it, as the author's client says.
    test : bool
        Whether it is a test.
    """

    format: str | None
    content: Any
    id: str | None = None
    sender: str | None = None
    test: bool = False


def is_test(notice: Notice) -> bool:
    """Tell whether a notice is marked as a test by its header."""
    return notice.header("_test") is not None


def message_id(notice: Notice) -> str | None:
    """Return the UUID in a notice's header; None if there is none, or it is not one."""
    value = notice.header("_id")
    return str(uuid.UUID(bytes=bytes(value))) if value is not None and len(value) == 16 else None


def format_of(notice: Notice) -> str | None:
    """Return what a notice's header says that it is, in lower case."""
    text = _text(notice, "_format")
    return text.lower() if text else None


def _text(notice: Notice, name: str) -> str | None:
    value = notice.header(name)
    return None if value is None else value.decode("utf-8", "replace")[:LARGEST_HEADER]


def read(notice: Notice) -> Message:
    """Return a notice read as a message of SCiMMA; it is read once.

    Raises
    ------
    NoticeError
        If it is not what its header says.
    """
    known = notice.__dict__.get("_scimma")
    if known is None:
        called, content = _content(notice)
        known = notice.__dict__["_scimma"] = Message(
            called, content, message_id(notice), _text(notice, "_sender"), is_test(notice))
    return known


def _content(notice: Notice) -> tuple[str | None, Any]:
    called = format_of(notice)
    if called is None:
        value = kafka.decode(notice)
        if isinstance(value, dict) and isinstance(value.get("format"), str) and "content" in value:
            # What hop-client sent before there were headers; "blob" then meant JSON.
            old = value["format"].lower()[:LARGEST_HEADER]
            return ("json" if old == "blob" else old), value["content"]
        return None, value
    if called == "voevent":
        return called, voevent.read(notice)
    if called in ("json", "circular", "external"):
        return called, notice.json()
    if called == "avro":
        found = kafka.records(notice)
        return called, found[0] if len(found) == 1 else found
    if called == "gcntextnotice":
        return called, fields(notice.text())
    return called, notice.payload


def fields(text: str) -> dict[str, str]:
    """Return the fields of a GCN text notice by their names in lower case.

    A name that comes again, and a line without a name, go on with what was said before.
    """
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in text.splitlines():
        named = _LINE.fullmatch(line.strip())
        if named:
            last = found.setdefault(named[1].strip().lower(), [])
            last.append(named[2].strip())
        elif last is not None and line.strip():
            last.append(line.strip())
    return {name: "\n".join(lines) for name, lines in found.items()}


class SCiMMAStream:
    """Topics of SCiMMA by name."""

    name = "scimma"
    batches = True

    def topics(self, keys: tuple[Any, ...]) -> set[str]:
        """Return the topics."""
        return set(keys)

    def wants(self, keys: tuple[Any, ...], notice: Notice) -> bool:
        """Tell whether a notice came by one of the topics."""
        return notice.topic in keys

    def alert(self, notice: Notice) -> Message:
        """Return the notice as a `Message`."""
        return read(notice)


stream = SCiMMAStream()


def handler(*topics: str, **options: Any) -> Callable[[Handler], Handler]:
    """Register a handler for SCiMMA's topics.

    Parameters
    ----------
    *topics : str
        The topics' names, as ``tns.alerts``.
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``where`` (called with a
        `Message`), ``max_age``, ``tells``, ``batch`` (as for ``kafka.handler``), ``name``.
    """
    if not topics:
        raise HandlerError("scimma.handler", "names no topic", "Give at least one")
    return register(stream, tuple(topic_of("scimma.handler", t) for t in topics), **options)
