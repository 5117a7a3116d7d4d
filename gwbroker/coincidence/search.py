"""Search: which events come close in time, and how often chance alone does that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import far as rates
from .candidate import Candidate, seconds_between
from .kinds import kind
from .pairs import Pair, find, fitting, table_of
from .rules import Decision, decide, rule_of


@dataclass(frozen=True)
class Coincidence:
    """Two events, and how often chance alone brings such two together.

    Parameters
    ----------
    first, second : str
        Their names, in the order of the pair.
    pair : Pair
        Their kinds, window and rates.
    offset : float, optional
        Time of the first minus that of the second, s.
    in_window : bool, optional
        Whether that lies in the window.
    targeted : bool
        Whether the rates of both were used.
    far_time : float, optional
        Joint false-alarm rate from the times, Hz; None if it is not known.
    overlap : float, optional
        Of their maps.
    far : float, optional
        Joint false-alarm rate, with the positions if there is an overlap, Hz; infinite if they
        exclude each other, None if it is not known or they are not in the window.
    decision : Decision
        Whether it may be published.
    """

    first: str
    second: str
    pair: Pair
    offset: float | None
    in_window: bool | None
    targeted: bool
    far_time: float | None
    overlap: float | None
    far: float | None
    decision: Decision

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON; an infinite rate is None, as the overlap of 0 tells."""
        kinds = self.pair.kinds
        return {
            "far": self.far if self.far is not None and math.isfinite(self.far) else None,
            "far_time": self.far_time, "overlap": self.overlap, "targeted": self.targeted,
            "kinds": list(kinds), "group": self.pair.group, "experiment": self.pair.experiment,
            "first": self.first, "second": self.second, "offset": self.offset,
            "in_window": self.in_window, "window": list(self.pair.window),
            "window_of": f"t({kinds[0]}) - t({kinds[1]})", "source": self.pair.source,
            "rate": self.pair.rate, "rate_source": self.pair.rate_source or None,
            "far_max": list(self.pair.far_max) if self.pair.far_max else None,
            "publish": self.decision.publish, "reasons": list(self.decision.reasons),
            "far_with_trials": self.decision.far_with_trials,
            "threshold": self.decision.threshold, "trials_factor": self.decision.trials_factor,
            "rule_source": self.decision.source,
        }


def coincide(
    event: Candidate, other: Candidate, overlap: float | None = None, *,
    pairs: Iterable[Pair] | None = None,
) -> Coincidence:
    """Return how often chance alone brings two such events together.

    If the false-alarm rates of both are known, their kinds are those of a targeted search and it
    admits them, it is the rate of that search (`far.targeted`), otherwise that of the untargeted
    one (`far.untargeted`); with an overlap it is divided by it (`far.spatial`). Kinds whose second
    is not below the threshold (``publish`` is not ``targeted``) and that have a rate are never
    compared by the second's own false-alarm rate: real bursts come by chance as well, at the rate
    of all of them, however sure each is.

    Parameters
    ----------
    event, other : Candidate
        Both, in any order.
    overlap : float, optional
        Of their maps, see `gwbroker.skymap.overlap`.
    pairs : iterable of Pair, optional
        Where to look for their kinds; by default `table.PAIRS`.

    Raises
    ------
    CoincidenceError
        If there is no such pair of kinds, a number cannot be one, or the times cannot be
        compared.
    """
    table = table_of(pairs)
    found = _fitting(event, other, table)
    # Nothing found: the same question again says what there is instead.
    pair = found[0] if found else find(
        event.kind, other.kind, event.group or other.group,
        other.experiment or event.experiment, table)
    first, second = _ordered(event, other, pair)
    offset = seconds_between(first, second)
    return judge(pair, first, _admitted(pair, first, second), overlap, offset)


def judge(
    pair: Pair, first: Candidate, second: Candidate, overlap: float | None,
    offset: float | None = None,
) -> Coincidence:
    """Return the joint false-alarm rate of a pair; without an offset, of any in the window.

    Unlike with `coincide`, a rate that the targeted search does not admit is an error.
    """
    inside = None if offset is None else pair.allows(offset)
    targeted = second.far is not None and pair.far_max is not None
    far_time = None
    if inside is not False and first.far is not None:
        if second.far is not None and pair.far_max is not None:
            far_time = rates.targeted(first.far, second.far, pair.window, *pair.far_max)
        elif pair.rate is not None:
            far_time = rates.untargeted(first.far, pair.rate, pair.window)
    far = None if far_time is None else rates.spatial(far_time, overlap)
    decision = decide(pair, rule_of(first.group, first.search), far=far, far_first=first.far,
                      overlap=overlap, targeted=targeted)
    if inside is False:
        low, high = pair.window
        decision = Decision(
            False, (f"{offset:g} s is not in the window of {low:g} to {high:g} s",),
            None, decision.threshold, decision.trials_factor, decision.source)
    return Coincidence(first.name, second.name, pair, offset, inside, targeted,
                       far_time, overlap, far, decision)


def pairs_in_window(
    event: Candidate, others: Iterable[Candidate], overlaps: Mapping[str, float] | None = None,
    *, pairs: Iterable[Pair] | None = None,
) -> list[Coincidence]:
    """Return the coincidences of an event with others, the rarest by chance first.

    Others of kinds that have no pair with the event's, or outside the window, are left out.

    Parameters
    ----------
    event : Candidate
        One event.
    others : iterable of Candidate
        Those it may belong to.
    overlaps : mapping, optional
        Overlap with the event's map, by the other's name.
    pairs : iterable of Pair, optional
        By default `table.PAIRS`.
    """
    table = table_of(pairs)
    found = [coincide(event, other, (overlaps or {}).get(other.name), pairs=table)
             for other in others
             if (known := _fitting(event, other, table))
             and known[0].allows(seconds_between(*_ordered(event, other, known[0])))]
    return sorted(found, key=lambda c: (math.inf if c.far is None else c.far, c.second, c.first))


def _fitting(event: Candidate, other: Candidate, table: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Return the pairs for two events, of which one has the group and one the experiment."""
    same = fitting(event.kind, other.kind, pairs=table)
    if not same:
        return ()
    first, second = _ordered(event, other, same[0])
    return fitting(first.kind, second.kind, first.group, second.experiment, same)


def is_targeted(pair: Pair, far_first: float | None, far_second: float | None) -> bool:
    """Tell whether two events are compared by the false-alarm rates of both, see `coincide`."""
    if pair.far_max is None or far_second is None:
        return False
    if pair.rate is not None and pair.publish != "targeted":
        return False
    return all(far is None or far <= most
               for far, most in zip((far_first, far_second), pair.far_max, strict=True))


def _admitted(pair: Pair, first: Candidate, second: Candidate) -> Candidate:
    """Return the second event, without its rate if no targeted search admits the two."""
    if pair.far_max is None or is_targeted(pair, first.far, second.far):
        return second
    return replace(second, far=None)


def _ordered(event: Candidate, other: Candidate, pair: Pair) -> tuple[Candidate, Candidate]:
    return (event, other) if kind(event.kind) == pair.kinds[0] else (other, event)
