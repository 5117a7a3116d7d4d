"""``python -m benchmarks``: measure, compare, say what keeps its bound.

Each question has a process to itself, so that none finds the settings or the memory of another.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

QUESTIONS = ("latency", "throughput", "bulk", "skymaps", "memory", "startup", "growth", "vtp",
             "backlog", "kafka", "predicates", "recovery", "regions", "overlap", "flatten",
             "allsky", "galaxies", "bayestar", "plan")


def main(arguments: list[str] | None = None) -> int:
    """Run the questions; return 0 if every bound is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="question",
                        help=f"what to measure: {', '.join(QUESTIONS)}; by default all")
    parser.add_argument("--quick", action="store_true", help="smaller samples, rougher numbers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.questions) - set(QUESTIONS))
    if unknown:
        parser.error(f"no question named {', '.join(unknown)}; there are {', '.join(QUESTIONS)}")
    if options.here:
        return _here(options.questions[0], options.quick, options.json)
    print(machine(), flush=True)
    found: list[dict[str, Any]] = []
    failed = []
    for name in options.questions or QUESTIONS:
        results = _apart(name, options.quick)
        if results is None:
            failed.append(name)
        else:
            found += results
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": found}, indent=2))
    over = [f"{each['question']}: {each['what']}" for each in found if each["ok"] is False]
    for name in failed:
        print(f"{name}: could not be measured", file=sys.stderr)
    print(f"{len(over)} over their bound" + (": " + "; ".join(over) if over else ""))
    return 1 if over or failed else 0


def machine() -> str:
    """Describe the machine in a line, with what a durable write costs on it."""
    times = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return (f"Python {platform.python_version()}, {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f}, fdatasync {1e3 * sorted(times)[25]:.2f} ms")


def _apart(name: str, quick: bool) -> list[dict[str, Any]] | None:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, "-m", "benchmarks", name, "--here", "--json", file.name]
        ended = subprocess.run([*command, *(["--quick"] if quick else [])], check=False)
        if ended.returncode:
            return None
        results: list[dict[str, Any]] = json.loads(Path(file.name).read_text())
        return results


def _here(name: str, quick: bool, file: Path) -> int:
    module = importlib.import_module(f"benchmarks.{name}")
    print(f"\n{name}: {module.__doc__.splitlines()[0]}", flush=True)
    found = []
    for result in module.measure(quick):
        print(f"  {result.line()}", flush=True)
        found.append(result.as_dict())
    file.write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
