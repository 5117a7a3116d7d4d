"""The table of pairs, its signs, and pairs of one's own."""

import math

import pytest

from gwbroker.coincidence.far import YEAR
from gwbroker.coincidence.kinds import kind
from gwbroker.coincidence.pair import Pair
from gwbroker.coincidence.pairs import PAIRS, find, fitting, load, read
from gwbroker.errors import CoincidenceError


@pytest.mark.parametrize(("kinds", "group", "experiment", "window", "per_year"), [
    (("gw", "grb"), "cbc", None, (-5, 1), 325),
    (("gw", "grb"), "burst", None, (-600, 60), 325),
    (("gw", "subgrb"), None, "Fermi", (-11, 1), 390),
    (("gw", "subgrb"), None, "swift", (-20, 10), 390),
    (("gw", "frb"), "CBC", None, (-10, 2), 485),
    (("gw", "frb"), "burst", None, (-600, 120), 485),
    (("gw", "neutrino"), "cbc", None, (-10, 10), 15),
    (("gw", "neutrino"), "burst", None, (-500, 500), 15),
    (("gw", "supernova"), None, None, (-10, 10), 0.01),
])
def test_windows_and_rates_are_those_of_the_low_latency_search(
        kinds, group, experiment, window, per_year):
    pair = find(*kinds, group, experiment)
    assert pair.window == window
    assert pair.rate * YEAR == pytest.approx(per_year)


def test_every_number_of_the_table_has_its_source():
    for pair in PAIRS:
        assert pair.source
        assert pair.rate_source or pair.rate is None
        assert pair.far_source or pair.far_max is None


def test_no_two_pairs_of_the_table_are_the_same():
    assert len({pair.name for pair in PAIRS}) == len(PAIRS)


def test_a_burst_follows_its_merger():
    """Matter has to fall in before a jet breaks out, so that the light comes after the merger."""
    pair = find("gw", "grb", "cbc")
    merger = 1187008882.43  # GW170817, GPS
    assert pair.includes(merger, merger + 1.74)  # GRB 170817A
    assert pair.includes(merger, merger + 5)
    assert not pair.includes(merger, merger + 5.01)
    assert pair.includes(merger, merger - 1)
    assert not pair.includes(merger, merger - 1.01)


def test_a_fast_radio_burst_may_come_later_than_earlier():
    pair = find("gw", "frb", "cbc")
    assert pair.includes(0, 10)
    assert not pair.includes(0, -3)


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_time_that_is_none_is_in_no_window(time):
    assert not PAIRS[0].includes(time, 0)
    assert not PAIRS[0].allows(time)


def test_kinds_have_aliases_and_no_order():
    assert find("GW", "HEN") is find("neutrino", "gw")
    assert find("snews", "gw").kinds == ("gw", "supernova")
    assert kind(" Sub_GRB ") == "subgrb"
    assert kind("Blitze") == "blitze"


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_kind_without_a_name_is_refused(name):
    with pytest.raises(CoincidenceError, match="kind"):
        kind(name)


def test_without_group_or_experiment_the_first_of_the_table_is_taken():
    assert find("gw", "grb").group == "cbc"
    assert find("gw", "subgrb").experiment == "fermi"
    assert len(fitting("gw", "grb")) == 2


def test_a_pair_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(CoincidenceError, match="only gw and grb, gw and subgrb"):
        find("gw", "xray")
    with pytest.raises(CoincidenceError, match="gw-grb-cbc, gw-grb-burst, not test"):
        find("gw", "grb", "test")
    with pytest.raises(CoincidenceError, match="not hubble"):
        find("gw", "subgrb", experiment="hubble")


def test_a_pair_of_ones_own_is_read_and_comes_before_the_others():
    own = read([{"kinds": ["XRay", "neutrino"], "window": [-500, 500], "rate_per_year": 15},
                {"kinds": ["gw", "grb"], "window": [-2, 2], "rate": 1e-5, "source": "我们的论文",
                 "far_max": [1e-5, 1e-4]}])
    assert own[0] == Pair(("xray", "neutrino"), (-500, 500), "coincidences[0]", rate=15 / YEAR)
    assert find("gw", "grb", "burst", pairs=(*own, *PAIRS)).window == (-2, 2)
    assert find("gw", "frb", pairs=(*own, *PAIRS)).window == (-10, 2)
    assert read({"mine": {"kinds": ["a", "b"], "window": [0, 1]}})[0].source == "coincidences.mine"


@pytest.mark.parametrize(("table", "problem"), [
    ({"kinds": ["a", "b"]}, r"coincidences\[0\].window: is missing"),
    ({"window": [0, 1]}, r"kinds: is missing"),
    ({"kinds": ["a"], "window": [0, 1]}, "is not a pair of names"),
    ({"kinds": "ab", "window": [0, 1]}, "is not a pair of names"),
    ({"kinds": ["a", ""], "window": [0, 1]}, "is not the name of a kind"),
    ({"kinds": ["a", "b"], "window": [1, 0]}, "does not go from a lower to an upper bound"),
    ({"kinds": ["a", "b"], "window": "1"}, "window"),
    ({"kinds": ["a", "b"], "window": [0, 1], "rat": 1}, r"\.rat: is unknown; there are kinds"),
    ({"kinds": ["a", "b"], "window": [0, 1], "rate": -1}, "rate: -1 Hz"),
    ({"kinds": ["a", "b"], "window": [0, 1], "rate": 1, "rate_per_year": 1}, "given twice"),
    ({"kinds": ["a", "b"], "window": [0, 1], "rate_per_year": "few"}, "is not a number"),
    ({"kinds": ["a", "b"], "window": [0, 1], "rate_per_year": math.nan}, "rate: nan Hz"),
    ({"kinds": ["a", "b"], "window": [0, 1], "group": 3}, "group: 3 is not text"),
    ({"kinds": ["a", "b"], "window": [0, 1], "far_max": [1]}, "is not a pair of rates"),
    ({"kinds": ["a", "b"], "window": [0, 1], "far_max": [0, 1e-5]}, "would admit nothing"),
    ({"kinds": ["a", "b"], "window": [0, 1], "publish": "no"}, "not joint, targeted or first"),
    ("a b", "is not a table"),
])
def test_a_pair_of_ones_own_that_is_none_is_refused_by_key(table, problem):
    with pytest.raises(CoincidenceError, match=problem):
        read([table])


def test_what_is_no_list_of_tables_is_refused():
    with pytest.raises(CoincidenceError, match="not a list of tables"):
        read("gw grb")


def test_pairs_are_read_from_a_file(tmp_path):
    file = tmp_path / "paires-é.toml"
    file.write_text('[[coincidences]]\nkinds = ["frb", "neutrino"]\nwindow = [-1, 1]\n')
    assert load(file)[0].kinds == ("frb", "neutrino")
    for content, problem in ((b"x =", "is no TOML"), (b"\xff", "is no TOML"),
                             (b"x = 1", "no table"), (b"coincidences = 3", "no table")):
        file.write_bytes(content)
        with pytest.raises(CoincidenceError, match=problem):
            load(file)
    with pytest.raises(CoincidenceError, match="cannot be read"):
        load(tmp_path / "absent.toml")
