"""What a map says beyond its columns: header keywords, and the history of its making."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy.io import fits

KEYWORDS = (
    "OBJECT", "REFERENC", "INSTRUME", "DATE-OBS", "MJD-OBS", "DATE", "CREATOR", "ORIGIN",
    "RUNTIME", "DISTMEAN", "DISTSTD", "LOGBCI", "LOGBSN", "VCSVERS", "VCSREV", "DATE-BLD",
)
"""Header keywords that are kept in `SkyMap.meta` and written again."""

WIDTH = 72
"""Characters that one HISTORY card holds."""

_MORE = "  "
# How a card begins that continues a line of ours: nothing in the standard says.


def ascii_only(text: str) -> str:
    """Return text as a FITS header can hold it: printable ASCII only."""
    return printable(text.encode("ascii", "backslashreplace").decode())


def printable(text: str) -> str:
    """Return text without characters that would do something to a terminal."""
    return text if text.isprintable() else "".join(
        c if c.isprintable() else repr(c)[1:-1] for c in text)


def plain(meta: Mapping[str, Any]) -> dict[str, str | bool | int | float]:
    """Return the keywords that are kept, as Python's own text and numbers, in their order.

    Numbers of numpy are such numbers too; what is not finite or neither text nor a number is
    left out.
    """
    kept: dict[str, str | bool | int | float] = {}
    for keyword in KEYWORDS:
        value = meta.get(keyword)
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, str):
            kept[keyword] = printable(value)
        elif isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
            kept[keyword] = value
    return kept


def lines(history: Iterable[str], provenance: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return a map's history with where it came from added, as ``key: value``.

    What the history ends with already is not added again.

    Parameters
    ----------
    history : iterable of str
        What is known already; it stays as it is.
    provenance : mapping, optional
        What to add.
    """
    known = tuple(history)
    added = tuple(" ".join(ascii_only(f"{k}: {v}").split()) for k, v in (provenance or {}).items())
    return known if known[len(known) - len(added) :] == added else (*known, *added)


def cards(history: Iterable[str]) -> list[str]:
    """Return the texts of the HISTORY cards of a history, long lines over several cards."""
    found: list[str] = []
    for line in history:
        left = ascii_only(line).rstrip()
        if len(left) > WIDTH:
            left = " ".join(left.split())
        prefix = ""
        while len(prefix + left) > WIDTH:
            # Blanks at the end of a card are lost, so it ends before them.
            piece = (prefix + left)[:WIDTH].rstrip()
            left = left[len(piece) - len(prefix) :]
            found.append(piece)
            prefix = _MORE
        found.append(prefix + left)
    return found


def history(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the history whose HISTORY cards have these texts: the reverse of `cards`."""
    found: list[list[str]] = []
    last = 0
    for text in texts:
        whole = str(text).rstrip()
        # Only a card that is full can go on; others' indented lines stay lines.
        if found and last >= WIDTH - 1 and whole.startswith(_MORE):
            found[-1].append(whole[len(_MORE) :])
        else:
            found.append([whole])
        last = len(whole)
    return tuple("".join(parts) for parts in found)


def read(header: fits.Header) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return keywords and history of a header; a damaged card there spoils nothing."""
    meta: dict[str, object] = {}
    for keyword in KEYWORDS:
        with contextlib.suppress(KeyError, ValueError, fits.VerifyError):
            meta[keyword] = header[keyword]
    told: tuple[str, ...] = ()
    with contextlib.suppress(KeyError, ValueError, fits.VerifyError):
        told = history(ascii_only(str(each)) for each in header["HISTORY"])
    return dict(plain(meta)), told


def write(header: fits.Header, meta: Mapping[str, object], told: Iterable[str]) -> None:
    """Put keywords and history into a header."""
    for keyword, value in plain(meta).items():
        header[keyword] = ascii_only(value) if isinstance(value, str) else value
    for text in cards(told):
        header.add_history(text)
