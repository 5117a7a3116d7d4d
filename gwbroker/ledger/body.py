"""Bodies: a notice's bytes as a value of JSON, from which exactly the same bytes come back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any


def line(value: Any) -> bytes:
    """Return a value as one line of JSON in UTF-8."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # JSON from outside may have halves of surrogate pairs.
        text = json.dumps(value, separators=(",", ":")).encode()
    return text + b"\n"


def pack(body: bytes) -> dict[str, str]:
    """Return bytes as text where they are UTF-8, so that files of them can be searched."""
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": b64encode(body).decode("ascii")}


def unpack(values: Mapping[str, str]) -> bytes:
    """Return the bytes that `pack` packed.

    Raises
    ------
    ValueError
        If there are none, or they are no base64.
    """
    if "text" in values:
        return values["text"].encode("utf-8")
    if "base64" in values:
        return b64decode(values["base64"], validate=True)
    raise ValueError("neither text nor base64")
