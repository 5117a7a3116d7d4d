"""Plan: which fields to take and when, and how it is written."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from ..errors import SkyMapError
from ..skymap.atomic import write_whole
from ..skymap.multiorder import Floats
from .fields import Fields
from .horizon import ACCURACY
from .telescopes import Telescope

LISTED = 200
"""Most fields that were left out that a file lists; the sums count all."""

UNITS = {"ra": "deg", "dec": "deg", "exposure": "s", "moon": "deg"}
FORMATS = {"ra": ".5f", "dec": ".5f", "exposure": ".1f", "airmass_start": ".3f",
           "airmass_end": ".3f", "moon": ".1f", "probability": ".5f", "new": ".5f",
           "cumulative": ".5f"}


def check_suffix(path: str | Path) -> str:
    """Return how a file's name ends.

    Raises
    ------
    SkyMapError
        If no plan is written so.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".ecsv", ".json", ".txt"):
        raise SkyMapError(str(path), f"a plan is not written as {suffix or 'that'};"
                          " the name has to end in .ecsv, .json or .txt")
    return suffix


@dataclass(frozen=True)
class Exposure:
    """One exposure of a plan.

    Parameters
    ----------
    number : int
        From 1, in the order of time.
    field : str
        Name of the field.
    ra, dec : float
        Its centre, degrees.
    start, end : str
        ISO 8601, UTC.
    exposure : float
        Seconds.
    filter : str
        Empty if none was asked for.
    visit : int
        From 1: how often the field has been taken.
    airmass_start, airmass_end : float
        1 / sin(altitude) of its centre.
    moon : float
        Least distance of its centre from the Moon, degrees.
    probability : float
        In the field.
    new : float
        Of it, what no earlier exposure has.
    cumulative : float
        Covered so far, each place once.
    """

    number: int
    field: str
    ra: float
    dec: float
    start: str
    end: str
    exposure: float
    filter: str
    visit: int
    airmass_start: float
    airmass_end: float
    moon: float
    probability: float
    new: float
    cumulative: float


@dataclass(frozen=True)
class LeftOut:
    """A field that is not in the plan: its centre (degrees), what it would add, and why not."""

    field: str
    ra: float
    dec: float
    probability: float
    reason: str


@dataclass(frozen=True)
class Plan:
    """Which fields a telescope should take, and when.

    Parameters
    ----------
    telescope : Telescope
        With its site and limits.
    name : str
        What the map is of.
    start, end : str
        The window, ISO 8601 UTC.
    dark : float
        Hours of darkness in it.
    level : float
        Credible level of the region that was to be covered.
    exposures : tuple of Exposure
        In the order of time.
    covered : float
        Probability of the whole map in all of them, each place once.
    single : bool
        Whether one pointing holds the level, so that no other is needed.
    left_out : tuple of LeftOut
        By falling probability.
    notes : tuple of str
        What a reader has to know.
    reason : str
        Why the plan is empty; empty if it is not.
    """

    telescope: Telescope
    name: str
    start: str
    end: str
    dark: float
    level: float
    exposures: tuple[Exposure, ...] = ()
    covered: float = 0.0
    single: bool = False
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def coverage(self) -> str:
        """How many exposures cover how much, in words."""
        number = len(self.exposures)
        said = "1 exposure covers" if number == 1 else f"{number} exposures cover"
        return f"{said} {100 * self.covered:.1f} %"

    def footprints(self) -> list[tuple[Floats, Floats]]:
        """Return the edge of each field, once, as right ascensions and declinations, degrees."""
        centres = dict.fromkeys((e.field, e.ra, e.dec) for e in self.exposures)
        names, ra, dec = zip(*centres, strict=True) if centres else ((), (), ())
        return Fields(names, np.array(ra, float), np.array(dec, float)).outlines(self.telescope)

    def polygons(self) -> list[list[list[float]]]:
        """Return the corners of each field, once, as [ra, dec] in degrees, by great circles."""
        # The sides of a rectangle are great circles as they are.
        step = 2 if self.telescope.radius else 8
        return [np.round(np.stack(edge, axis=-1)[::step], 5).tolist()
                for edge in self.footprints()]

    def to_table(self) -> Table:
        """Return the exposures as a table; what is true for all of them is in its ``meta``."""
        names = [f.name for f in fields(Exposure)]
        types = {"int": int, "float": float, "str": str}
        table = Table(
            rows=[[getattr(e, n) for n in names] for e in self.exposures] or None, names=names,
            dtype=None if self.exposures else [types[str(f.type)] for f in fields(Exposure)])
        for name in names:
            table[name].unit = UNITS.get(name)
            table[name].info.format = FORMATS.get(name)
        # Through JSON, because YAML would write tuples as something of Python's own.
        table.meta.update(json.loads(json.dumps({
            k: v for k, v in self.to_dict().items()
            if k not in ("exposures", "left_out", "polygons")})))
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON; docs/reference/json.rst has the fields."""
        counts = Counter(each.reason for each in self.left_out)
        sums = {reason: {"fields": number, "probability": sum(
            each.probability for each in self.left_out if each.reason == reason)}
            for reason, number in sorted(counts.items())}
        return {
            "name": self.name, "telescope": asdict(self.telescope), "start": self.start,
            "end": self.end, "dark": self.dark, "level": self.level, "covered": self.covered,
            "single": self.single, "reason": self.reason, "notes": list(self.notes),
            "accuracy": ACCURACY, "exposures": [asdict(e) for e in self.exposures],
            "left_out": [asdict(e) for e in self.left_out[:LISTED]], "left_out_by_reason": sums,
            "polygons": self.polygons(),
        }

    def text(self) -> str:
        """Return it for people: a summary, the exposures, what was left out."""
        t = self.telescope
        lines = [f"{t.name} at {t.site.name if t.site else '?'}: {self.name or 'sky map'}",
                 f"{self.start} to {self.end}, {self.dark:.1f} h dark",
                 self.coverage + (", one pointing is enough" if self.single else "")]
        lines += [self.reason] if self.reason else []
        lines += list(self.notes)
        if self.exposures:
            table = self.to_table()
            unused = [c for c in ("filter",) if not any(table[c])]
            table.remove_columns(["end", "exposure", *unused])
            lines += ["", *table.pformat(max_lines=-1, max_width=-1, show_unit=True)]
        for reason, sums in self.to_dict()["left_out_by_reason"].items():
            fields = "1 field" if sums["fields"] == 1 else f"{sums['fields']} fields"
            lines.append(f"left out: {fields} with"
                         f" {100 * sums['probability']:.1f} %: {reason}")
        return "\n".join(lines) + "\n"

    def write(self, path: str | Path) -> None:
        """Write it to a file: a table as ``.ecsv``, all as ``.json``, for people as ``.txt``.

        The file appears whole, or an old one stays.

        Raises
        ------
        SkyMapError
            If the name ends otherwise, or the file cannot be written.
        """
        suffix = check_suffix(path)
        if suffix == ".ecsv":
            buffer = io.StringIO()
            self.to_table().write(buffer, format="ascii.ecsv")
            content = buffer.getvalue()
        elif suffix == ".json":
            content = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        else:
            content = self.text()
        try:
            write_whole(path, content.encode())
        except OSError as e:
            raise SkyMapError(str(path), f"cannot be written: {e.strerror}") from None
