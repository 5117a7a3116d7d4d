"""Rules: which coincidences are significant enough to be published."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import CoincidenceError
from .far import DAY, check_far
from .pair import Pair


@dataclass(frozen=True)
class Rule:
    """How rare a coincidence has to be.

    Parameters
    ----------
    search : str
        The search that found the first event.
    threshold : float
        How often a false one may be published, Hz, over all searches.
    trials : int
        How many searches publish by this threshold.
    source : str
        Where these numbers come from.
    """

    search: str
    threshold: float
    trials: int
    source: str

    def __post_init__(self) -> None:
        if self.trials < 2:
            raise CoincidenceError(
                "trials", f"{self.trials} of {self.search}: at least 2, or none is left")
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise CoincidenceError("threshold", f"{self.threshold:g} Hz is not a positive rate")

    @property
    def factor(self) -> int:
        """Trials of a joint rate with n searches, n (n - 1), as GWCelery counts them."""
        return self.trials * (self.trials - 1)

    @property
    def limit(self) -> float:
        """The largest joint false-alarm rate that is published, Hz."""
        return self.threshold / self.factor


SIGNIFICANT = "GWCelery 3.0.0 (2026), significant alerts and their trials factors"

RULES = {
    rule.search: rule for rule in (
        Rule("allsky", 1 / (30 * DAY), 7, SIGNIFICANT),
        Rule("bbh", 1 / (30 * DAY), 7, SIGNIFICANT),
        Rule("earlywarning", 1 / (30 * DAY), 4, SIGNIFICANT),
        Rule("ssm", 1 / (365 * DAY), 3, SIGNIFICANT),
        Rule("burst", 1 / (365 * DAY), 3, SIGNIFICANT),
    )
}
"""The rules, by search; ``burst`` is the all-sky search for bursts."""

SUPERNOVA = 1 / DAY
"""With an alert of SNEWS, gravitational waves are published below this rate, trials included."""


@dataclass(frozen=True)
class Decision:
    """Whether a coincidence may be published.

    Parameters
    ----------
    publish : bool
        Whether it may.
    reasons : tuple of str
        Why not; empty if it may.
    far_with_trials : float, optional
        The rate that decided, times its trials factor, Hz.
    threshold : float
        What it was compared with, Hz.
    trials_factor : int
        What it was multiplied by.
    source : str
        Where threshold and trials come from.
    """

    publish: bool
    reasons: tuple[str, ...]
    far_with_trials: float | None
    threshold: float
    trials_factor: int
    source: str


def rule_of(group: str | None, search: str | None = None) -> Rule:
    """Return the rule of a search; by default the all-sky one of the group.

    Raises
    ------
    CoincidenceError
        If there is no rule for that search.
    """
    name = (search or "allsky").lower().replace("-", "").replace("_", "").replace(" ", "")
    if name == "allsky" and (group or "").lower() == "burst":
        name = "burst"
    if name not in RULES:
        raise CoincidenceError(
            "search", f"there is no rule for {search!r}, only for {', '.join(RULES)}")
    return RULES[name]


def decide(
    pair: Pair, rule: Rule, *, far: float | None, far_first: float | None,
    overlap: float | None, targeted: bool,
) -> Decision:
    """Tell whether a coincidence may be published.

    By the joint rate: far n (n - 1) <= threshold, with maps of both events. Sub-threshold ones
    that were not found by a targeted search are not published. With supernova neutrinos the
    first event's own rate decides: far_first n < 1 per day. (GWCelery 3.0.0, which follows
    LIGO/Virgo/KAGRA's policy.)

    Parameters
    ----------
    pair : Pair
        The kinds.
    rule : Rule
        Threshold and trials, see `rule_of`.
    far : float, optional
        Joint false-alarm rate, positions included, Hz; None if it is not known.
    far_first : float, optional
        False-alarm rate of the first event, Hz.
    overlap : float, optional
        Of the maps; None if there are not both.
    targeted : bool
        Whether the joint rate is one of a targeted search.
    """
    reasons = ["the positions exclude each other"] if overlap == 0 else []
    if pair.publish == "first":
        found = None if far_first is None else check_far("far_first", far_first) * rule.trials
        if found is None:
            reasons.append(f"the false-alarm rate of the {pair.kinds[0]} event is not known")
        elif found >= SUPERNOVA:
            reasons.append(f"{found:.3g} Hz with trials is not below {SUPERNOVA:.3g} Hz")
        return Decision(
            not reasons, tuple(reasons), found, SUPERNOVA, rule.trials, rule.source)
    found = None if far is None or not math.isfinite(far) else far * rule.factor
    if far is None:
        reasons.append("the joint false-alarm rate is not known")
    elif found is not None and found > rule.threshold:
        reasons.append(f"{found:.3g} Hz with trials is above {rule.threshold:.3g} Hz")
    if overlap is None:
        reasons.append("there are not maps of both events")
    if pair.publish == "targeted" and not targeted:
        reasons.append("a sub-threshold event that no targeted search found")
    return Decision(not reasons, tuple(reasons), found, rule.threshold, rule.factor, rule.source)
