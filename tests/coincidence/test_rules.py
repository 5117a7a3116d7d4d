"""Which coincidences may be published."""

import math

import pytest

from gwbroker.coincidence.far import DAY
from gwbroker.coincidence.pairs import find
from gwbroker.coincidence.rules import RULES, Rule, decide, rule_of
from gwbroker.errors import CoincidenceError

GRB, SUBGRB, SUPERNOVA = (find("gw", each) for each in ("grb", "subgrb", "supernova"))


def decision(pair=GRB, rule=RULES["allsky"], **change):
    """Decide about a rare coincidence, something of it changed."""
    facts = {"far": 1e-12, "far_first": 1e-8, "overlap": 20.0, "targeted": False, **change}
    return decide(pair, rule, **facts)


def test_the_limit_of_the_all_sky_search_for_mergers_is_the_published_one():
    # One false alarm in 30 days, over 7 * 6 trials.
    assert RULES["allsky"].limit == pytest.approx(9.19e-9, rel=1e-3)
    assert RULES["burst"].limit == pytest.approx(1 / (365 * DAY) / 6)


def test_a_rate_at_the_limit_is_published_and_above_it_not():
    limit = RULES["allsky"].limit
    assert decision(far=limit * (1 - 1e-12)).publish
    above = decision(far=limit * 1.01)
    assert not above.publish
    assert "with trials is above 3.86e-07 Hz" in above.reasons[0]


@pytest.mark.parametrize(("change", "reason"), [
    ({"far": None}, "not known"),
    ({"far": math.inf, "overlap": 0.0}, "the positions exclude each other"),
    ({"overlap": None}, "not maps of both"),
    ({"pair": SUBGRB}, "no targeted search"),
    ({"pair": SUPERNOVA, "far_first": None}, "of the gw event is not known"),
    ({"pair": SUPERNOVA, "far_first": 1 / DAY / 7}, "is not below"),
    ({"pair": SUPERNOVA, "overlap": 0.0}, "exclude each other"),
])
def test_what_is_not_published_has_a_reason(change, reason):
    found = decision(**change)
    assert not found.publish
    assert len(found.reasons) == 1
    assert reason in found.reasons[0]


def test_a_targeted_sub_threshold_burst_is_published():
    assert decision(SUBGRB, targeted=True).publish


def test_with_a_supernova_the_rate_of_the_gravitational_waves_decides():
    found = decision(SUPERNOVA, far=None, overlap=None, far_first=0.9 / DAY / 7)
    assert found.publish
    assert found.trials_factor == 7
    assert found.threshold == pytest.approx(1 / DAY)


def test_each_search_has_its_rule():
    assert rule_of(None).search == "allsky"
    assert rule_of("CBC", "AllSky") is RULES["allsky"]
    assert rule_of("burst") is RULES["burst"]
    assert rule_of("Burst", "AllSky") is RULES["burst"]
    assert rule_of("Burst", "BBH") is RULES["bbh"]
    assert rule_of("cbc", "Early-Warning").factor == 12
    with pytest.raises(CoincidenceError, match="no rule for 'mdc'"):
        rule_of("cbc", "mdc")


@pytest.mark.parametrize(("trials", "threshold"), [(1, 1e-7), (3, 0), (3, math.nan)])
def test_a_rule_that_publishes_anything_or_nothing_is_refused(trials, threshold):
    with pytest.raises(CoincidenceError, match=r"trials|threshold"):
        Rule("own", threshold, trials, "me")
