"""How long to say what can be seen tonight, and to plan the night?

In turns with astroplan: its own constraints for the same directions at the same times, which is
what has to be known before anything can be planned with it, and no plan yet.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from .result import Bound, Result, percentile

NIGHT = "2024-04-01T20:00:00Z"
STEPS, TILE_STEP = 48, 120.0
CELLS = 20_000


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    warnings.simplefilter("ignore")
    rounds = 3 if quick else 7
    yield _observable(rounds)
    yield _plan(rounds)


def _observable(rounds: int) -> Result:
    from gwbroker.observing.horizon import Horizon, degrees
    from gwbroker.observing.limits import Limits
    from gwbroker.observing.night import window
    from gwbroker.observing.observability import observable, runs
    from gwbroker.observing.sites import SITES
    from gwbroker.observing.times import seconds

    skymap = _map(CELLS)
    night = window(SITES["palomar"], seconds(NIGHT), None, Limits())
    vectors = skymap.vectors
    times = _times(night.start, night.end, STEPS)
    ra, dec = degrees(vectors)
    check = _astroplan(ra, dec, times)

    def ours() -> object:
        return runs(Limits().allow(Horizon(SITES["palomar"], times), vectors))

    mine, theirs = _turns(ours, check, rounds)
    began = time.perf_counter()
    observable(skymap, "palomar", NIGHT)
    whole = time.perf_counter() - began
    return Result(
        "plan", f"limits of {skymap.cells:,} cells at {STEPS} times", mine, "s", "astroplan",
        theirs, bounds=(Bound("ratio", "<=", 0.2), Bound("value", "<=", 1.0)),
        note=f"`observable` of this map from its cells to the answer: {whole:.2f} s")


def _plan(rounds: int) -> Result:
    from gwbroker.observing.grid import covering
    from gwbroker.observing.pieces import region
    from gwbroker.observing.plan import plan
    from gwbroker.observing.telescopes import PRESETS
    from gwbroker.skymap import make

    skymap = make.cone(200, 30, 17.8, 0.9)
    ztf = PRESETS["ztf"]
    found = plan(skymap, ztf, NIGHT)
    fields = covering(ztf, region(skymap, 0.9).split(8).vectors)
    import astropy.time

    start, end = (astropy.time.Time(t).unix for t in (found.start, found.end))
    times = _times(start, end, int((end - start) / TILE_STEP))
    check = _astroplan(fields.ra, fields.dec, times)
    mine, theirs = _turns(lambda: plan(skymap, ztf, NIGHT), check, rounds)
    return Result(
        "plan", "plan of 1000 deg2 for a ZTF-like telescope", mine, "s", "astroplan", theirs,
        bounds=(Bound("ratio", "<=", 1.0), Bound("value", "<=", 2.0)),
        note=f"{len(found.exposures)} exposures cover {100 * found.covered:.1f} %; astroplan only"
             f" tells when {len(fields)} fields may be observed, every {TILE_STEP:g} s")


def _map(cells: int) -> Any:
    """Return a map of about so many cells of one size, dense in a band."""
    import healpy
    import numpy as np

    from gwbroker.skymap import SkyMap

    level = 5
    ipix = np.arange(12 * 4**level)
    x, _, z = healpy.pix2vec(2**level, ipix, nest=True)
    density = np.exp(-0.5 * ((z - 0.4) / 0.2) ** 2 + x)
    split = np.argsort(-density, kind="stable")[:(cells - len(ipix)) // 3]
    rest = np.delete(ipix, split)
    fine = (4 * ipix[split, np.newaxis] + np.arange(4)).ravel()
    uniq = np.concatenate([rest + 4 ** (level + 1), fine + 4 ** (level + 2)])
    density = np.concatenate([density[rest], np.repeat(density[split], 4)])
    area = SkyMap(uniq, density).area
    return SkyMap(uniq, density / (density @ area)).validate()


def _times(start: float, end: float, number: int) -> Any:
    import numpy as np

    return start + (np.arange(number) + 0.5) * (end - start) / number


def _astroplan(ra: Any, dec: Any, times: Any) -> Callable[[], object]:
    """Return astroplan's airmass, Moon and twilight for positions at times, without a network."""
    from astroplan import (
        AirmassConstraint,
        AtNightConstraint,
        MoonSeparationConstraint,
        Observer,
    )
    from astropy import units as u
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    from gwbroker.observing.sites import SITES

    iers.conf.auto_download = False
    site = SITES["palomar"]
    where = EarthLocation.from_geodetic(site.lon * u.deg, site.lat * u.deg, site.height * u.m)
    targets = SkyCoord(ra, dec, unit="deg")
    constraints = (AirmassConstraint(2, boolean_constraint=True),
                   MoonSeparationConstraint(30 * u.deg),
                   AtNightConstraint.twilight_astronomical())

    def check() -> object:
        # A new observer each time: it keeps what it has once computed.
        observer, moments = Observer(where), Time(times, format="unix")
        return [each(observer, targets, moments, grid_times_targets=True)
                for each in constraints]

    return check


def _turns(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> (
        tuple[float, float]):
    """Return the median seconds of both, called in turns, the first time not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for call, found in zip((ours, theirs), times, strict=True):
            began = time.perf_counter()
            call()
            if number:
                found.append(time.perf_counter() - began)
    return percentile(times[0], 50), percentile(times[1], 50)
