"""Texts from anywhere, made such that every database takes them."""

from __future__ import annotations

LONGEST = 20_000
"""Characters of an error or traceback that are kept."""


def storable(text: str | None) -> str | None:
    """Return a text without NUL and halves of surrogate pairs, cut where it gets too long."""
    if text is None:
        return None
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text)} characters)"
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
