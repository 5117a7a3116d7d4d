"""Candidate: an event that may belong together with another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from ..errors import CoincidenceError


@dataclass(frozen=True)
class Candidate:
    """An event that may belong together with another.

    Parameters
    ----------
    name : str
        What it is called.
    kind : str
        See `kinds.kind`.
    time : float or datetime
        When it happened: seconds, all on one clock (GPS or POSIX), or a datetime with its zone.
        Datetimes and POSIX seconds know no leap second: across one they are wrong by a second,
        GPS seconds are not.
    far : float, optional
        False-alarm rate, Hz.
    group : str, optional
        Of gravitational waves: ``cbc`` or ``burst``.
    search : str, optional
        The search that found it, as ``allsky`` or ``bbh``.
    experiment : str, optional
        As ``fermi``.
    """

    name: str
    kind: str
    time: float | datetime
    far: float | None = None
    group: str | None = None
    search: str | None = None
    experiment: str | None = None


def seconds_between(first: Candidate, second: Candidate) -> float:
    """Return the time of the first minus that of the second, s.

    Raises
    ------
    CoincidenceError
        If a time is not finite, has no zone, or they are not on one clock.
    """
    a, b = first.time, second.time
    if isinstance(a, datetime) and isinstance(b, datetime):
        for each in (first, second):
            if isinstance(each.time, datetime) and each.time.tzinfo is None:
                raise CoincidenceError("time", f"that of {each.name} has no time zone; give UTC")
        return (a - b).total_seconds()
    if isinstance(a, datetime) or isinstance(b, datetime):
        raise CoincidenceError(
            "time", f"{first.name} and {second.name} are not on one clock: give both in seconds"
            " or both as datetimes")
    offset = float(a) - float(b)
    if not math.isfinite(offset):
        raise CoincidenceError("time", f"{a!r} and {b!r} are not two finite times")
    return offset
