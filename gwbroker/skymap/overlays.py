"""Overlays: what is laid over the picture of a sky map, to see both together."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SkyMapError
from .moc import Moc
from .multiorder import SkyMap


@dataclass(frozen=True)
class Place:
    """A position with a name.

    Parameters
    ----------
    name : str
        How people call it; may be empty.
    ra, dec : float
        Degrees (ICRS).

    Raises
    ------
    SkyMapError
        If it is not on the sphere.
    """

    name: str
    ra: float
    dec: float

    def __post_init__(self) -> None:
        _on_sphere(self.name or "overlay", self.ra, self.dec)


@dataclass(frozen=True)
class Disc:
    """A round part of the sky: the Earth as a spacecraft sees it.

    Parameters
    ----------
    ra, dec : float
        Its middle, degrees.
    radius : float
        Degrees, at most 90.

    Raises
    ------
    SkyMapError
        If it is not on the sphere, or the radius not between 0 and 90.
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self) -> None:
        _on_sphere("Earth", self.ra, self.dec)
        if not 0 < self.radius <= 90:
            raise SkyMapError(
                "Earth", f"{self.radius} deg is no radius between 0 and 90 deg", "radius")


@dataclass(frozen=True)
class Footprint:
    """What an instrument sees, or has seen.

    Parameters
    ----------
    name : str
        Shown in the legend.
    shape : Moc or sequence of polygons
        A region, or fields: each a sequence of (ra, dec) of corners, degrees, joined by great
        circles.

    Raises
    ------
    SkyMapError
        If a polygon has less than three corners, or one of them is not on the sphere.
    """

    name: str
    shape: Moc | Sequence[Sequence[tuple[float, float]]]

    def __post_init__(self) -> None:
        if isinstance(self.shape, Moc):
            return
        for polygon in self.shape:
            if len(polygon) < 3:
                raise SkyMapError(
                    self.name or "footprint",
                    f"a polygon has three corners or more, not {len(polygon)}")
            for ra, dec in polygon:
                _on_sphere(self.name or "footprint", ra, dec)

    @classmethod
    def read(cls, path: str | os.PathLike[str], name: str | None = None) -> Footprint:
        """Return the footprint in a file: a MOC, or polygons in JSON.

        Polygons are a list of corners ``[ra, dec]``, a list of such lists, or an object that
        has either as ``polygons``, and perhaps a ``name``. Those of a plan are its telescope's.

        Parameters
        ----------
        path : path-like
            The file.
        name : str, optional
            Shown in the legend; by default what the file says, or its own name.

        Raises
        ------
        SkyMapError
            If it is neither.
        """
        source = os.fspath(path)
        own = name or Path(source).stem
        try:
            found = json.loads(Path(source).read_bytes())
        except OSError as e:
            raise SkyMapError(source, f"cannot be read: {e.strerror}") from None
        except ValueError:
            return cls(own, Moc.read(path))
        if isinstance(found, dict) and "polygons" not in found:
            return cls(own, Moc.from_json(found))
        if isinstance(found, dict):
            telescope = found.get("telescope")
            named = telescope if isinstance(telescope, dict) else found
            own = name or str(named.get("name") or own)
            found = found["polygons"]
        return cls(own, _polygons(source, found))


@dataclass(frozen=True)
class Overlays:
    """What is laid over the picture of a sky map.

    Parameters
    ----------
    galaxies : sequence of Place
        The best one first: it is drawn largest, and the first few are named.
    footprints : sequence of Footprint
        Outlined, up to four in colours of their own.
    other : SkyMap or Place, optional
        The other event: the contours of its map, or its position.
    other_name : str
        How the other event is called, if it is a map.
    time : datetime or str, optional
        When Sun and Moon are where they are drawn: aware, or ISO 8601 with its zone.
    earth : Disc, optional
        What the Earth hides from a spacecraft.
    galactic_plane, galactic_band : bool
        The line of galactic latitude 0, and all within 10 degrees of it.
    """

    galaxies: Sequence[Place] = ()
    footprints: Sequence[Footprint] = ()
    other: SkyMap | Place | None = None
    other_name: str = ""
    time: datetime | str | None = None
    earth: Disc | None = None
    galactic_plane: bool = False
    galactic_band: bool = False

    def __bool__(self) -> bool:
        return bool(self.galaxies or self.footprints or self.other or self.time or self.earth
                    or self.galactic_plane or self.galactic_band)


NONE = Overlays()


def _polygons(source: str, found: Any) -> list[list[tuple[float, float]]]:
    """Return polygons from what a JSON file has."""
    try:
        array = [np.asarray(p, np.float64) for p in found]
        if array and array[0].ndim == 1:
            array = [np.asarray(found, np.float64)]
        fit = bool(array) and all(p.ndim == 2 and p.shape[1] == 2 for p in array)
    except (TypeError, ValueError):
        fit = False
    if not fit:
        raise SkyMapError(
            source, "is neither a MOC nor a list of [ra, dec] corners, or of such lists")
    return [[(float(ra), float(dec)) for ra, dec in p] for p in array]


def _on_sphere(name: str, ra: float, dec: float) -> None:
    if not np.isfinite(ra):
        raise SkyMapError(name, f"{ra} is not a finite number", "ra")
    if not -360 <= ra <= 360:
        raise SkyMapError(name, f"{ra} deg is no right ascension", "ra")
    if not -90 <= dec <= 90:
        raise SkyMapError(name, f"{dec} deg is not within -90 and 90", "dec")
