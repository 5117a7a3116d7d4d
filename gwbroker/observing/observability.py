"""Observability: how much of a map a site can see tonight, and when it sees most."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ..skymap.bounds import check
from ..skymap.multiorder import SQUARE_DEGREE, Floats, Ints, SkyMap
from .horizon import ACCURACY, Horizon
from .limits import Bools, Limits
from .night import Window, window
from .pieces import Pieces, region
from .sites import Site
from .sites import site as known_site
from .times import iso, seconds

LEVEL = 6
"""Cells are split to this HEALPix level: they are then 0.9 degrees wide."""

STEP = 600.0
"""The sky is looked at this often, s."""

BLOCK = 1 << 16
"""Cells taken at once, so that a map of a million does not fill the memory."""


@dataclass(frozen=True)
class Step:
    """What can be seen around one moment.

    Parameters
    ----------
    time : str
        ISO 8601, UTC.
    probability : float
        Fraction of the region's probability that is within the limits.
    sun, moon : float
        Altitudes, degrees.
    """

    time: str
    probability: float
    sun: float
    moon: float


@dataclass(frozen=True)
class Observability:
    """How much of a region of a map a site can see.

    Parameters
    ----------
    site : Site
        The place.
    start, end : str
        The window, ISO 8601 UTC: tonight's darkness, or what was asked for.
    dark : float
        Hours of darkness in it.
    limits : Limits
        What was allowed.
    minutes : float
        For how long without a break a place has to be within the limits.
    level : float
        Credible level of the region.
    probability : float
        Fraction of the region's probability that can be seen so long.
    area : float
        Fraction of its area.
    region : float
        Its area, deg2.
    best : str or None
        Middle of the step in which most can be seen.
    moon_illumination : float
        Illuminated fraction of the Moon in the middle of the window.
    steps : tuple of Step
        Step by step.
    reason : str
        Why nothing can be seen; empty if something can.
    """

    site: Site
    start: str
    end: str
    dark: float
    limits: Limits
    minutes: float
    level: float
    probability: float
    area: float
    region: float
    best: str | None
    moon_illumination: float
    steps: tuple[Step, ...]
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON; docs/reference/json.rst has the fields."""
        return {**asdict(self), "accuracy": ACCURACY}


def observable(
    skymap: SkyMap,
    site: Site | str,
    start: datetime | str | float | None = None,
    *,
    hours: float | None = None,
    limits: Limits | None = None,
    minutes: float = 30.0,
    level: float = 0.9,
) -> Observability:
    """Return how much of a map a site can see tonight.

    Tonight is the rest of the night if it is dark at `start`, otherwise the next one that begins
    within a day. Cells wider than 0.9 degrees are split; each is judged by its centre.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    site : Site or str
        The place, or the name of a known one.
    start : datetime, str or float, optional
        From when, with its zone; now if absent.
    hours : float, optional
        For how long from `start`, instead of tonight.
    limits : Limits, optional
        Airmass, Moon, twilight...
    minutes : float
        For how long without a break a place has to be within the limits.
    level : float
        Credible level of the region that is looked at.

    Raises
    ------
    SkyMapError
        If the site is unknown, the time has no zone, or a value is out of bounds.
    """
    place = known_site(site) if isinstance(site, str) else site
    limits = limits or Limits()
    check("minutes", minutes, 0, 1440)
    pieces = region(skymap, level).split(LEVEL)
    night = window(place, seconds(start), hours, limits)
    times, width = _steps(night, minutes)
    horizon = Horizon(place, times)
    fractions, longest = _look(horizon, limits, pieces)
    seen = (longest > 0) & (longest >= np.ceil(minutes * 60 / width - 1e-9) if width else False)
    total, sky = pieces.prob.sum(), pieces.area.sum()
    probability = float(pieces.prob[seen].sum() / total)
    return Observability(
        site=place, start=iso(night.start), end=iso(night.end), dark=night.dark / 3600,
        limits=limits, minutes=float(minutes), level=float(level), probability=probability,
        area=float(pieces.area[seen].sum() / sky), region=float(sky * SQUARE_DEGREE),
        best=iso(times[int(np.argmax(fractions))]) if fractions.any() else None,
        moon_illumination=float(Horizon(place, (night.start + night.end) / 2)
                                .moon_illumination[0]),
        steps=tuple(Step(iso(t), float(f), round(float(s), 2), round(float(m), 2))
                    for t, f, s, m in zip(times, fractions, horizon.sun_altitude,
                                          horizon.moon_altitude, strict=True)),
        reason="" if seen.any() else _why(night, limits, horizon, pieces, minutes,
                                       bool(longest.any())))


def _steps(night: Window, minutes: float) -> tuple[Floats, float]:
    """Return the middles of equal steps, and their length in seconds."""
    length = night.end - night.start
    if length <= 0:
        return np.empty(0), 0.0
    finest = min(STEP, max(60.0, minutes * 20)) if minutes else STEP
    number = int(np.ceil(length / finest))
    return night.start + (np.arange(number) + 0.5) * length / number, length / number


def _look(horizon: Horizon, limits: Limits, pieces: Pieces) -> tuple[Floats, Ints]:
    """Return the fraction allowed at each time, and the longest run of steps of each piece."""
    fractions = np.zeros(len(horizon.times))
    longest = np.zeros(len(pieces), np.int64)
    for first in range(0, len(pieces), BLOCK):
        part = slice(first, first + BLOCK)
        allowed = limits.allow(horizon, pieces.vectors[part])
        fractions += allowed @ pieces.prob[part]
        longest[part] = runs(allowed)
    return fractions / pieces.prob.sum(), longest


def runs(allowed: Bools) -> Ints:
    """Return for each column the length of its longest run of true rows."""
    run = np.zeros(allowed.shape[1], np.int64)
    longest = run.copy()
    for row in allowed:
        run = (run + 1) * row
        np.maximum(longest, run, out=longest)
    return longest


def _why(night: Window, limits: Limits, horizon: Horizon, pieces: Pieces, minutes: float,
         briefly: bool) -> str:
    """Say what hides the region."""
    if night.reason:
        return night.reason
    if briefly:
        return f"no part is within the limits for {minutes:g} minutes without a break"
    dark = limits.dark(horizon)[:, np.newaxis]
    kept = limits.each(horizon, pieces.vectors[:BLOCK])
    for name, allowed in kept.items():
        if not (allowed & dark).any():
            return f"the limit of {name} hides all of the region while it is dark"
    return f"the limits of {' and '.join(kept)} together hide all of the region while it is dark"
