"""``gwbroker coincidence far`` and ``windows``."""

import json

import pytest
from click.testing import CliRunner

from gwbroker.cli import gwbroker
from gwbroker.coincidence.far import YEAR, targeted, untargeted
from gwbroker.coincidence.pairs import PAIRS, find


def run(*arguments, code=0):
    """Run a command; return what it wrote."""
    found = CliRunner().invoke(gwbroker, ["coincidence", *map(str, arguments)])
    assert found.exit_code == code, found.output
    return found.output


def far(*arguments):
    """Return what ``far`` writes as JSON."""
    return json.loads(run("far", *arguments, "--json"))


def test_the_untargeted_rate_with_its_window_and_source():
    found = far("--kinds", "gw", "grb", "--far-gw", 1e-9)
    pair = find("gw", "grb")
    assert found["far"] == pytest.approx(untargeted(1e-9, 325 / YEAR, (-5, 1)), rel=1e-12)
    assert found["far"] == found["far_time"]
    assert found["window"] == [-5, 1]
    assert found["window_of"] == "t(gw) - t(grb)"
    assert found["source"] == pair.source
    assert found["targeted"] is False
    assert found["overlap"] is None
    assert found["publish"] is False
    assert "first" not in found


def test_the_kinds_may_be_given_in_either_order():
    assert far("--kinds", "GRB", "GW", "--far-gw", 1e-9) == far(
        "--kinds", "gw", "grb", "--far-gw", 1e-9)


def test_the_overlap_divides_the_rate():
    found = far("--kinds", "gw", "grb", "--far-gw", 1e-9, "--overlap", 25)
    assert found["far"] == pytest.approx(found["far_time"] / 25)
    assert found["publish"] is True
    assert found["reasons"] == []
    none = far("--kinds", "gw", "grb", "--far-gw", 1e-9, "--overlap", 0)
    assert none["far"] is None
    assert none["overlap"] == 0
    assert none["reasons"] == ["the positions exclude each other"]


def test_with_both_rates_the_search_is_a_targeted_one():
    for experiment, window in (("fermi", (-11, 1)), ("Swift", (-20, 10))):
        found = far("--kinds", "gw", "subgrb", "--far-gw", 1e-7, "--far-ext", 1e-5,
                    "--experiment", experiment)
        assert found["targeted"] is True
        assert found["window"] == list(window)
        assert found["far"] == pytest.approx(
            targeted(1e-7, 1e-5, window, *found["far_max"]), rel=1e-12)
    assert far("--kinds", "gw", "grb", "--far-gw", 1e-7, "--far-ext", 1e-5)["targeted"] is True


def test_the_largest_rates_of_a_targeted_search_can_be_given():
    found = far("--kinds", "gw", "frb", "--far-gw", 1e-7, "--far-ext", 1e-5,
                "--far-gw-max", 1e-6, "--far-ext-max", 1e-3)
    assert found["far"] == pytest.approx(targeted(1e-7, 1e-5, (-10, 2), 1e-6, 1e-3), rel=1e-12)
    found = far("--kinds", "gw", "grb", "--far-gw", 5e-5, "--far-ext", 1e-5, "--far-gw-max", 1e-4)
    assert found["far_max"] == [1e-4, 1e-4]
    assert "--far-ext-max" in run(
        "far", "--kinds", "gw", "frb", "--far-gw", 1e-7, "--far-ext", 1e-5, code=2)


@pytest.mark.parametrize(("arguments", "window"), [
    (("gw", "grb", "--group", "burst"), [-600, 60]), (("gw", "hen"), [-10, 10]),
    (("gw", "snews"), [-10, 10]), (("gw", "frb", "--group", "BURST"), [-600, 120])])
def test_kinds_have_aliases_and_groups(arguments, window):
    assert far("--kinds", *arguments, "--far-gw", 1e-9)["window"] == window


def test_the_threshold_is_that_of_the_search():
    burst = far("--kinds", "gw", "grb", "--group", "burst", "--far-gw", 1e-9)
    assert burst["trials_factor"] == 6
    merger = far("--kinds", "gw", "grb", "--far-gw", 1e-9, "--search", "earlywarning")
    assert merger["trials_factor"] == 12
    assert "no rule" in run("far", "--kinds", "gw", "grb", "--far-gw", 1e-9, "--search", "x",
                            code=2)


def test_the_search_for_bursts_has_the_window_of_bursts():
    found = far("--kinds", "gw", "grb", "--far-gw", 1e-8, "--search", "burst")
    assert (found["group"], found["window"], found["trials_factor"]) == ("burst", [-600, 60], 6)


@pytest.mark.parametrize(("arguments", "said"), [
    (("gw", "grb", "--far-gw", "2"), "--far-gw: 2 Hz .* divide one per year by 31,536,000"),
    (("gw", "grb", "--far-gw", "nan"), "--far-gw: nan Hz"),
    (("gw", "grb", "--far-gw", "-1e-9"), "--far-gw: -1e-09 Hz"),
    (("gw", "grb", "--far-gw", "1e-9", "--far-ext", "inf"), "--far-ext: inf Hz"),
    (("gw", "grb", "--far-gw", "1e-9", "--far-ext", "1e-3"), "above 0.0001 Hz"),
    (("gw", "grb", "--far-gw", "1e-9", "--overlap", "-3"), "overlap: -3"),
    (("gw", "xray", "--far-gw", "1e-9"), "no pair of gw and xray"),
    (("gw", "grb", "--far-gw", "1e-9", "--group", "test"), "only gw-grb-cbc, gw-grb-burst"),
    (("gw", "grb"), "Missing option '--far-gw'"),
])
def test_what_makes_no_sense_is_refused_with_the_remedy(arguments, said):
    import re

    found = run("far", "--kinds", *arguments, code=2)
    assert re.search(said, found)
    assert "Traceback" not in found


def test_a_rate_of_zero_is_published():
    found = far("--kinds", "gw", "grb", "--far-gw", 0, "--overlap", 2)
    assert found["far"] == 0
    assert found["publish"] is True


def test_people_read_sentences():
    said = run("far", "--kinds", "gw", "grb", "--far-gw", 1e-9, "--overlap", 12)
    assert "once in" in said
    assert "t(gw) - t(grb) in [-5, 1] s (GWCelery" in said
    assert "may be published" in said
    said = run("far", "--kinds", "gw", "grb", "--far-gw", 1e-5, "--overlap", 0)
    assert "infinite" in said
    assert "not to be published: the positions exclude each other" in said
    assert "once in 512,821 years" in run("far", "--kinds", "gw", "grb", "--far-gw", 1e-9)
    assert "0 Hz, never" in run("far", "--kinds", "gw", "grb", "--far-gw", 0)


def test_pairs_of_ones_own_come_from_a_file(tmp_path):
    file = tmp_path / "mes-paires-é.toml"
    file.write_text(
        '[[coincidences]]\nkinds = ["xray", "neutrino"]\nwindow = [-500, 500]\n'
        'rate_per_year = 30\nsource = "我们"\n', encoding="utf-8")
    found = far("--kinds", "neutrino", "xray", "--far-first", 1e-6, "--pairs", file)
    assert found["kinds"] == ["xray", "neutrino"]
    assert found["far"] == pytest.approx(1000 * 30 / YEAR * 1e-6)
    assert found["source"] == "我们"
    listed = json.loads(run("windows", "--pairs", file, "--json"))
    assert listed[0]["kinds"] == ["xray", "neutrino"]
    file.write_text("[[coincidences]]\nkinds = 3\n")
    assert "window: is missing" in run("windows", "--pairs", file, code=2)


def test_pairs_of_the_settings_come_first(tmp_path, monkeypatch):
    from gwbroker import conf

    file = tmp_path / "gwbroker.toml"
    file.write_text('[[coincidences]]\nkinds = ["gw", "grb"]\nwindow = [-2, 3]\n')
    monkeypatch.setenv("GWBROKER_CONFIG", str(file))
    conf.settings.cache_clear()
    try:
        assert json.loads(run("windows", "--json"))[0]["window"] == [-2, 3]
    finally:
        conf.settings.cache_clear()


def test_the_windows_are_listed_with_their_sources():
    listed = json.loads(run("windows", "--json"))
    assert [each["name"] for each in listed] == [pair.name for pair in PAIRS]
    assert listed[0]["rate_per_year"] == pytest.approx(325)
    assert all(each["source"] for each in listed)
    said = run("windows")
    assert "gw-subgrb-swift" in said
    assert "[-600, 120]" in said
