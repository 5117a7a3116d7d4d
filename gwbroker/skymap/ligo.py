"""ligo.skymap: which version of it computes, where it does."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of


def version() -> str:
    """Return the name and version of the ligo.skymap that is installed; empty if none is."""
    try:
        return f"ligo.skymap {version_of('ligo.skymap')}"
    except PackageNotFoundError:
        return ""
