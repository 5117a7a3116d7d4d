"""How long do credible areas, volumes and levels of a map take?

Everything from the columns of a map that has just been read, in turns with ligo.skymap's
`crossmatch`, which answers the same questions; and the levels of every cell with its
`find_greedy_credible_levels`.
"""

from __future__ import annotations

import resource
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .result import Bound, Result, percentile

CONTOURS = (0.5, 0.9)
PLACES = 1000
HALF = (Bound("ratio", "<=", 0.5),)


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    for name, level, rounds in (("20,000", 5, 20), ("1,000,000", 8, 5)):
        yield from _one(name, level, 3 if quick else rounds, with_peer=level == 5 and not quick)


def _one(name: str, level: int, rounds: int, with_peer: bool) -> Iterator[Result]:
    columns = _map(level)
    ra, dec, distance = _places()
    # With the map's own distances, crossmatch finds the volumes as well.
    flat = {c: columns[c] for c in ("uniq", "probdensity")}
    yield _compared(
        f"areas and levels, {name} cells", lambda: _flat(flat, ra, dec),
        _crossmatch(columns, ra, dec, None), rounds, "ligo.skymap crossmatch", HALF,
        f"{len(columns['uniq']):,} cells, {PLACES} positions")
    yield _compared(
        f"level of every cell, {name} cells", lambda: _levels(flat), _greedy(columns), rounds,
        "ligo.skymap find_greedy", (), "ours checks for equal densities, and keeps their order")

    def deep() -> object:
        return _deep(columns, ra, dec, distance)

    if with_peer:
        yield _compared(
            f"volumes and 3-D levels, {name} cells", deep,
            _crossmatch(columns, ra, dec, distance), 2, "ligo.skymap crossmatch", HALF,
            f"{PLACES} positions with distance")
        return
    times = [_seconds(deep) for _ in range(3)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Result(
        "regions", f"volumes and 3-D levels, {name} cells", percentile(times, 50), "s",
        bounds=(Bound("value", "<=", 5.0),),
        note="no peer: theirs takes a voxel for each cell and 1000 distances; the peak of this "
             f"process, peers included, is {peak:,.0f} MB")


def _compared(
    what: str, ours: Callable[[], object], theirs: Callable[[], object] | None, rounds: int,
    peer: str, bounds: tuple[Bound, ...], note: str,
) -> Result:
    times: list[float] = []
    peer_times: list[float] = []
    for _ in range(rounds + 1):
        times.append(_seconds(ours))
        if theirs is not None:
            peer_times.append(_seconds(theirs))
    # The first one finds everything cold.
    return Result("regions", what, percentile(times[1:], 50), "s", peer if theirs else "",
                  percentile(peer_times[1:], 50) if theirs else None, bounds,
                  note if theirs else f"{note}; ligo.skymap is not installed: no peer")


def _flat(columns: dict[str, Any], ra: Any, dec: Any) -> object:
    from gwbroker.skymap import SkyMap
    from gwbroker.skymap.regions import credible_areas, credible_level_at

    skymap = SkyMap(**columns)
    return credible_areas(skymap, CONTOURS), credible_level_at(skymap, ra, dec)


def _levels(columns: dict[str, Any]) -> object:
    from gwbroker.skymap import SkyMap
    from gwbroker.skymap.regions import credible_levels

    return credible_levels(SkyMap(**columns))


def _deep(columns: dict[str, Any], ra: Any, dec: Any, distance: Any) -> object:
    from gwbroker.skymap import SkyMap
    from gwbroker.skymap.volume import Volume

    skymap = SkyMap(**columns)
    volume = Volume(skymap)
    found = volume.levels(skymap.find(ra, dec), distance)
    return _flat(columns, ra, dec), found, volume.credible_volumes(CONTOURS)


def _crossmatch(
    columns: dict[str, Any], ra: Any, dec: Any, distance: Any,
) -> Callable[[], object] | None:
    warnings.simplefilter("ignore")
    try:
        from ligo.skymap.postprocess import crossmatch
    except ImportError:
        return None
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    names = ["uniq", "probdensity"]
    where: tuple[Any, ...] = (ra * u.deg, dec * u.deg)
    if distance is not None:
        names += ["distmu", "distsigma", "distnorm"]
        where = (*where, distance * u.Mpc)
    table = np.rec.fromarrays([columns[c] for c in names], names=[c.upper() for c in names])
    places = SkyCoord(*where)
    return lambda: crossmatch(table, places, contours=CONTOURS)


def _greedy(columns: dict[str, Any]) -> Callable[[], object] | None:
    try:
        from ligo.skymap.moc import uniq2pixarea
        from ligo.skymap.postprocess.util import find_greedy_credible_levels
    except ImportError:
        return None
    uniq, density = columns["uniq"], columns["probdensity"]
    return lambda: find_greedy_credible_levels(uniq2pixarea(uniq) * density, density)


def _map(level: int) -> dict[str, Any]:
    """Return the columns of a part of a triangulation ring, finer where it is dense."""
    import healpy

    from gwbroker.skymap import SkyMap
    from gwbroker.skymap.distances import norms
    from gwbroker.skymap.multiorder import uniq_of

    def ring(level: int, ipix: Any) -> Any:
        x, y, z = healpy.pix2vec(2**level, ipix, nest=True)
        return np.exp(-0.5 * ((z - 0.4) / 0.05) ** 2 + 2 * (x - y)) + 1e-12 * (2 + x)

    coarse = np.arange(12 * 4**level)
    dense = np.argsort(ring(level, coarse))[-len(coarse) // 6:]
    fine = (4 * dense[:, None] + np.arange(4)).ravel()
    coarse = np.setdiff1d(coarse, dense)
    density = np.concatenate([ring(level, coarse), ring(level + 1, fine)])
    uniq = np.concatenate([uniq_of(level, coarse), uniq_of(level + 1, fine)])
    density /= density @ SkyMap(uniq, density).area
    skymap = SkyMap(uniq, density).validate()
    x, y, _ = skymap.vectors.T
    mu, sigma = 200 + 100 * x, 50 + 20 * y
    return {"uniq": skymap.uniq, "probdensity": skymap.probdensity, "distmu": mu,
            "distsigma": sigma, "distnorm": norms(mu, sigma)}


def _places() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(1)
    return (rng.uniform(0, 360, PLACES), np.degrees(np.arcsin(rng.uniform(-1, 1, PLACES))),
            rng.uniform(50, 500, PLACES))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
