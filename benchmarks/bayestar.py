"""How long does BAYESTAR take on one coincidence, and does it keep all cores busy?

In turns with ligo.skymap called directly on the same simulated ``coinc.xml``: both read the
file and localize it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from .result import Bound, Result, percentile


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ligo.skymap import bayestar as peer
            from ligo.skymap.io.events import ligolw
    except ImportError:
        return
    from gwbroker.skymap import bayestar
    from tests.skymap import simulated

    logging.getLogger("BAYESTAR").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    cores = len(os.sched_getaffinity(0))
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        coinc, _ = simulated.coinc(Path(folder), ("H1", "L1"))

        def ours() -> object:
            return bayestar.localize(coinc, threads=cores)

        def theirs() -> object:
            event, = ligolw.open(str(coinc), psd_file=str(coinc)).values()
            return peer.localize(event, f_low=15.0)

        ours(), theirs()
        mine: list[float] = []
        others: list[float] = []
        busy: list[float] = []
        for _ in range(2 if quick else 7):
            seconds, used = _seconds(ours)
            mine.append(seconds)
            busy.append(used / seconds)
            others.append(_seconds(theirs)[0])
    # The fastest of each: whatever else runs only adds.
    yield Result("bayestar", "coinc.xml to map", min(mine), "s", "ligo.skymap", min(others),
                 bounds=(Bound("ratio", "<=", 1.05),),
                 note=f"two detectors; medians {percentile(mine, 50):.2f} and "
                      f"{percentile(others, 50):.2f} s")
    yield Result("bayestar", f"of {cores} cores busy", max(busy) / cores, "",
                 bounds=(Bound("value", ">=", 0.8),), note="CPU time over wall time and cores")


def _seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return the wall and CPU seconds of a call, all threads together."""
    began, used = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - began, time.process_time() - used
