"""Places: where catalogues are."""

from __future__ import annotations

from pathlib import Path

from ...conf import settings
from ...errors import SkyMapError


def home(folder: str | None) -> Path:
    """Return the folder in which the catalogues are."""
    return Path(folder) if folder else settings().home / "catalogues"


def check_name(name: str) -> str:
    """Return a name, if a folder may have it.

    Raises
    ------
    SkyMapError
        If not.
    """
    if not name or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        raise SkyMapError("name", f"{name!r} cannot be the name of a catalogue, because it is "
                          "that of a folder; use letters, digits and dashes")
    return name


def find(name: str, folder: str | None) -> Path:
    """Return the folder of a catalogue, given by name or by its folder.

    Raises
    ------
    SkyMapError
        If there is none, naming those that are there.
    """
    from ...catalogues.catalogue import MANIFEST

    place = home(folder)
    try:
        if (Path(name) / MANIFEST).is_file():
            return Path(name)
        if "/" not in name and (place / name / MANIFEST).is_file():
            return place / name
    except OSError as e:
        raise SkyMapError(name[:60], f"cannot be looked for: {e.strerror}") from None
    there = sorted(p.parent.name for p in place.glob(f"*/{MANIFEST}"))
    raise SkyMapError(name, f"is no catalogue; there are {', '.join(there)}" if there else
                      "is no catalogue; make one with `gwbroker catalogue add`")
