"""How long is the exact overlap of two multi-order maps, against ligo-raven's sampled one?

Maps of 20,000 and of 10^6 cells, each pair in turns with ligo-raven's integral of the same
columns. Ours begins with maps that have nothing worked out yet, as they come from a file.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .result import Bound, Result, percentile

if TYPE_CHECKING:
    from gwbroker.skymap import SkyMap

SIZES = {"20,000": (5, 0.2), "10^6": (8, 0.1)}
"""Level of the map, and the part of its cells that is split once more."""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    from gwbroker.skymap import SkyMap
    from gwbroker.skymap.combine import product
    from gwbroker.skymap.overlap import overlap

    raven = _raven()
    maps = {(size, seed): _map(*SIZES[size], seed) for size in SIZES for seed in (1, 2)}
    for first, second in (("20,000", "20,000"), ("10^6", "20,000"), ("10^6", "10^6")):
        a, b = maps[first, 1], maps[second, 2]
        rounds = 3 if quick else 25 if first == "20,000" else 7

        def fresh(a: SkyMap = a, b: SkyMap = b) -> tuple[SkyMap, SkyMap]:
            return SkyMap(a.uniq, a.probdensity), SkyMap(b.uniq, b.probdensity)

        ours, theirs, value, other = [], [], 0.0, 0.0
        for _ in range(rounds + 1):
            pair = fresh()
            began = time.perf_counter()
            value = overlap(*pair)
            ours.append(time.perf_counter() - began)
            if raven is not None:
                began = time.perf_counter()
                other = raven(a.probdensity, b.probdensity, a.uniq, b.uniq)
                theirs.append(time.perf_counter() - began)
        # The first round finds everything cold.
        yield Result(
            "overlap", f"overlap of {first} and {second} cells", percentile(ours[1:], 50), "s",
            "ligo-raven", percentile(theirs[1:], 50) if theirs else None,
            bounds=(Bound("ratio", "<=", 1.0),),
            note=f"ours is {value:.6g}, ligo-raven's {other:.6g}" if theirs
            else "ligo-raven is not installed: no peer")
        times = []
        for _ in range(2 if quick else 4):
            pair = fresh()
            began = time.perf_counter()
            product(*pair)
            times.append(time.perf_counter() - began)
        yield Result("overlap", f"product of {first} and {second} cells", min(times), "s")


def _raven() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ligo.raven.search import skymap_overlap_integral
    except ImportError:
        return None
    return skymap_overlap_integral


def _map(level: int, part: float, seed: int) -> SkyMap:
    """Return a map with smaller cells here and there, and a smooth density."""
    import healpy as hp
    import numpy as np

    from gwbroker.skymap import SkyMap
    from gwbroker.skymap.multiorder import uniq_of

    rng = np.random.default_rng(seed)
    ipix = np.arange(12 * 4**level)
    split = rng.random(len(ipix)) < part
    fine = (4 * ipix[split][:, np.newaxis] + np.arange(4)).ravel()
    towards = rng.normal(0, 2, 3)
    density = np.concatenate([
        np.exp(towards @ np.array(hp.pix2vec(2**here, cells, nest=True)))
        for here, cells in ((level, ipix[~split]), (level + 1, fine))])
    uniq = np.concatenate([uniq_of(level, ipix[~split]), uniq_of(level + 1, fine)])
    return SkyMap(uniq, density / (density @ SkyMap(uniq, density).area)).validate()
