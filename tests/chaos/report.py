"""Report: what happened, for people and for machines."""

from __future__ import annotations

import bisect
import time
from collections import defaultdict
from dataclasses import asdict
from itertools import pairwise
from statistics import median
from typing import Any

import psycopg

from .checker import Findings
from .director import Fault

BOUND = 15.0
"""Seconds to the next handled notice that recovery may take beyond the fault itself."""


class Recovery:
    """How long after each fault the next notice was handled.

    Parameters
    ----------
    connection : psycopg.Connection
        To the database with the effects.
    until : float
        When the last notice was published.
    """

    def __init__(self, connection: psycopg.Connection[Any], until: float) -> None:
        self._all: list[float] = []
        self._until = until
        self._by_handler: dict[str, list[float]] = defaultdict(list)
        for handler, at in connection.execute(
                "SELECT handler, extract(epoch FROM at)::float8 FROM chaos_effects ORDER BY at"):
            self._all.append(at)
            self._by_handler[handler].append(at)

    def after(self, fault: Fault) -> float | None:
        """Return the seconds from a fault's end to the next effect; None if none came."""
        times = sorted(t for h in fault.hits for t in self._by_handler[h]) \
            if fault.hits else self._all
        place = bisect.bisect_left(times, fault.ended)
        return times[place] - fault.ended if place < len(times) else None

    @property
    def longest_silence(self) -> tuple[float, float]:
        """The longest time between two effects while there was something to do, and its begin."""
        return max(((b - a, a) for a, b in pairwise(self._all) if a < self._until),
                   default=(0.0, self._until))


class Report:
    """All that is told of a run.

    Parameters
    ----------
    seed : int
        With which it can be repeated.
    minutes : float
        For how long faults were made.
    drained : float
        Seconds from the last fault until all was handled.
    """

    def __init__(
        self, seed: int, minutes: float, drained: float, faults: list[Fault],
        left_out: list[str], findings: Findings, recovery: Recovery, notes: list[str],
    ) -> None:
        self.seed, self.minutes, self.drained = seed, minutes, drained
        self.faults, self.left_out, self.findings = faults, left_out, findings
        self.recovery, self.notes = recovery, notes

    def _kinds(self) -> dict[str, dict[str, Any]]:
        kinds: dict[str, list[Fault]] = defaultdict(list)
        for fault in self.faults:
            kinds[fault.kind].append(fault)
        found = {}
        for name, faults in sorted(kinds.items()):
            times = [t for t in map(self.recovery.after, faults) if t is not None]
            found[name] = {
                "number": len(faults), "longest": max(f.ended - f.began for f in faults),
                "recovery_median": median(times) if times else None,
                "recovery_max": max(times) if times else None}
        return found

    def lines(self) -> list[str]:
        """Return the report as text; the last line is made for machines too."""
        found = self.findings
        since = self.recovery.longest_silence[1]
        lines = ["", f"{'fault':<26} {'number':>6} {'lasted up to':>13} {'to the next notice':>19}"
                 f" {'at most':>9}"]
        for name, kind in self._kinds().items():
            lines.append(
                f"{name:<26} {kind['number']:>6} {kind['longest']:>11.1f} s "
                f"{_seconds(kind['recovery_median']):>19} {_seconds(kind['recovery_max']):>9}")
        lines += [f"left out: {reason}" for reason in self.left_out]
        lines += [f"fault that failed: {f.kind}: {f.problem}" for f in self.faults if f.problem]
        lines += [f"note: {note}" for note in self.notes]
        lines += [
            f"rate: {found.notices / (60 * self.minutes):.1f} notices/s published; all handled "
            f"{self.drained:.0f} s after the last fault",
            f"longest silence: {self.recovery.longest_silence[0]:.1f} s between two handled "
            f"notices, from {time.strftime('%H:%M:%S', time.localtime(since))}",
            f"calls repeated because killed in between: {found.repeated} (each with its key)",
            f"order: {found.disorder} violations; other findings: {found.other}",
            *(f"WRONG: {problem}" for problem in found.problems),
            f"chaos: {found.notices} notices, {len(self.faults)} faults, {found.lost} lost, "
            f"{found.twice} twice, seed {self.seed}"]
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "seed": self.seed, "minutes": self.minutes, "drained": self.drained,
            "findings": asdict(self.findings), "kinds": self._kinds(),
            "left_out": self.left_out, "notes": self.notes,
            "longest_silence": self.recovery.longest_silence[0],
            "faults": [{**asdict(f), "recovery": self.recovery.after(f)} for f in self.faults]}


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
