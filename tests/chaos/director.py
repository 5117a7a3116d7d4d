"""Director: makes faults at random times, several at once, and remembers each."""

from __future__ import annotations

import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from .faults import EXPECTED, Kind, possible
from .stage import Stage

HANDS = 10
"""How many faults may last at the same time."""


@dataclass
class Fault:
    """One fault that happened; times are seconds since 1970."""

    kind: str
    began: float
    hits: tuple[str, ...]
    target: str = ""
    ended: float = 0.0
    problem: str = ""


class Director:
    """Makes faults until it is told to stop.

    Parameters
    ----------
    stage : Stage
        What is disturbed.
    dice : random.Random
        The source of chance.
    per_minute : float
        How many faults.
    """

    def __init__(self, stage: Stage, dice: Random, per_minute: float) -> None:
        self.faults: list[Fault] = []
        self.kinds, self.left_out = possible(stage)
        self._stage, self._dice, self._pause = stage, dice, 60.0 / per_minute
        self._ending = threading.Event()
        # Its threads live to the end: what they start would die with them.
        self._hands = ThreadPoolExecutor(HANDS, "fault")
        self._busy: set[str] = set()
        self._running: list[Future[None]] = []
        self._next = time.monotonic() + self._pause

    def turn(self) -> None:
        """Make the next fault if it is time; to be called often."""
        now = time.monotonic()
        if now < self._next or self._ending.is_set():
            return
        self._next = now + self._dice.uniform(0.3, 1.7) * self._pause
        self._running = [each for each in self._running if not each.done()]
        free = [kind for kind in self.kinds if kind.resource not in self._busy]
        if len(self._running) >= HANDS or not free:
            return
        kind = self._dice.choices(free, [kind.weight for kind in free])[0]
        if kind.resource:
            self._busy.add(kind.resource)
        self._running.append(self._hands.submit(self._make, kind, Random(self._dice.random())))

    def _make(self, kind: Kind, dice: Random) -> None:
        fault = Fault(kind.name, time.time(), kind.hits)
        self._stage.say(f"{kind.name} begins")
        try:
            target = kind.work(self._stage, dice, self._ending.wait)
        except EXPECTED as e:
            fault.problem = f"{type(e).__name__}: {e}".strip()
            target = "?"
        # A mistake in a fault is the run's, which must say so and not wait for nothing.
        except BaseException:
            fault.problem = traceback.format_exc()
            target = "?"
        finally:
            self._busy.discard(kind.resource)
        fault.ended = time.time()
        self._stage.say(f"{kind.name} ends ({target}, {fault.ended - fault.began:.1f} s) "
                        f"{fault.problem}")
        if target is not None:
            fault.target = target
            self.faults.append(fault)

    def finish(self) -> None:
        """Let every fault that lasts come to its end."""
        self._ending.set()
        for each in self._running:
            each.result()

    def close(self) -> None:
        """Let go; what the faults started again ends now, if nobody has stopped it."""
        self._hands.shutdown()
