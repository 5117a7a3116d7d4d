"""Alt text: what a picture of a sky map shows, in words, for those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import erfa
import numpy as np
from astropy.utils.data import get_pkg_data_contents

from .multiorder import Floats, SkyMap
from .projection import to_degrees, to_vectors
from .summary import Summary, summarize

EQUINOX = 1874.9986
"""The Besselian epoch B1875.0 as a Julian one, to which the boundaries refer."""


def alt_text(
    skymap: SkyMap, title: str, *, summary: Summary | None = None, more: Sequence[str] = (),
) -> str:
    """Return one to three plain sentences about areas, position and distance.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    title : str
        The name of the event.
    summary : Summary, optional
        If it is known already.
    more : sequence of str
        Sentences that follow, as those of `gwbroker.skymap.mentions` on a picture.
    """
    summary = summary or summarize(skymap)
    name = " ".join(title.split()) or "an event"
    sentences = [_areas(summary, name), _position(skymap, summary)]
    if summary.distmean is not None and summary.diststd is not None:
        decimals = 0 if summary.diststd >= 10 else 1
        sentences.append(
            f"It is {summary.distmean:,.{decimals}f} megaparsecs away, give or take"
            f" {summary.diststd:,.{decimals}f}.")
    return " ".join(s for s in [*sentences, *more] if s)


def flat(skymap: SkyMap) -> bool:
    """Tell whether all of the sky is equally probable."""
    density = skymap.probdensity
    return bool(density.max() <= density.min() * (1 + 1e-9))


def _areas(summary: Summary, name: str) -> str:
    if summary.area_90 > 0.89 * 41252.96:
        return f"Sky map of {name}: it may be anywhere on the sky."
    half, most = _area(summary.area_50), _area(summary.area_90)
    return (f"Sky map of {name}: with 90 percent probability it lies within {most}, with 50"
            f" percent within {half}.")


def _area(square_degrees: float) -> str:
    units = (("square degrees", 1.0), ("square arcminutes", 3600.0),
             ("square arcseconds", 3600.0**2), ("square milliarcseconds", 3.6e6**2))
    unit, factor = next((u for u in units if square_degrees * u[1] >= 0.1), units[-1])
    value = square_degrees * factor
    return f"{value:,.0f} {unit}" if value >= 9.95 else f"{value:#.2g} {unit}"


def _position(skymap: SkyMap, summary: Summary) -> str:
    if flat(skymap):
        return ""
    half = "northern" if summary.dec >= 0 else "southern"
    place = constellation(summary.ra, summary.dec)
    return (f"The most probable position is in the constellation {place}, in the {half} sky, at"
            f" right ascension {summary.ra:.1f} and declination {summary.dec:+.1f} degrees.")


def constellation(ra: float, dec: float) -> str:
    """Return the name of the constellation of a position in degrees (ICRS).

    The boundaries of Delporte (1930) run along the equator and the hours of 1875; their table
    is that of Roman (1987), PASP 99, 695, which comes with astropy. The position is precessed
    by the model of Vondrak, Capitaine & Wallace (2011), A&A 534, A22.
    """
    hours, degrees = to_degrees(erfa.ltpb(EQUINOX) @ to_vectors(ra, dec))
    first, last, low, names = _boundaries()
    inside = (first <= hours / 15) & (hours / 15 < last) & (degrees >= low)
    # The table begins at the north pole: the first row that fits is the right one.
    return names[int(np.argmax(inside))]


@cache
def _boundaries() -> tuple[Floats, Floats, Floats, list[str]]:
    """Return from which to which hour, and down to which declination, a constellation is."""
    rows = [line.split() for line in _table("constellation_data_roman87.dat")]
    names = {line[:3]: line[4:] for line in _table("constellation_names.dat")}
    first, last, low = np.array([row[:3] for row in rows], np.float64).T
    return first, last, low, [names[row[3]] for row in rows]


def _table(name: str) -> list[str]:
    text = get_pkg_data_contents(f"data/{name}", package="astropy.coordinates", encoding="UTF8")
    return [line for line in str(text).splitlines() if line and not line.startswith("#")]
