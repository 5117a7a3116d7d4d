"""Sky maps inside a notice: base64 of a FITS file, as it is or compressed by gzip."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..errors import NoticeError
from ..notice import Notice
from . import igwn

FITS = b"SIMPLE  ="
GZIP = b"\x1f\x8b"


def field_of(notice: Notice) -> str:
    """Return the name of the field in which a stream's notices have their map."""
    return "event.skymap" if notice.topic == igwn.TOPIC else "healpix_file"


def _text(notice: Notice) -> Any:
    value = igwn.content(notice) if notice.topic == igwn.TOPIC else notice.json()
    if not isinstance(value, dict):
        raise NoticeError("payload", type(value).__name__, "is not a JSON object")
    if notice.topic != igwn.TOPIC:
        return value.get("healpix_file")
    event = value.get("event")
    return event.get("skymap") if isinstance(event, dict) else None


def check(name: str, value: object) -> str:
    """Return the base64 text of a map that begins like one; the rest is not decoded.

    Raises
    ------
    NoticeError
        If it is not text, or begins neither as FITS nor as gzip.
    """
    if not isinstance(value, str):
        raise NoticeError(name, type(value).__name__, "is not base64 text")
    text = value
    if text[:5].lower() == "data:":
        head, comma, tail = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise NoticeError(name, head, "is a data URL without base64")
        text = tail
    start = "".join(text[:64].split())
    try:
        first = base64.b64decode(start[: len(start) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        raise NoticeError(name, text[:40], "is not base64") from None
    if not first.startswith((FITS, GZIP)):
        raise NoticeError(name, text[:40], "begins neither as FITS nor as gzip")
    return text


def skymap_bytes(notice: Notice) -> bytes:
    """Return the FITS file inside a notice, still compressed if it was.

    Raises
    ------
    NoticeError
        If there is none, or it cannot be decoded.
    """
    name = field_of(notice)
    text = _text(notice)
    if text is None:
        raise NoticeError(name, None, "is missing")
    text = check(name, text)
    try:
        return base64.b64decode(text.encode().translate(None, b" \t\r\n\f\v"), validate=True)
    except (binascii.Error, ValueError) as e:
        raise NoticeError(name, text[:40], f"is not base64: {e}") from None
