"""Where it happened: a checked localization out of coordinates and errors, or flags why not."""

from __future__ import annotations

from typing import Any

from ..report import Cone, Ellipse, Polygon
from .fields import Fields


def position(
    fields: Fields, ra: Any, dec: Any, names: tuple[str, str] = ("ra", "dec"),
) -> tuple[float, float] | None:
    """Return right ascension and declination in degrees if both are there and possible."""
    if ra is None and dec is None:
        return None
    found = []
    for name, value, low, high, shape in (
            (names[0], ra, 0, 360, "[)"), (names[1], dec, -90, 90, "[]")):
        if value is None:
            fields.flag(name, "is missing")
        else:
            found.append(fields.within(name, value, low, high, shape))
    return (found[0], found[1]) if len(found) == 2 and None not in found else None  # type: ignore[return-value]


def radius(fields: Fields, name: str, value: Any) -> float | None:
    """Return an error radius in degrees: more than 0, at most 180."""
    if value is None:
        fields.flag(name, "is missing, so that there is no sky map")
        return None
    number = fields.within(name, value, 0, 180)
    if number == 0:
        # Missions write it when they give no error; taken at its word it is a point.
        fields.flag(name, "0 means that no error is given, so that there is no sky map")
        return None
    return number


def region(
    fields: Fields, where: tuple[float, float], name: str, error: Any,
    containment: float, source: str,
) -> Cone | Ellipse | None:
    """Return the region of a position with an error.

    An error is a radius, or a list: semi-major axis, semi-minor axis (default: the same),
    position angle of the semi-major axis, north through east (default: 0), all in degrees
    (unified schema v4.0, ``core/Localization``). Where the first axis is the shorter one
    the same ellipse is written with the axes exchanged and the angle turned by 90 degrees.
    """
    if not isinstance(error, list):
        size = radius(fields, name, error)
        return None if size is None else Cone(*where, size, containment, source)
    if not 1 <= len(error) <= 3:
        fields.flag(name, f"has {len(error)} values, not 1 to 3")
        return None
    axes = [radius(fields, name, axis) for axis in error[:2]]
    first, second = axes[0], axes[-1]
    angle = fields.within(name, error[2], -360, 360) if len(error) == 3 else 0.0
    if first is None or second is None or angle is None:
        return None
    if first == second:
        return Cone(*where, first, containment, source)
    if first < second:
        first, second, angle = second, first, angle + 90
    return Ellipse(*where, first, second, angle % 180, containment, source)


def polygon(
    fields: Fields, name: str, corners: Any, containment: float, source: str,
) -> Polygon | None:
    """Return the region between corners, each [RA, Dec] in degrees."""
    if not isinstance(corners, list) or not 3 <= len(corners) <= 200:
        fields.flag(name, "is not a list of 3 to 200 corners")
        return None
    made = []
    for corner in corners:
        if not isinstance(corner, list) or len(corner) != 2 or None in corner:
            fields.flag(name, "has a corner that is not [RA, Dec]")
            return None
        ra, dec = corner
        made.append(position(fields, ra, dec, (f"{name} (RA)", f"{name} (Dec)")))
    whole = tuple(corner for corner in made if corner is not None)
    return Polygon(whole, containment, source) if len(whole) == len(made) else None
