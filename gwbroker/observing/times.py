"""Times: from what people write to seconds, and to the scales that astronomy needs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import erfa
import numpy as np

from ..errors import SkyMapError
from ..skymap.multiorder import Floats

UNIX_EPOCH = 2440587.5
"""Julian date of 1970-01-01 00:00 UTC."""

DAY = 86400.0
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1973, 2099))
"""The years for which the series of Sun and Moon hold (1900 to 2100), since leap seconds began."""


def seconds(value: datetime | str | float | None, name: str = "time") -> float:
    """Return a time as seconds since 1970 UTC (POSIX).

    Parameters
    ----------
    value : datetime, str, float or None
        Aware, ISO 8601 with its zone (``Z`` is UTC), seconds already, or None for now.
    name : str
        For error messages.

    Raises
    ------
    SkyMapError
        If it cannot be read, has no zone, or is not from 1973 to 2098.
    """
    if value is None:
        return time.time()
    moment: datetime | float
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise SkyMapError(name, f"{value!r} is not a time as 2027-01-02T03:04:05Z") from None
    else:
        moment = value
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise SkyMapError(name, f"{value} has no zone; for UTC write"
                              f" {moment.isoformat(timespec='seconds')}Z")
        moment = moment.timestamp()
    if not FIRST <= moment < LAST:
        raise SkyMapError(name, f"{value} is not in the years 1973 to 2098")
    return float(moment)


def iso(moment: float) -> str:
    """Return a time as ISO 8601 in UTC, to the second."""
    rounded = datetime.fromtimestamp(round(moment), UTC)
    return rounded.isoformat(timespec="seconds").replace("+00:00", "Z")


def terrestrial(moments: Floats) -> Floats:
    """Return days of terrestrial time since `UNIX_EPOCH`.

    TT = UTC + 32.184 s + (TAI - UTC), the last from the table of leap seconds in ERFA. It is
    read here, because ERFA's own conversion warns of years for which it knows no leap seconds;
    one second more or less moves the Moon by half an arcsecond.
    """
    table = erfa.leap_seconds.get()
    since = np.array([datetime(int(y), int(m), 1, tzinfo=UTC).timestamp()
                      for y, m in zip(table["year"], table["month"], strict=True)])
    leap = table["tai_utc"][np.searchsorted(since, moments, side="right") - 1]
    return np.asarray((moments + 32.184 + leap) / DAY, np.float64)
