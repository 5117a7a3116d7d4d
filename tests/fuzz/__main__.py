"""``python -m tests.fuzz``: feed damaged messages to every parser, and count what breaks."""

from __future__ import annotations

import argparse
import os
import time
from random import Random

from gwbroker import dispatch

from .runner import Count, Watched, inputs, saved
from .targets import TARGETS

SLICE = 2000
"""Inputs of one target before the next one's turn."""


def fuzz(
    names: list[str], number: int, seed: int, minutes: float | None = None, verbose: bool = True,
) -> Count:
    """Run the saved and then so many damaged inputs; return what it came to."""
    dispatch.load()
    count = Count()
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    chosen = [TARGETS[name] for name in names]
    watched = {t.name: Watched(t, count) for t in chosen}
    for target in chosen:
        old = [*target.seeds(), *saved(target)]
        watched[target.name].run(iter(old), len(old))
    total = sum(target.share for target in chosen)
    left = {t.name: max(1, round(number * t.share / total)) for t in chosen}
    turn = 0
    began = time.monotonic()
    while any(left.values()) and time.monotonic() < until:
        for target in chosen:
            size = min(left[target.name], max(50, round(SLICE * target.share / total * 5)))
            if size == 0 or time.monotonic() > until:
                continue
            source = inputs(target, Random(f"{seed} {target.name} {turn}"))
            watched[target.name].run(source, size, until)
            left[target.name] -= size
        turn += 1
        if verbose and turn % 10 == 0:
            print(f"{count.line(seed)}, after {time.monotonic() - began:.0f} s", flush=True)
    return count


def main() -> int:
    """Run from the command line; 1 if anything broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="how many (default: 20000)")
    parser.add_argument("--seed", type=int, help="that of an earlier run, to do it again")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="default: all")
    parser.add_argument("--minutes", type=float, help="stop after so many, however many inputs")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4))
    count = fuzz(arguments.target or list(TARGETS), arguments.inputs, seed, arguments.minutes)
    for line in count.found:
        print(line)
    print(count.line(seed))
    return 1 if count.crashes + count.hangs + count.memory else 0


if __name__ == "__main__":
    raise SystemExit(main())
