"""How long to write a multi-order map in pixels of one size, and to read it back?

In turns with ``ligo-skymap-flatten`` on the same 1 MB map, as functions and as commands; then
the memory and time of reading a flat map of NSIDE 1024.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from .result import Bound, Result, percentile
from .skymaps import _alert

NSIDE = 512
LARGE = 1024
_READ = """
import json, sys, time
from gwbroker.skymap import files
def resident(field):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field)) * 1024
before, began = resident("VmRSS"), time.perf_counter()
files.load(sys.argv[1])
print(json.dumps([time.perf_counter() - began, resident("VmHWM") - before]))
"""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds = 3 if quick else 9
    with tempfile.TemporaryDirectory(prefix="gwbroker-flatten-") as folder:
        home = Path(folder)
        source = home / "map.fits"
        _write_source(source)
        yield from _flatten(home, source, rounds)
        yield from _read(home, source, 1 if quick else 3)


def _write_source(source: Path) -> None:
    from gwbroker.notice import Notice
    from gwbroker.streams.healpix import skymap_bytes

    alert = Notice(json.dumps(_alert()).encode(), topic="igwn.gwalert")
    source.write_bytes(skymap_bytes(alert))


def _flatten(home: Path, source: Path, rounds: int) -> Iterator[Result]:
    from gwbroker.skymap import files
    from gwbroker.skymap.flatten import flatten, write_flat

    ours, theirs = home / "ours.fits", home / "theirs.fits"
    nside = ["--nside", str(NSIDE)]
    scripts = Path(sys.executable).parent
    peer = _ligo_main()

    def command(*words: object) -> Callable[[], object]:
        return lambda: subprocess.run([str(w) for w in words], check=True, capture_output=True)

    pairs: list[tuple[str, Callable[[], object], Callable[[], object] | None]] = [
        ("function", lambda: write_flat(flatten(files.load(source), NSIDE), ours),
         peer and (lambda: peer([str(source), str(theirs), *nside]))),
        ("command", command(sys.executable, "-m", "gwbroker", "skymap", "flatten", source, ours,
                            *nside),
         peer and command(scripts / "ligo-skymap-flatten", source, theirs, *nside)),
    ]
    for what, mine, other in pairs:
        mine()
        if other is not None:
            other()
        times: list[float] = []
        peer_times: list[float] = []
        for _ in range(rounds):
            times.append(_seconds(mine))
            if other is not None:
                peer_times.append(_seconds(other))
        yield Result(
            "flatten", f"flatten to NSIDE {NSIDE}, as a {what}", percentile(times, 50), "s",
            "ligo-skymap-flatten", percentile(peer_times, 50) if peer_times else None,
            bounds=(Bound("ratio", "<=", 0.7),),
            note="" if peer_times else "ligo.skymap is not installed: no peer")


def _ligo_main() -> Callable[[list[str]], object] | None:
    warnings.simplefilter("ignore")
    try:
        from ligo.skymap.tool import ligo_skymap_flatten
    except ImportError:
        return None
    logging.getLogger().setLevel(logging.ERROR)
    main: Callable[[list[str]], object] = ligo_skymap_flatten.main
    return main


def _read(home: Path, source: Path, rounds: int) -> Iterator[Result]:
    from gwbroker.skymap import files
    from gwbroker.skymap.flatten import Flat, flatten, write_flat

    whole = flatten(files.load(source), LARGE)
    flat = home / "large.fits"
    write_flat(Flat(whole.nside, whole.prob), flat, ordering="RING")
    times, peaks = [], []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", _READ, str(flat)], check=True,
                              capture_output=True, text=True)
        seconds, peak = json.loads(done.stdout)
        times.append(seconds)
        peaks.append(peak / 1e9)
    yield Result("flatten", f"read a flat RING map of NSIDE {LARGE}", percentile(times, 50), "s",
                 bounds=(Bound("value", "<=", 1.5),))
    yield Result("flatten", "its memory, the file's bytes included", max(peaks), "GB",
                 bounds=(Bound("value", "<=", 0.6),))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
