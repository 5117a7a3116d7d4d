"""Bodies: where Sun and Moon are at a time."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

from ..errors import SkyMapError
from .overlays import Place


def moment(time: datetime | str) -> datetime:
    """Return a time in UTC.

    Raises
    ------
    SkyMapError
        If the text is no time, or the time has no zone: in the words of
        `gwbroker.observing.times.seconds`.
    """
    said = time
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time.strip())
        except ValueError:
            raise SkyMapError("time", f"{time!r} is not a time as 2027-01-02T03:04:05Z") from None
    if time.tzinfo is None:
        raise SkyMapError("time", f"{said} has no zone; for UTC write"
                          f" {time.isoformat(timespec='seconds')}Z")
    return time.astimezone(UTC)


def sun_and_moon(time: datetime | str) -> tuple[Place, Place]:
    """Return the positions of Sun and Moon as seen from the middle of the Earth.

    From the ephemerides that come with ERFA (Sun: VSOP2000, good to arcseconds; Moon: ELP
    2000 as shortened by Meeus 1998, good to 10 arcseconds), so that nothing is fetched. From
    its surface the Moon is up to a degree away.

    Parameters
    ----------
    time : datetime or str
        Aware, or ISO 8601 with its zone.

    Raises
    ------
    SkyMapError
        If the text is no time, it has no zone, or it is before 1900 or after 2100.
    """
    from astropy.coordinates import get_body, solar_system_ephemeris
    from astropy.time import Time
    from astropy.utils import iers

    when = moment(time)
    if not 1900 <= when.year <= 2100:
        raise SkyMapError("time", f"{when:%Y-%m-%d} is not within the years 1900 and 2100")
    with (
        warnings.catch_warnings(),
        iers.conf.set_temp("auto_download", False),
        solar_system_ephemeris.set("builtin"),
    ):
        # Leap seconds that nobody knows yet move nothing that is seen.
        warnings.simplefilter("ignore")
        at = Time(when.replace(tzinfo=None), scale="utc")
        places = []
        for name in ("sun", "moon"):
            body = get_body(name, at)
            places.append(Place(name.capitalize(), float(body.ra.deg), float(body.dec.deg)))
    return places[0], places[1]
