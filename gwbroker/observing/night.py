"""Night: when it is dark at a site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SkyMapError
from ..skymap.multiorder import Floats
from .horizon import Horizon
from .limits import Bools, Limits
from .sites import Site
from .times import DAY, iso

STEP = 300.0
"""The Sun's altitude is looked at this often, s; a shorter darkness would be missed."""

LONGEST = 10.0
"""Days that a window may have: precession is taken once for all of it."""


@dataclass(frozen=True)
class Window:
    """The time in which to observe.

    Parameters
    ----------
    start, end : float
        Seconds since 1970 UTC; equal if it is never dark.
    dark : float
        Seconds of darkness in it.
    reason : str
        Why there is none.
    """

    start: float
    end: float
    dark: float
    reason: str = ""


def darkness(site: Site, start: float, end: float, limits: Limits) -> list[tuple[float, float]]:
    """Return from when to when it is dark, between two times, to a tenth of a second."""
    times = np.linspace(start, end, max(2, int(np.ceil((end - start) / STEP)) + 1))
    excess = Horizon(site, times).sun_altitude - limits.sun
    dark = excess <= 0
    change = np.flatnonzero(dark[1:] != dark[:-1])
    edges = _crossings(site, times[change], times[change + 1], dark[change], limits)
    bounds = [*([start] if dark[0] else []), *edges.tolist(), *([end] if dark[-1] else [])]
    return list(zip(bounds[0::2], bounds[1::2], strict=True))


def _crossings(site: Site, low: Floats, high: Floats, dark: Bools, limits: Limits) -> Floats:
    """Return when the Sun passes the limit, by halving intervals that hold it."""
    low, high = low.copy(), high.copy()
    if len(low) == 0:
        return low
    for _ in range(12):
        middle = (low + high) / 2
        before = (Horizon(site, middle).sun_altitude <= limits.sun) == dark
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.asarray((low + high) / 2, np.float64)


def window(site: Site, start: float, hours: float | None, limits: Limits) -> Window:
    """Return tonight: the rest of this night, or the next one that begins within a day.

    Parameters
    ----------
    site : Site
        The place.
    start : float
        Seconds since 1970 UTC.
    hours : float, optional
        Take this long from `start` instead, by day and night.
    limits : Limits
        For the twilight.

    Raises
    ------
    SkyMapError
        If the hours are not more than 0 and at most ten days.
    """
    if hours is not None:
        if not 0 < hours <= LONGEST * 24:
            raise SkyMapError("hours", f"{hours:g} is not more than 0 and at most"
                              f" {LONGEST * 24:g}")
        end = start + hours * 3600
        nights = darkness(site, start, end, limits)
        if nights:
            return Window(start, end, sum(b - a for a, b in nights))
        return Window(start, start, 0.0, _never(site, start, end, limits))
    nights = [(a, b) for a, b in darkness(site, start, start + 2 * DAY, limits)
              if a < start + DAY]
    if not nights:
        return Window(start, start, 0.0, _never(site, start, start + DAY, limits))
    begin, end = nights[0]
    end = min(end, begin + DAY)
    return Window(begin, end, end - begin)


def _never(site: Site, start: float, end: float, limits: Limits) -> str:
    times = np.linspace(start, end, max(2, int((end - start) / STEP)))
    lowest = float(Horizon(site, times).sun_altitude.min())
    return (f"no dark time: between {iso(start)} and {iso(end)} the Sun at {site.name} stays above"
            f" {limits.sun:g} deg ({limits.twilight} twilight), at {lowest:.1f} deg or higher")
