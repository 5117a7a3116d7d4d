"""How much memory does an idle child of a worker take?

Its share (PSS: pages that it has in common with others count in part), all of it (RSS) and what
it has alone (USS), a few seconds after its start. The peer is the child of a bare Celery worker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from .result import Result, percentile
from .scene import Scene

MIB = 1024.0


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    with Scene() as scene:
        scene.redis()
        from gwbroker.ledger.engine import check

        check()
        # The same number of children, because what they share is divided among them.
        workers = {"general": scene.worker("general", "--concurrency", "2"),
                   "openmp": scene.worker("openmp", "-Q", "openmp", "--concurrency", "2"),
                   "events": scene.worker("events", "-Q", "events", "--concurrency", "2"),
                   "peer": scene.peer(2)}
        scene.wait(lambda: all(len(scene.children(p)) == 2 for p in workers.values()), 60,
                   "all workers have children")
        # The OpenMP worker goes on importing; only when it is done is it idle.
        time.sleep(4 if quick else 8)
        found = {name: _sizes(scene.children(p)) for name, p in workers.items()}
    for name in ("general", "openmp", "events"):
        for kind in ("Pss", "Rss", "Uss"):
            yield Result("memory", f"idle child of {name}, {kind.upper()}", found[name][kind],
                         "MiB", "bare Celery", found["peer"][kind])


def _sizes(pids: list[int]) -> dict[str, float]:
    """Return the median PSS, RSS and USS of processes, in MiB."""
    each = []
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        size = {line.split(":")[0]: float(line.split()[1]) / MIB for line in lines}
        size["Uss"] = size["Private_Clean"] + size["Private_Dirty"]
        each.append(size)
    return {kind: percentile([size[kind] for size in each], 50) for kind in ("Pss", "Rss", "Uss")}
