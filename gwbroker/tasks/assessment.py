"""Assessment: how two events are compared, and what comes of it; no ledger, no files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..coincidence import far as rates
from ..coincidence import rules
from ..coincidence.pairs import Pair
from ..coincidence.search import is_targeted
from ..errors import CoincidenceError


@dataclass(frozen=True)
class Side:
    """What is compared of an event.

    Parameters
    ----------
    event : int
        Its number.
    kind : str
        As pairs call it: ``subgrb`` is a burst below the threshold.
    t0 : float
        Seconds since 1970.
    far : float, optional
        False-alarm rate, Hz.
    group, search : str, optional
        Of a merger or burst of gravitational waves.
    experiment : str, optional
        Who saw it, as ``fermi``.
    map_notice : int, optional
        Number of the notice that brought its newest map.
    map_sha256 : str, optional
        Of that map's file.
    told : int
        How many notices said something of it.
    """

    event: int
    kind: str
    t0: float
    far: float | None = None
    group: str | None = None
    search: str | None = None
    experiment: str | None = None
    map_notice: int | None = None
    map_sha256: str | None = None
    told: int = 0

    @classmethod
    def of(
        cls, row: Mapping[str, Any], alerts: Sequence[str], identifiers: Sequence[str],
        map_sha256: str | None,
    ) -> Side | None:
        """Return the side that an event's row is; None if there is nothing to compare."""
        if row["role"] != "real" or row["state"] == "retracted" or row["t0"] is None:
            return None
        facts = row["facts"]
        below = row["kind"] == "grb" and set(alerts) == {"subthreshold"}
        return cls(
            row["id"], "subgrb" if below else row["kind"], row["t0"], _rate(facts.get("far_hz")),
            _text(facts.get("group")), _text(facts.get("search")),
            next((name.partition(":")[0] for name in identifiers if ":" in name), None),
            facts.get("skymap_notice"), map_sha256, len(alerts))


def _rate(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= rates.GREATEST else None


def _text(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and value else None


@dataclass(frozen=True)
class Match:
    """Two events that a pair of kinds brings together.

    Parameters
    ----------
    pair : Pair
        The kinds, the window and its source.
    first, second : Side
        In the order of the pair.
    """

    pair: Pair
    first: Side
    second: Side

    @property
    def offset(self) -> float:
        """Time of the first minus that of the second, s."""
        # To the microsecond: the ledger's seconds since 1970 have no more digits.
        return round(self.first.t0 - self.second.t0, 6)

    @property
    def key(self) -> str:
        """Names the job that assesses it: once for each state of both events."""
        first, second = self.first, self.second
        return (f"assess:{first.event}:{second.event}:{self.signature}:{first.told}:"
                f"{second.told}")

    @property
    def signature(self) -> str:
        """Names all that the assessment depends on, the same for both orders of arrival."""
        sides = [{k: v for k, v in asdict(side).items() if k != "told"}
                 for side in (self.first, self.second)]
        values = [*sides, self.pair.as_dict()]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def match(one: Side | None, other: Side | None, pairs: Iterable[Pair]) -> Match | None:
    """Return the first pair that two events fit, in whichever order they are given."""
    if one is None or other is None:
        return None
    older, newer = sorted((one, other), key=lambda side: side.event)
    for pair in pairs:
        for first, second in ((older, newer), (newer, older)):
            if (first.kind, second.kind) != pair.kinds:
                continue
            if pair.group is not None and pair.group != (first.group or "cbc"):
                continue
            if pair.experiment is not None and pair.experiment != second.experiment:
                continue
            found = Match(pair, first, second)
            if pair.allows(found.offset):
                return found
    return None


def reach(kind: str, pairs: Iterable[Pair]) -> tuple[set[str], float]:
    """Return with which kinds one is compared, and the longest time between two events, s."""
    plain = {"subgrb": "grb"}
    others: set[str] = set()
    longest = 0.0
    for pair in pairs:
        kinds = [plain.get(each, each) for each in pair.kinds]
        if plain.get(kind, kind) in kinds:
            others.update(kinds if kinds[0] == kinds[1] else set(kinds) - {plain.get(kind, kind)})
            longest = max(longest, *map(abs, pair.window))
    return others, longest


def assess(found: Match, overlap: float | None) -> dict[str, Any]:
    """Return what two events amount to, as JSON values.

    Parameters
    ----------
    found : Match
        The events.
    overlap : float, optional
        Overlap integral of their maps; None if there are not both.

    Returns
    -------
    dict
        ``offset`` (s), ``far_time`` and ``far`` (Hz, without and with the positions; None if not
        known), ``overlap``, ``publish``, ``reasons``, the rule, the window and its source.
    """
    pair, first, second = found.pair, found.first, found.second
    targeted = is_targeted(pair, first.far, second.far)
    far_time, problem = None, ""
    try:
        far_time = _joint(pair, first.far, second.far, targeted)
    except CoincidenceError as e:
        problem = str(e)
    far = None if far_time is None else rates.spatial(far_time, overlap)
    try:
        rule = rules.rule_of(first.group, first.search)
    except CoincidenceError:
        rule = rules.rule_of(first.group)
    decision = rules.decide(pair, rule, far=far, far_first=first.far, overlap=overlap,
                            targeted=targeted)
    # Infinite where the positions exclude each other, which JSON cannot say.
    finite = far if far is not None and math.isfinite(far) else None
    return {
        "pair": pair.name, "window": list(pair.window), "window_source": pair.source,
        "offset": found.offset, "method": "targeted" if targeted else "untargeted",
        "far_time": far_time, "far": finite, "overlap": overlap, "publish": decision.publish,
        "reasons": [*([problem] if problem else []), *decision.reasons],
        "far_with_trials": decision.far_with_trials, "threshold": decision.threshold,
        "trials_factor": decision.trials_factor, "rule_source": decision.source,
        "rate": pair.rate, "rate_source": pair.rate_source,
    }


def _joint(
    pair: Pair, far_first: float | None, far_second: float | None, targeted: bool,
) -> float | None:
    if far_first is None:
        return None
    if targeted and far_second is not None and pair.far_max is not None:
        return rates.targeted(far_first, far_second, pair.window, *pair.far_max)
    return None if pair.rate is None else rates.untargeted(far_first, pair.rate, pair.window)
