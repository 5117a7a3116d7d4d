"""Sky maps inside JSON: base64 of a FITS file, as alerts carry them."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import SkyMapError
from . import fits
from .atomic import write_whole
from .multiorder import SkyMap

PARTS = 1_000_000
"""Most values in the JSON; each may take as much memory as twenty bytes of the file and more."""

FIELDS = ("event.skymap", "skymap", "healpix_file")
"""Where a map is looked for: LIGO/Virgo/KAGRA alerts, our own, GCN's unified schema."""


EVENT = "superevent_id"
"""Where `SkyMap.meta` has the name of the event of an alert; it is in no file that is written."""


def read(content: bytes, name: str = "sky map", limit: int = fits.INSIDE) -> SkyMap:
    """Read a sky map from an alert or another JSON object that has one inside.

    It is the base64 text of a FITS file, compressed by gzip or not, or a data URL, in one of
    `FIELDS`. An array of one object is taken for the object, as SCiMMA sends alerts.

    Parameters
    ----------
    content : bytes
        The JSON.
    name : str
        What to call it in error messages.
    limit : int
        Most bytes of the map to accept after decompression.

    Raises
    ------
    SkyMapError
        If it is not JSON, has more than `PARTS` values, no map or an invalid one; names the
        field.
    """
    # There is nothing of this in base64, so that a map of any size counts as one.
    parts = sum(content.count(mark) for mark in (b",", b"[", b"{"))
    if parts > PARTS:
        raise SkyMapError(name, f"has {parts} values in its JSON, more than {PARTS}")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as e:
        raise SkyMapError(name, f"is not JSON: {e}") from None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise SkyMapError(name, f"holds a JSON {type(value).__name__}, not one object")
    field, text = _text(value, name)
    found = fits.read(decode(text, f"{name}: {field}"), f"{name}: {field}", limit)
    event = value.get("superevent_id")
    # What the header calls it is one of several triggers of the event.
    return replace(found, meta={**found.meta, EVENT: event}) if isinstance(event, str) else found


def write(
    skymap: SkyMap, path: str | os.PathLike[str], provenance: Mapping[str, str] | None = None
) -> None:
    """Write a sky map as JSON, ``{"skymap": "base64 of FITS"}``, whole or not at all.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    path : path-like
        Where to write; its folder must exist.
    provenance : mapping, optional
        Where the map came from, added to its history.
    """
    text = base64.b64encode(fits.encode(skymap, provenance)).decode()
    write_whole(path, json.dumps({"skymap": text}).encode() + b"\n")


def decode(text: object, name: str) -> bytes:
    """Return the bytes of base64 text, a data URL or not.

    Raises
    ------
    SkyMapError
        If it is something else.
    """
    if not isinstance(text, str):
        raise SkyMapError(name, f"is {type(text).__name__}, not base64 text")
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise SkyMapError(name, f"is a data URL without base64: {head[:40]!r}")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as e:
        raise SkyMapError(name, f"is not base64, it starts with {text[:20]!r}: {e}") from None


def _text(value: Mapping[str, Any], name: str) -> tuple[str, object]:
    for field in FIELDS:
        inner: Any = value
        for key in field.split("."):
            inner = inner.get(key) if isinstance(inner, dict) else None
        if inner is not None:
            return field, inner
    kind = value.get("alert_type")
    about = f" (alert_type {kind!r})" if isinstance(kind, str) else ""
    url = value.get("healpix_url")
    remedy = f"; download {url[:200]} and read that" if isinstance(url, str) else ""
    raise SkyMapError(name, f"has no map{about}: none of {', '.join(FIELDS)} is there{remedy}")
