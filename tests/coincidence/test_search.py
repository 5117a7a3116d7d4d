"""Two events compared, and an event looked for among others."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gwbroker.coincidence.candidate import Candidate, seconds_between
from gwbroker.coincidence.far import targeted, untargeted
from gwbroker.coincidence.pair import Pair
from gwbroker.coincidence.pairs import find
from gwbroker.coincidence.search import coincide, is_targeted, judge, pairs_in_window
from gwbroker.coincidence.table import PAIRS
from gwbroker.errors import CoincidenceError
from gwbroker.tasks.assessment import Match, Side, assess

MERGER = Candidate("GW170817", "gw", 1187008882.43, 1e-12, "cbc")
BURST = Candidate("GRB 170817A", "grb", MERGER.time + 1.74)
WEAK = Candidate("weak", "subgrb", MERGER.time + 8, 5e-5, experiment="fermi")


@pytest.mark.parametrize("swapped", [False, True])
def test_a_merger_and_its_burst_coincide_in_either_order(swapped):
    found = coincide(*((BURST, MERGER) if swapped else (MERGER, BURST)), overlap=50.0)
    pair = find("gw", "grb", "cbc")
    assert (found.first, found.second) == ("GW170817", "GRB 170817A")
    assert found.in_window
    assert found.offset == pytest.approx(-1.74)
    assert found.far_time == pytest.approx(untargeted(1e-12, pair.rate, (-5, 1)))
    assert found.far == pytest.approx(found.far_time / 50)
    assert found.decision.publish
    assert not found.targeted


def test_outside_the_window_there_is_no_rate():
    found = coincide(MERGER, replace(BURST, time=MERGER.time - 1.74), overlap=50.0)
    assert found.in_window is False
    assert found.far is None
    assert not found.decision.publish
    assert found.decision.reasons == ("1.74 s is not in the window of -5 to 1 s",)


def test_with_both_rates_the_search_is_a_targeted_one():
    found = coincide(MERGER, WEAK, overlap=3.0)
    assert found.targeted
    pair = find("gw", "subgrb", experiment="fermi")
    assert found.far_time == pytest.approx(
        targeted(1e-12, 5e-5, pair.window, *pair.far_max), rel=1e-12)
    assert found.decision.publish


def test_a_rate_that_no_targeted_search_admits_makes_it_an_untargeted_one():
    loud = replace(WEAK, far=5e-4)
    found = coincide(MERGER, loud, overlap=3.0)
    assert not found.targeted
    assert found.far_time == pytest.approx(untargeted(1e-12, found.pair.rate, (-11, 1)))
    assert not found.decision.publish
    with pytest.raises(CoincidenceError, match="above"):
        judge(found.pair, MERGER, loud, 3.0)


def test_a_burst_that_is_surely_real_comes_by_chance_as_often_as_any_other():
    found = coincide(replace(MERGER, far=1e-7), replace(BURST, far=1e-12), overlap=3.0)
    assert not found.targeted
    assert found.far_time == pytest.approx(untargeted(1e-7, found.pair.rate, (-5, 1)))


def test_two_kinds_without_a_rate_are_compared_by_the_rates_of_both_events():
    own = Pair(("xray", "neutrino"), (-10, 10), "mine", far_max=(1e-5, 1e-5))
    found = coincide(Candidate("x", "xray", 0.0, 1e-6), Candidate("n", "neutrino", 1.0, 1e-6),
                     pairs=[own])
    assert found.targeted
    assert found.far_time == pytest.approx(targeted(1e-6, 1e-6, (-10, 10), 1e-5, 1e-5))


def test_without_the_rate_of_the_first_nothing_is_known():
    found = coincide(replace(MERGER, far=None), BURST)
    assert found.in_window
    assert found.far is None
    assert any("not known" in reason for reason in found.decision.reasons)


def test_positions_that_exclude_each_other_are_null_in_json():
    found = coincide(MERGER, BURST, overlap=0.0)
    assert found.far == math.inf
    facts = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert facts["far"] is None
    assert facts["overlap"] == 0
    assert facts["far_time"] > 0
    assert facts["publish"] is False


def test_the_others_in_the_window_come_rarest_first():
    others = [
        BURST,
        replace(BURST, name="late", time=MERGER.time + 30),
        Candidate("é x-ray", "xray", MERGER.time),
        replace(WEAK, name="other experiment", experiment="hubble"),
        WEAK,
        Candidate("neutrino", "hen", MERGER.time - 9),
    ]
    found = pairs_in_window(MERGER, others, {"weak": 0.0})
    assert [each.second for each in found] == ["neutrino", "GRB 170817A", "weak"]
    assert pairs_in_window(MERGER, []) == []


def test_one_finds_mergers_from_the_burst_too():
    late = replace(MERGER, name="late", time=BURST.time + 2)
    found = pairs_in_window(BURST, [MERGER, late])
    assert [each.first for each in found] == ["GW170817"]


def test_two_kinds_of_ones_own_are_compared():
    own = (Pair(("lens", "lens"), (-3600, 3600), "our paper", rate=1e-6),)
    a, b = (Candidate(name, "Lens", time, 1e-9) for name, time in (("a", 0.0), ("b", 3000.0)))
    assert coincide(a, b, pairs=own).far == pytest.approx(7200 * 1e-15)
    assert pairs_in_window(a, [b, BURST], pairs=own)[0].second == "b"


def test_an_unknown_pair_is_refused():
    with pytest.raises(CoincidenceError, match="no pair of gw and xray"):
        coincide(MERGER, Candidate("x", "xray", MERGER.time))
    with pytest.raises(CoincidenceError, match="only gw-grb-cbc"):
        coincide(replace(MERGER, group="test"), BURST)


def test_times_are_seconds_or_datetimes_of_any_zone():
    noon = datetime(2017, 8, 17, 12, 41, 4, 430000, tzinfo=UTC)
    east = (noon + timedelta(seconds=1.74)).astimezone(timezone(timedelta(hours=9)))
    found = coincide(replace(MERGER, time=noon), replace(BURST, time=east))
    assert found.offset == pytest.approx(-1.74)


def test_a_leap_second_is_not_known_to_utc():
    """UTC had 23:59:60 at the end of 2016; GPS seconds count it, datetimes do not."""
    before = datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)
    after = datetime(2017, 1, 1, 0, 0, 0, tzinfo=UTC)
    assert seconds_between(replace(MERGER, time=after), replace(BURST, time=before)) == 1
    gps = seconds_between(replace(MERGER, time=1167264018.0), replace(BURST, time=1167264016.0))
    assert gps == 2


@pytest.mark.parametrize(("first", "second", "problem"), [
    (1.0, datetime(2020, 1, 1, tzinfo=UTC), "not on one clock"),
    (datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC), "no time zone"),
    (math.nan, 1.0, "not two finite times"),
    (1.0, math.inf, "not two finite times"),
])
def test_times_that_cannot_be_compared_are_refused(first, second, problem):
    with pytest.raises(CoincidenceError, match=problem):
        seconds_between(replace(MERGER, time=first), replace(BURST, time=second))


@pytest.mark.parametrize(("rate", "publish", "firsts", "seconds", "both"), [
    (None, "joint", 1e-6, 1e-5, True),        # nothing but the rates of both is known
    (3e-6, "joint", 1e-6, 1e-5, False),       # a real burst comes as often as all of them
    (3e-6, "targeted", 1e-6, 1e-5, True),
    (3e-6, "targeted", 1e-6, 1e-2, False),  # the search does not admit it
    (3e-6, "targeted", None, 1e-5, True),
    (3e-6, "targeted", 1e-6, None, False),
])
def test_the_broker_and_the_function_agree_on_when_both_rates_count(
    rate, publish, firsts, seconds, both,
):
    pair = replace(PAIRS[0], rate=rate, publish=publish, far_max=(1e-5, 1e-4))
    assert is_targeted(pair, firsts, seconds) is both
    found = Match(pair, Side(1, pair.kinds[0], 0.0, firsts), Side(2, pair.kinds[1], 1.0, seconds))
    assert assess(found, None)["method"] == ("targeted" if both else "untargeted")
