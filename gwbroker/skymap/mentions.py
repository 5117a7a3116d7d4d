"""Mentions: in words, what part of the sky a picture shows, and what is laid over it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .alt import flat
from .frame import Frame
from .galactic import BAND
from .letters import clean
from .multiorder import SkyMap
from .sights import Sights, Spot
from .theme import LEVELS

NAMED = 5
"""How many galaxies and footprints are named at most."""

LONGEST = 40
"""How many letters of a name are told at most."""


def extent(skymap: SkyMap, shown: Frame | None = None) -> str:
    """Return a sentence on what part of the sky a picture of a map shows.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    shown : Frame, optional
        The part; by default the whole sky.
    """
    if shown is None:
        return "The picture shows the whole sky."
    across = f"The picture shows a part of the sky, {_angle(2 * _half(shown))} across"
    if shown.whole:
        return f"{across}, with all of the 90 percent region."
    return f"{across}." if flat(skymap) else f"{across}, where it is most probable."


def mentions(sights: Sights) -> list[str]:
    """Return a sentence on each kind of overlay of which something is seen.

    Parameters
    ----------
    sights : Sights
        What is seen of the overlays.
    """
    found = [_galaxy(sights), _earth(sights), _footprints(sights), _bodies(sights),
             _other(sights), _galaxies(sights)]
    return [sentence for sentence in found if sentence]


def _galaxy(sights: Sights) -> str:
    band = f"what lies within {BAND:.0f} degrees of"
    if sights.band is None:
        return "A line shows the galactic plane." if sights.plane else ""
    if not sights.plane:
        return f"{band.capitalize()} the galactic plane is shaded."
    return f"A line shows the galactic plane, and {band} it is shaded."


def _earth(sights: Sights) -> str:
    disc = sights.overlays.earth
    if disc is None or sights.earth is None:
        return ""
    return (f"Shaded is what the Earth hides, within {disc.radius:g} degrees of"
            f" {at(disc.ra, disc.dec)}.")


def _footprints(sights: Sights) -> str:
    names = [_short(each.name) for each in sights.footprints if each is not None]
    if not names:
        return ""
    plural, verb = ("s", "are") if len(names) > 1 else ("", "is")
    return f"The footprint{plural} of {_listed(names)} {verb} outlined."


def _bodies(sights: Sights) -> str:
    parts = [f"the {spot.name} at {_where(spot)}"
             for spot in (sights.sun, sights.moon) if spot is not None]
    return f"Marked {'are' if len(parts) > 1 else 'is'} {_listed(parts)}." if parts else ""


def _other(sights: Sights) -> str:
    name = _short(sights.other_name)
    spot = sights.other_spot
    if spot is not None:
        return f"A star marks {name}, at {_where(spot)}."
    levels = [f"{level * 100:.0f}" for level in LEVELS if level in sights.other_regions]
    if not levels:
        return ""
    return (f"Dashed lines show the {_listed(levels)} percent"
            f" region{'s' * (len(levels) > 1)} of {name}.")


def _galaxies(sights: Sights) -> str:
    found = [spot for _, spot in sights.galaxies]
    if not found:
        return ""
    names = [_short(spot.name) or f"one at {_where(spot)}" for spot in found[:NAMED]]
    if len(found) == 1:
        return f"A circle marks the best galaxy, {names[0]}."
    given = len(sights.overlays.galaxies)
    few = sights.sheet.wraps and len(found) < given
    count = f"the best {len(found)} of {given}" if few else f"{len(found)}"
    return f"Circles mark {count} galaxies, the best of them {_listed(names)}."


def at(ra: float, dec: float) -> str:
    """Return a position, degrees, in words."""
    return f"right ascension {float(ra) % 360:.1f} and declination {float(dec):+.1f} degrees"


def _where(spot: Spot) -> str:
    return at(spot.place.ra, spot.place.dec)


def _half(shown: Frame) -> float:
    return float(np.degrees(np.arcsin(min(shown.half, 1.0))))


def _angle(degrees: float) -> str:
    units = (("degrees", 1.0), ("arcminutes", 60.0), ("arcseconds", 3600.0))
    unit, factor = next((u for u in units if degrees * u[1] >= 1), units[-1])
    return f"{degrees * factor:.2g} {unit}"


def _short(name: str) -> str:
    """Return a name on one line, cut where it is too long."""
    line = clean(name[:2000])
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def _listed(parts: Sequence[str]) -> str:
    if len(parts) > NAMED:
        parts = [*parts[: NAMED - 1], f"{len(parts) - NAMED + 1} more"]
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)
