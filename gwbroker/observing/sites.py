"""Site: where a telescope stands; the well-known observatories by name."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from ..errors import SkyMapError
from ..skymap.bounds import check


@dataclass(frozen=True)
class Site:
    """A place on Earth.

    Parameters
    ----------
    name : str
        How people call it.
    lon, lat : float
        Geodetic longitude (east) and latitude (WGS 84), degrees.
    height : float
        Above the ellipsoid, m.

    Raises
    ------
    SkyMapError
        If a value is out of bounds.
    """

    name: str
    lon: float
    lat: float
    height: float = 0.0

    def __post_init__(self) -> None:
        check("longitude", self.lon, -360, 360)
        check("latitude", self.lat, -90, 90)
        check("height", self.height, -500, 9000)


_TABLE = """
apache-point       -105.8200  32.7800  2798  Apache Point Observatory       apo
asiago               11.5811  45.8486  1413  Asiago, Cima Ekar              ekar
calar-alto           -2.5462  37.2236  2168  Calar Alto                     caha
ctio                -70.8065 -30.1697  2207  Cerro Tololo                   cerro-tololo blanco
devasthal            79.6841  29.3610  2424  Devasthal                      aries
haleakala          -156.1690  20.7155  3048  Haleakala                      pan-starrs
hanle                78.9642  32.7794  4500  Hanle                          iao growth-india
haute-provence        5.7122  43.9317   650  Haute-Provence                 ohp
kitt-peak          -111.6000  31.9633  2120  Kitt Peak                      kpno
la-silla            -70.7300 -29.2567  2347  La Silla                       eso-la-silla
las-campanas        -70.7017 -29.0033  2282  Las Campanas                   lco magellan
lick               -121.6367  37.3433  1290  Lick Observatory               -
lowell-discovery   -111.4223  34.7444  2361  Lowell Discovery Telescope     ldt dct
lulin               120.8736  23.4686  2862  Lulin                          -
mauna-kea          -155.4761  19.8255  4205  Mauna Kea                      maunakea gemini-north
mcdonald           -104.0217  30.6717  2075  McDonald Observatory           -
mmt                -110.8850  31.6883  2608  MMT, Mount Hopkins             whipple
mount-graham       -109.8892  32.7013  3221  Mount Graham                   lbt
mount-john          170.4650 -43.9867  1027  Mount John                     mjuo
mount-laguna       -116.4269  32.8420  1859  Mount Laguna                   mlo
okayama             133.5967  34.5739   372  Okayama                        -
palomar            -116.8630  33.3560  1706  Palomar Observatory            ztf p48
paranal             -70.4050 -24.6274  2669  Paranal                        vlt vista
pic-du-midi           0.1423  42.9367  2877  Pic du Midi                    -
roque              -17.8800  28.7583  2327  Roque de los Muchachos         la-palma orm
rubin               -70.7494 -30.2446  2663  Vera C. Rubin Observatory      lsst cerro-pachon
san-pedro-martir   -115.4869  31.0292  2830  San Pedro Martir               spm oan
siding-spring       149.0612 -31.2734  1149  Siding Spring                  sso skymapper
sutherland           20.8107 -32.3792  1798  Sutherland (SAAO)              saao salt
teide               -16.5097  28.3009  2390  Teide                          -
wise                 34.7633  30.5958   875  Wise Observatory               -
xinglong            117.5750  40.3933   950  Xinglong                       bao
"""
"""Key, longitude, latitude (degrees), height (m), name, other keys.

Rounded to what the telescopes of one mountain differ by: where astropy-data has the site
(coordinates/sites.json), it lies within 0.02 degrees.
"""


def _read() -> tuple[dict[str, Site], dict[str, str]]:
    known: dict[str, Site] = {}
    others: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        key, lon, lat, height, rest = line.split(maxsplit=4)
        name, more = re.split(r" {2,}", rest)
        known[key] = Site(name, float(lon), float(lat), float(height))
        others |= {other: key for other in more.split() if other != "-"}
    return known, others


SITES, OTHER_NAMES = _read()
"""The known sites by key, and other names of the keys."""


def site(name: str) -> Site:
    """Return a known site by its name, whatever its case and spaces.

    Parameters
    ----------
    name : str
        As ``palomar`` or ``Kitt Peak``, or longitude, latitude and height as
        ``-70.4 -24.6 2669``.

    Raises
    ------
    SkyMapError
        If there is no such site; it says which names are close.
    """
    numbers = _numbers(name)
    if numbers is not None:
        return numbers
    key = re.sub(r"[\s_-]+", "-", name.strip().lower())
    key = OTHER_NAMES.get(key, key)
    if key in SITES:
        return SITES[key]
    full = {known.name.lower(): each for each, known in SITES.items()}
    if name.strip().lower() in full:
        return SITES[full[name.strip().lower()]]
    close = difflib.get_close_matches(key, [*SITES, *OTHER_NAMES], n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(SITES)};"
    raise SkyMapError("site", f"there is no {name!r}; {hint} a place of your own is written"
                      " 'LON LAT HEIGHT' (degrees east, degrees, m)")


def _numbers(text: str) -> Site | None:
    parts = text.replace(",", " ").split()
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return None
    if len(values) not in (2, 3):
        return None
    lon, lat, height = (*values, 0.0)[:3]
    return Site(f"{abs(lon):g}{'E' if lon >= 0 else 'W'} {abs(lat):g}{'N' if lat >= 0 else 'S'}",
                lon, lat, height)
