"""How soon is a worker ready, and how soon does the command line answer?

A worker is ready when it answers a ping, which also its own `ready` line follows. The peer is a
bare Celery worker on the same Redis; that of ``gwbroker --help`` is Python starting and ending.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .latency import JOBS
from .result import Bound, Result, percentile
from .scene import GWBROKER, ROOT, Scene

if TYPE_CHECKING:
    from gwbroker.supervisor import Process


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds = 2 if quick else 5
    roles = {"general": ("--concurrency", str(JOBS)), "openmp": ("-Q", "openmp"),
             "events": ("-Q", "events")}
    found: dict[str, list[float]] = {name: [] for name in (*roles, "peer")}
    with Scene() as scene:
        scene.redis()
        from gwbroker.ledger.engine import check

        check()
        for _ in range(rounds):
            for role, arguments in roles.items():
                found[role].append(_ready(
                    scene, lambda a=arguments, r=role: scene.worker(r, *a), role))
            found["peer"].append(_ready(scene, lambda: scene.peer(JOBS), "peer"))
        for role in roles:
            yield Result("startup", f"worker ready: {role}", percentile(found[role], 50), "s",
                         "bare Celery worker", percentile(found["peer"], 50),
                         (Bound("value", "<=", 3.0),))
        ours, theirs = [], []
        for _ in range(3 if quick else 10):
            ours.append(_run([*GWBROKER, "--help"]))
            theirs.append(_run([sys.executable, "-c", "pass"]))
    yield Result("startup", "gwbroker --help", percentile(ours, 50), "s", "python -c pass",
                 percentile(theirs, 50), (Bound("value", "<=", 0.5),))


def _ready(scene: Scene, start: Callable[[], Process], role: str) -> float:
    began = time.perf_counter()
    process = start()
    control = _control(role)
    while time.perf_counter() - began < 60:
        scene.supervisor.check()
        # The answer comes at once or not at all: a worker that is not there hears nothing.
        if control.ping(timeout=0.05):
            break
    else:
        raise TimeoutError(f"{role} was not ready within a minute")
    elapsed = time.perf_counter() - began
    scene.end(process)
    return elapsed


def _control(role: str) -> Any:
    if role == "peer":
        from .peer_app import app
    else:
        from gwbroker.app import app
    return app.control


def _run(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return time.perf_counter() - began
