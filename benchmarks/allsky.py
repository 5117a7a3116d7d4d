"""How long does the all-sky picture of a 1 MB gwalert take, against ``ligo-skymap-plot``?

As commands, each in a process of its own from its start to its end, and as functions in a
process that is warm; in turns, on the same file, with contours and text in both.
"""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from .result import Bound, Result, percentile
from .skymaps import _alert

BOUND = Bound("ratio", "<=", 0.5)


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds = 3 if quick else 9
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "map.fits").write_bytes(base64.b64decode(_alert()["event"]["skymap"]))
        yield from _commands(folder, rounds)
        yield from _functions(folder, rounds)


def _commands(folder: Path, rounds: int) -> Iterator[Result]:
    programs = Path(sys.executable).parent
    ours = [str(programs / "gwbroker"), "skymap", "plot", "map.fits", "-o", "ours.png"]
    theirs = [str(programs / "ligo-skymap-plot"), "map.fits", "-o", "theirs.png", "--annotate",
              "--contour", "50", "90"]
    calls: list[Callable[[], object]] = [
        lambda: _run(ours, folder), *([lambda: _run(theirs, folder)] if _here(theirs) else [])]
    times = _in_turns(calls, rounds)
    yield _result("all-sky picture of a 1 MB alert, as a command", times)


def _functions(folder: Path, rounds: int) -> Iterator[Result]:
    from gwbroker.skymap import files, plot

    def ours() -> object:
        return plot.all_sky(files.load(folder / "map.fits"), folder / "ours.png", "S240101a")

    calls: list[Callable[[], object]] = [ours]
    try:
        from ligo.skymap.tool import ligo_skymap_plot
    except ImportError:
        pass
    else:
        import matplotlib as mpl

        mpl.use("agg")
        logging.getLogger().setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        calls.append(lambda: ligo_skymap_plot.main([
            str(folder / "map.fits"), "-o", str(folder / "theirs.png"), "--annotate", "--contour",
            "50", "90"]))
    yield _result("all-sky picture of a 1 MB alert, as a function", _in_turns(calls, rounds))


def _in_turns(calls: list[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Return the seconds of each call in each round, after one that is not counted."""
    times: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for call, taken in zip(calls, times, strict=True):
            began = time.perf_counter()
            call()
            if number:
                taken.append(time.perf_counter() - began)
    return times


def _result(what: str, times: list[list[float]]) -> Result:
    peer = percentile(times[1], 50) if len(times) > 1 else None
    return Result("allsky", what, percentile(times[0], 50), "s", "ligo-skymap-plot", peer,
                  bounds=(BOUND,), note="" if peer else "ligo.skymap is not installed: no peer")


def _here(command: list[str]) -> bool:
    return os.access(command[0], os.X_OK)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
