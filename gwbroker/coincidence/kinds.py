"""Kinds: what events are called when they are compared."""

from __future__ import annotations

from ..errors import CoincidenceError

ALIASES = {
    "hen": "neutrino", "icecube": "neutrino", "snews": "supernova", "sn": "supernova",
    "sub-grb": "subgrb", "gravitational-wave": "gw", "gamma-ray-burst": "grb",
    "fast-radio-burst": "frb",
}
"""Other names of kinds, in lower case."""


def kind(name: str) -> str:
    """Return what a kind is called here: in lower case, by its usual name.

    Kinds of one's own may have any name.

    Raises
    ------
    CoincidenceError
        If the name is empty or no text.
    """
    if not isinstance(name, str) or not name.strip():
        raise CoincidenceError("kind", f"{name!r} is not the name of a kind of events")
    plain = name.strip().lower()
    return ALIASES.get(plain.replace("_", "-").replace(" ", "-"), plain)
