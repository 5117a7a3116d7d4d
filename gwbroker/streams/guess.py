"""Guessing the stream of a recorded message, for `gwbroker replay`."""

from __future__ import annotations

import json
import re
from typing import Any

from ..notice import looks_like_xml
from . import gcn, igwn, voevent

_SCHEMA = re.compile(r"/gcn/(notices/[\w/.\-]+|circulars)\.schema\.json")


def guess(payload: bytes, name: str = "", stream: str | None = None) -> str | None:
    """Return the topic by which a message would have come; None if it is none.

    Parameters
    ----------
    payload : bytes
        The message.
    name : str
        The file's name; GCN's examples are named after their topics.
    stream : str, optional
        The family, if it is known: ``gcn``, ``igwn``, ``voevent`` or ``kafka``.
    """
    if stream == "igwn":
        return igwn.TOPIC
    if stream == "voevent" or (stream is None and looks_like_xml(payload)):
        return voevent.TOPIC
    if payload.startswith(b"Obj\x01") or stream == "kafka":
        return "replay"
    if payload[:256].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        return _by_name(name) if stream == "gcn" else None
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        value = {}
        if b'"superevent_id"' in payload[:2000]:
            return igwn.TOPIC
    return _by_content(value if isinstance(value, dict) else {}) or _by_name(name) or "replay"


def _by_content(value: dict[str, Any]) -> str | None:
    if "superevent_id" in value:
        return igwn.TOPIC
    schema = _SCHEMA.search(str(value.get("$schema", "")))
    if schema:
        # One of the schemas is spelled with a capital letter; topics are not.
        return "gcn." + schema[1].replace("/", ".").lower()
    if "circularId" in value:
        return gcn.CIRCULARS
    return None


def _by_name(name: str) -> str | None:
    stem = name.removesuffix(".json").removesuffix(".example")
    return gcn.NOTICES + stem if "." in stem else None
