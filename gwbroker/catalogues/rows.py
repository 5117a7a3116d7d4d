"""Rows: what somebody says of a candidate in JSON, each value looked at."""

from __future__ import annotations

import json
from typing import Any

from ..errors import SkyMapError
from .columns import LONGEST_NAME
from .lines import LONGEST


def row_of(line: str | bytes, source: str) -> dict[str, Any]:
    """Return the JSON object in a line.

    Raises
    ------
    SkyMapError
        If it is none.
    """
    if len(line) > LONGEST:
        raise SkyMapError(source, f"is longer than {LONGEST:,} bytes, and not read")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as e:
        raise SkyMapError(source, f"is not JSON: {e}") from None
    if not isinstance(row, dict):
        raise SkyMapError(source, f"is not a JSON object but {type(row).__name__}")
    return row


def name_of(source: str, value: Any) -> str | None:
    """Return a name that every table and terminal can show.

    Raises
    ------
    SkyMapError
        If it is none.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SkyMapError(source, f"{value!r:.60} is not a name", "name")
    text = str(value)
    if len(text) > LONGEST_NAME:
        raise SkyMapError(source, f"{text[:40]!r}... has {len(text):,} letters, more than "
                          f"{LONGEST_NAME}", "name")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SkyMapError(source, f"{text!r:.60} is not Unicode text", "name") from None
    return text


def number_of(source: str, column: str, value: Any) -> float:
    """Return a number; not-a-number is what is not known.

    Raises
    ------
    SkyMapError
        If it is none.
    """
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SkyMapError(source, f"{value!r:.60} is not a number", column)
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise SkyMapError(source, f"{value!r:.60} is not a number; positions are in degrees",
                          column) from None
