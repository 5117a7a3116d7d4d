"""Comparison: what changed from one revision of a map to the next."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from .footprint import probability
from .mesh import tangent
from .moc import Moc
from .multiorder import SkyMap
from .overlap import overlap
from .regions import Position, mean_position
from .summary import Summary, summarize
from .volume import Volume


@dataclass(frozen=True)
class Comparison:
    """What changed from one revision of a map to the next.

    Parameters
    ----------
    old, new : Summary
        The numbers of each.
    old_volume_90, new_volume_90 : float, optional
        Volumes of the 90 % credible regions, Mpc^3.
    overlap : float
        Overlap integral: 1 for independent maps, more if they agree, 0 if they exclude each
        other.
    old_90_under_new : float
        Probability that the new map gives to the old one's 90 % region; 0.9 if nothing
        changed, up to 1 if the new map is narrower, less if it has moved away.
    new_90_under_old : float
        The same the other way round.
    moved : float
        Angle between the most probable positions, degrees.
    moved_mean : float, optional
        Angle between the mean directions, degrees, if both maps have one.
    """

    old: Summary
    new: Summary
    old_volume_90: float | None
    new_volume_90: float | None
    overlap: float
    old_90_under_new: float
    new_90_under_old: float
    moved: float
    moved_mean: float | None

    def as_dict(self) -> dict[str, object]:
        """Return the numbers by name, those of each map by themselves, ready for JSON."""
        fields = asdict(self)
        for side in ("old", "new"):
            fields[side] = {**fields[side], "volume_90": fields.pop(f"{side}_volume_90")}
        return fields


def compare(old: SkyMap, new: SkyMap) -> Comparison:
    """Return what changed from one revision of a map to the next.

    Parameters
    ----------
    old, new : SkyMap
        Two maps of the whole sky, with or without distances.
    """
    facts = summarize(old), summarize(new)
    peaks = [Position(each.ra, each.dec) for each in facts]
    before, after = mean_position(old), mean_position(new)
    return Comparison(
        old=facts[0],
        new=facts[1],
        old_volume_90=_volume(old),
        new_volume_90=_volume(new),
        overlap=overlap(old, new),
        old_90_under_new=probability(new, Moc.of_level(old, 0.9)),
        new_90_under_old=probability(old, Moc.of_level(new, 0.9)),
        moved=separation(*peaks),
        moved_mean=separation(before, after) if before and after else None,
    )


def separation(a: Position, b: Position) -> float:
    """Return the angle between positions, degrees, exact for small ones and for 180."""
    first, second = tangent(*a)[0], tangent(*b)[0]
    sine = float(np.linalg.norm(np.cross(first, second)))
    return float(np.degrees(np.arctan2(sine, float(first @ second))))


def _volume(skymap: SkyMap) -> float | None:
    """Return the 90 % volume, or None where too much of the distance is unknown."""
    if not skymap.has_distance:
        return None
    volume = float(Volume(skymap).credible_volumes(0.9))
    return volume if np.isfinite(volume) else None
