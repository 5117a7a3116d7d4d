"""Sights: which overlays are seen on the sheet of a picture, and where on it they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from .bodies import sun_and_moon
from .galactic import BAND, galactic_axes
from .letters import clean
from .moc import Moc
from .multiorder import Floats, SkyMap
from .overlays import Footprint, Overlays, Place
from .projection import to_degrees, to_vectors
from .sampled import Sampled
from .sheet import Lines, Sheet

MANY = {True: 5, False: 1000}
"""How many galaxies are shown at most: on the whole sky, and on a part of it."""

STEM = 20
"""How many letters a name has at most before its number."""


@dataclass(frozen=True)
class Spot:
    """A place on a sheet.

    Parameters
    ----------
    name : str
        How people call it; may be empty.
    x, y : float
        Where on the sheet.
    place : Place
        Where on the sky.
    """

    name: str
    x: float
    y: float
    place: Place


@dataclass(frozen=True, eq=False)
class Outlined:
    """A footprint of which something is seen.

    Parameters
    ----------
    name : str
        No two have the same.
    count : int
        How many fields it has; 1 of a region.
    inside : ndarray, optional
        Of a region: positive at the points of the sheet that are in it, negative elsewhere.
    curves : list of ndarray
        Of fields: their edges, each of shape (N, 2).
    """

    name: str
    count: int
    inside: Floats | None
    curves: list[Floats]


@dataclass(frozen=True, eq=False)
class Sights:
    """Which overlays are seen on a sheet, and where on it they are.

    Parameters
    ----------
    overlays : Overlays
        What is laid over the map.
    sheet : Sheet
        What part of the sky is drawn.
    """

    overlays: Overlays
    sheet: Sheet

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a place is on the sheet."""
        if self.sheet.wraps:
            return bool((x / 2) ** 2 + y**2 <= 1.0001)
        return bool(abs(x) <= self.sheet.half[0] and abs(y) <= self.sheet.half[1])

    def spot(self, place: Place, name: str = "") -> Spot | None:
        """Return where a place is on the sheet; None if it is not."""
        x, y = (float(v) for v in self.sheet.forward(place.ra, place.dec))
        return Spot(_name(place.name) or name, x, y, place) if self.holds(x, y) else None

    @cached_property
    def plane(self) -> list[Floats]:
        """The galactic plane, as curves of shape (N, 2)."""
        if not (self.overlays.galactic_plane or self.overlays.galactic_band):
            return []
        centre, side, _ = galactic_axes()
        angle = np.linspace(0, 2 * np.pi, 1441)[:, np.newaxis]
        return self._curves([np.cos(angle) * centre + np.sin(angle) * side])

    @cached_property
    def band(self) -> Floats | None:
        """What is positive within `BAND` degrees of the galactic plane, if any of it is seen."""
        if not self.overlays.galactic_band:
            return None
        height = np.abs(self.sheet.vectors() @ galactic_axes()[2])
        return _seen(np.sin(np.radians(BAND)) - height)

    @cached_property
    def earth(self) -> Floats | None:
        """What is positive where the Earth is, if any of it is seen."""
        disc = self.overlays.earth
        if disc is None:
            return None
        return _seen(self.sheet.vectors() @ to_vectors(disc.ra, disc.dec)
                     - np.cos(np.radians(disc.radius)))

    @cached_property
    def footprints(self) -> list[Outlined | None]:
        """The footprints, with None for those of which nothing is seen."""
        given = self.overlays.footprints
        names = distinct([_name(each.name) or "footprint" for each in given])
        return [self._footprint(each, name) for each, name in zip(given, names, strict=True)]

    def _footprint(self, footprint: Footprint, name: str) -> Outlined | None:
        shape = footprint.shape
        if isinstance(shape, Moc):
            within = np.asarray(shape.contains(*to_degrees(self.sheet.vectors())), np.float64) - 0.5
            return None if _seen(within) is None else Outlined(name, 1, within, [])
        curves = self._curves([_edges(polygon) for polygon in shape])
        return Outlined(name, len(shape), None, curves) if curves else None

    @cached_property
    def sun(self) -> Spot | None:
        """The Sun, if it is seen."""
        return None if self._bodies is None else self.spot(self._bodies[0])

    @cached_property
    def moon(self) -> Spot | None:
        """The Moon, if it is seen."""
        return None if self._bodies is None else self.spot(self._bodies[1])

    @cached_property
    def _bodies(self) -> tuple[Place, Place] | None:
        return None if self.overlays.time is None else sun_and_moon(self.overlays.time)

    @property
    def other_name(self) -> str:
        """How the other event is called."""
        other = self.overlays.other
        name = other.name if isinstance(other, Place) else self.overlays.other_name
        return _name(name) or "other event"

    @cached_property
    def other_regions(self) -> Lines:
        """The edges of the other event's regions, if it has a map and they are seen."""
        other = self.overlays.other
        return Sampled(other, self.sheet).outlines() if isinstance(other, SkyMap) else {}

    @cached_property
    def other_spot(self) -> Spot | None:
        """Where the other event is, if no region of it is larger than a few points."""
        other = self.overlays.other
        if isinstance(other, SkyMap) and not self.other_regions:
            ra, dec = to_degrees(other.vectors[int(np.argmax(other.probdensity))])
            other = Place(self.other_name, float(ra), float(dec))
        return self.spot(other, self.other_name) if isinstance(other, Place) else None

    @cached_property
    def galaxies(self) -> list[tuple[int, Spot]]:
        """The galaxies that are seen, each with its place in the order, 0 for the best."""
        shown = list(self.overlays.galaxies)[: MANY[self.sheet.wraps]]
        places = self.sheet.forward([each.ra for each in shown], [each.dec for each in shown])
        return [(rank, Spot(each.name, float(x), float(y), each))
                for rank, (each, x, y) in enumerate(zip(shown, *places, strict=True))
                if self.holds(float(x), float(y))]

    def _curves(self, curves: Sequence[Floats]) -> list[Floats]:
        """Return curves of unit vectors on the sheet, cut at the seam, those that are seen."""
        pieces: list[Floats] = []
        for curve in curves:
            x, y = self.sheet.forward(*to_degrees(curve))
            step = np.abs(np.diff(x)) > (1.0 if self.sheet.wraps else np.inf)
            away = ~np.isfinite(x)
            cut = np.flatnonzero(step | away[1:] | away[:-1]) + 1
            pieces += [piece for piece in np.split(np.column_stack([x, y]), cut)
                       if len(piece) > 1 and np.isfinite(piece).all()]
        return [p for p in pieces if any(self.holds(float(a), float(b)) for a, b in p)]


def distinct(names: Sequence[str]) -> list[str]:
    """Return names of which those that are there more than once are numbered.

    Long ones are cut before their number, so that a legend, which cuts them too, still has it.
    """
    often = Counter(names)
    used = {name for name, count in often.items() if count == 1}
    found = []
    for name in names:
        number = 1
        shown = name
        stem = name if len(name) <= STEM else name[: STEM - 1].rstrip() + "…"
        while often[name] > 1 and (shown == name or shown in used):
            shown, number = f"{stem} {number}", number + 1
        used.add(shown)
        found.append(shown)
    return found


def _name(text: str) -> str:
    """Return a name on one line; nothing if there is nothing in it to be read."""
    return clean(text[:2000])


def _seen(values: Floats) -> Floats | None:
    return values if bool((values > 0).any()) else None


def _edges(polygon: Sequence[tuple[float, float]]) -> Floats:
    """Return the great circles between the corners of a polygon as a curve of unit vectors."""
    corners = to_vectors(*np.array([*polygon, polygon[0]], np.float64).T)
    part = np.linspace(0, 1, 33)[:-1, np.newaxis]
    pieces = [a + part * (b - a) for a, b in pairwise(corners)]
    curve = np.concatenate([*pieces, corners[-1:]])
    length = np.linalg.norm(curve, axis=1, keepdims=True)
    return np.asarray(curve / np.maximum(length, 1e-9), np.float64)
