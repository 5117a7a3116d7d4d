"""``python -m tests.chaos``: disturb a whole broker at random, and count what is lost.

The last line reads ``chaos: N notices, M faults, L lost, T twice, seed S``; the exit code is 1
if anything was lost, had its effect twice or came out of order.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from ..kafka_jars import jars, java
from ..servers import Absent
from .enclosure import INSIDE, enter, possible

PREFIX = "gwchaos-"


def main(arguments: list[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0,
                        help="for how long faults are made (default: 20)")
    parser.add_argument("--seed", type=int, help="repeat a run (default: at random)")
    parser.add_argument("--rate", type=float, default=45.0,
                        help="notices per second (default: 45)")
    parser.add_argument("--faults-per-minute", type=float, default=13.0,
                        help="how many faults, on average (default: 13)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--one-host", action="store_true",
                        help="make no namespaces, also as root")
    parser.add_argument("--keep", action="store_true", help="keep the logs also of a good run")
    options = parser.parse_args(arguments)
    try:
        # Before the network is left.
        java(), jars()
    except Absent as e:
        print(f"chaos: cannot run: {e}", file=sys.stderr)
        return 2
    if INSIDE not in os.environ and not options.one_host:
        reason = possible()
        if reason is None:
            return enter([sys.executable, "-m", "tests.chaos", *(arguments or sys.argv[1:])])
        print(f"one host only, because namespaces cannot be had: {reason}", flush=True)
    return _inside(options)


def _inside(options: argparse.Namespace) -> int:
    from .run import Run

    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}, {options.minutes:g} minutes, {options.rate:g} notices/s, "
          f"{options.faults_per_minute:g} faults/minute", flush=True)
    _remove_left_overs()
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = (home / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    # PostgreSQL runs as another user, who has to get past here.
    home.chmod(0o711)
    tempfile.tempdir = str(home)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    good = False
    try:
        report = Run(home, seed, options.minutes, options.rate,
                     options.faults_per_minute).go()
        if options.json:
            options.json.write_text(json.dumps(report.as_dict(), indent=2))
        good = report.findings.good
        print("\n".join(report.lines()[:-1]))
        if not good or options.keep:
            _keep(home)
        print(report.lines()[-1], flush=True)
        return 0 if good else 1
    except KeyboardInterrupt:
        print(f"interrupted, seed {seed}", file=sys.stderr)
        return 130
    except BaseException:
        _keep(home)
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _keep(home: Path) -> None:
    place = Path(tempfile.mkdtemp(prefix="gwchaos-logs-", dir=home.parent))
    for found in (*home.glob("*.log"), *home.glob("*.csv"), *home.glob("sink")):
        shutil.copy(found, place)
    print(f"the logs are in {place}", flush=True)


def _remove_left_overs() -> None:
    """Remove the folders of runs that were killed; their processes died with them."""
    for place in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        with place.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(place.parent, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
