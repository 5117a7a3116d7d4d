"""Pair: two kinds of events, the window between them and how often they occur."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import CoincidenceError
from .far import YEAR, check_far, check_rate, duration
from .kinds import kind

Publish = Literal["joint", "targeted", "first"]
"""Which rate decides: the joint one, only one of a targeted search, or the first event's own."""


@dataclass(frozen=True)
class Pair:
    """Two kinds of events that are compared.

    Parameters
    ----------
    kinds : (str, str)
        The first is the one whose false-alarm rate is known.
    window : (float, float)
        Bounds of the time of the first minus the time of the second, s. With ``gw`` first,
        [-5, 1] means that the other event comes from 1 s before to 5 s after it.
    source : str
        Where the window comes from.
    group : str, optional
        Only for first events of this group, ``cbc`` or ``burst``; None for all.
    experiment : str, optional
        Only for second events of this experiment, as ``fermi``; None for all.
    rate : float, optional
        How often events of the second kind occur, Hz; None if that is not known, so that only
        a targeted search has a joint rate.
    rate_source : str
        Where the rate comes from.
    far_max : (float, float), optional
        The largest false-alarm rates of both kinds that a targeted search admits, Hz.
    far_source : str
        Where those come from.
    publish : {"joint", "targeted", "first"}
        Which rate decides about publishing, see `rules.decide`.
    """

    kinds: tuple[str, str]
    window: tuple[float, float]
    source: str
    group: str | None = None
    experiment: str | None = None
    rate: float | None = None
    rate_source: str = ""
    far_max: tuple[float, float] | None = None
    far_source: str = ""
    publish: Publish = "joint"

    def __post_init__(self) -> None:
        if not isinstance(self.kinds, Sequence) or isinstance(self.kinds, str) or len(
                self.kinds) != 2:
            raise CoincidenceError("kinds", f"{self.kinds!r} is not a pair of names")
        # Frozen, but what a person writes in capitals or as a list is made plain here.
        object.__setattr__(self, "kinds", (kind(self.kinds[0]), kind(self.kinds[1])))
        duration(self.window)
        object.__setattr__(self, "window", (float(self.window[0]), float(self.window[1])))
        if self.rate is not None:
            check_rate("rate", self.rate)
        if self.far_max is not None:
            if not isinstance(self.far_max, Sequence) or len(self.far_max) != 2:
                raise CoincidenceError("far_max", f"{self.far_max!r} is not a pair of rates")
            most = [check_far("far_max", each) for each in self.far_max]
            if min(most) == 0:
                raise CoincidenceError("far_max", "is 0: the search would admit nothing")
            object.__setattr__(self, "far_max", tuple(most))
        if self.publish not in ("joint", "targeted", "first"):
            raise CoincidenceError("publish", f"{self.publish!r} is not joint, targeted or first")
        for name in ("group", "experiment"):
            value = getattr(self, name)
            object.__setattr__(self, name, value.lower() if value else None)

    @property
    def name(self) -> str:
        """Return what the pair is called: its kinds, group and experiment."""
        return "-".join([*self.kinds, *(p for p in (self.group, self.experiment) if p)])

    def includes(self, first: float, second: float) -> bool:
        """Tell whether two times, seconds on one clock, lie within the window; bounds do."""
        return self.allows(first - second)

    def allows(self, offset: float) -> bool:
        """Tell whether the time of the first minus that of the second lies in the window."""
        return math.isfinite(offset) and self.window[0] <= offset <= self.window[1]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "name": self.name, "kinds": list(self.kinds), "group": self.group,
            "experiment": self.experiment, "window": list(self.window),
            "window_of": f"t({self.kinds[0]}) - t({self.kinds[1]})", "source": self.source,
            "rate": self.rate, "rate_per_year": None if self.rate is None else self.rate * YEAR,
            "rate_source": self.rate_source or None,
            "far_max": list(self.far_max) if self.far_max else None,
            "far_source": self.far_source or None, "publish": self.publish,
        }
