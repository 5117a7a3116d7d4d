"""Two events that may be one: found whichever came first, assessed once, withdrawn if need be."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from gwbroker import jobs, products
from gwbroker.conf import settings
from gwbroker.errors import NoticeError
from gwbroker.ledger import engine
from gwbroker.report import Cone, Embedded, Report
from gwbroker.tasks import skymaps

from .stage import (
    NUMBERS,
    T0,
    burst,
    dead,
    event,
    merger,
    plain,
    record,
    run_again,
    run_everything,
    unfinished,
)

pytestmark = pytest.mark.usefixtures("alone")

YEAR = 365 * 86400.0


def coincidences(name: str) -> list[dict[str, Any]]:
    return event(name)["facts"].get("coincidences", [])


def both(*more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the jobs that draw nothing, and these; return what both events say of each other."""
    run_everything(*NUMBERS, *more)
    (ours,), (theirs,) = coincidences("S170817a"), coincidences("fermi:524666471")
    for key in set(ours) - {"event", "name"}:
        assert ours[key] == theirs[key], key
    return ours, theirs


def test_a_merger_and_a_burst_are_assessed_on_both_events() -> None:
    record(merger(), b"{1}")
    record(burst(), b"{2}")
    ours, theirs = both("plot", "illustrate")
    assert not dead()
    assert (ours["name"], theirs["name"]) == ("GRB 170817A", "S170817a")
    assert ours["offset"] == -2.04
    assert ours["window"] == [-5, 1]
    # 6 s of a window, 325 bursts a year, and the rate of false mergers.
    assert ours["far_time"] == pytest.approx(6 * 325 / YEAR * 4e-13)
    assert ours["far"] == pytest.approx(ours["far_time"] / ours["overlap"])
    assert ours["overlap"] > 1
    assert ours["publish"] is True
    made = {p["kind"]: p for p in event("S170817a")["products"]}
    assert {"coincidence", "combined", "coherence", "coherence-dark"} <= set(made)
    written = json.loads((products.folder() / made["coincidence"]["path"]).read_text())
    assert {e["map_sha256"] for e in written["events"]} == {
        p["sha256"] for name in ("S170817a", "fermi:524666471")
        for p in event(name)["products"] if p["kind"] == "skymap"}
    assert made["combined"]["facts"]["overlap"] == pytest.approx(ours["overlap"])
    assert made["combined"]["facts"]["area_90"] < event("S170817a")["facts"]["area_90"]


def test_maps_that_nearly_exclude_each_other_are_shown_and_not_combined() -> None:
    record(merger(), b"{1}")
    record(burst(localization=Cone(150.0, -30.0, 5.0, 0.9, "a test")), b"{2}")
    ours, _ = both("plot", "illustrate")
    assert not dead()
    assert 0 < ours["overlap"] < 1e-3
    made = {p["kind"] for p in event("S170817a")["products"]}
    assert {"coherence", "coherence-dark"} <= made
    assert "combined" not in made
    numbers = event("S170817a")["id"], event("fermi:524666471")["id"]
    with pytest.raises(NoticeError, match=r"GRB 170817A: its overlap .* they are not of one sour"):
        skymaps.combine(*numbers)


@pytest.mark.parametrize("late", [False, True])
def test_the_order_of_arrival_makes_no_difference(
    late: bool, tmp_path: Any, environment: pytest.MonkeyPatch, sqlite_template: Any,
) -> None:
    import shutil

    seen = []
    reports = {"1": merger(), "2": burst()}
    for number, order in enumerate(itertools.permutations(reports)):
        home = tmp_path / f"home{number}"
        home.mkdir()
        shutil.copy(sqlite_template, home / "ledger.sqlite")
        environment.setenv("GWBROKER_HOME", str(home))
        settings.cache_clear()
        engine.dispose()
        for which in order:
            record(reports[which], which.encode())
            if late:
                # The second one comes when the first is all done.
                run_everything(*NUMBERS)
        ours, _ = both()
        for key in ("event", "product", "signature"):
            ours.pop(key)
        seen.append(ours)
    assert seen[0] == seen[1]


def test_everything_run_twice_gives_the_same_products_and_rows() -> None:
    record(merger(), b"{1}")
    record(burst(), b"{2}")
    both()
    numbers = event("S170817a")["id"], event("fermi:524666471")["id"]
    skymaps.combine(*numbers)
    before = [plain(event(str(number))) for number in numbers]
    run_again()
    both()
    skymaps.combine(*numbers)
    assert [plain(event(str(number))) for number in numbers] == before


def test_a_retraction_withdraws_the_coincidence_on_both_events() -> None:
    record(merger(), b"{1}", 1)
    record(burst(), b"{2}", 2)
    both()
    record(merger(localization=None, retracted=True, alert="retraction", t0=None), b"{3}", 3)
    ours, _ = both()
    assert ours["withdrawn"] == "S170817a was retracted"
    assert ours["publish"] is False
    # And it comes back with the event.
    record(merger(localization=None), b"{4}", 4)
    ours, _ = both()
    assert (ours["withdrawn"], ours["publish"]) == (None, True)


def test_a_better_time_can_end_a_coincidence() -> None:
    record(merger(), b"{1}", 1)
    record(burst(), b"{2}", 2)
    both()
    record(burst(seconds=400.0, localization=None), b"{3}", 3)
    ours, _ = both()
    assert ours["withdrawn"] == "they do not fit together any more"


def test_a_map_that_cannot_be_read_hides_no_coincidence_in_time() -> None:
    record(merger(), b"{1}")
    record(burst(localization=Embedded("skymap")), b"{2}")
    ours, _ = both()
    assert len(dead()) == 1
    assert event("fermi:524666471")["flags"]
    assert ours["far_time"] == pytest.approx(6 * 325 / YEAR * 4e-13)
    assert ours["overlap"] is None


def test_a_worker_that_was_slow_puts_no_older_assessment_in_the_place_of_a_newer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gwbroker.tasks import assessment

    record(merger(), b"{1}", 1)
    record(burst(), b"{2}", 2)
    run_everything("localize")
    assess = assessment.assess
    slow: list[bool] = []

    def meanwhile(*args: Any) -> Any:
        result = assess(*args)
        if not slow:
            slow.append(True)
            # What is known gets better, and another worker is done with it first.
            record(merger(localization=None, facts={"far_hz": 1e-9}), b"{3}", 3)
            run_everything("coincide")
            jobs.run(max(job["id"] for job in unfinished()
                         if job["handler"].endswith(".assess")))
        return result

    monkeypatch.setattr(assessment, "assess", meanwhile)
    ours, _ = both()
    assert ours["far_time"] == pytest.approx(6 * 325 / YEAR * 1e-9)
    (made,) = [p for p in event("S170817a")["products"] if p["kind"] == "coincidence"]
    assert json.loads((products.folder() / made["path"]).read_text())["far"] == ours["far"]
    assert made["facts"]["far"] == ours["far"]


@pytest.mark.parametrize("role", ["test", "mock"])
def test_what_is_not_real_never_coincides_with_what_is(role: str) -> None:
    record(merger(), b"{1}")
    record(burst(role=role), b"{2}")
    run_everything(*NUMBERS)
    assert coincidences("S170817a") == coincidences("fermi:524666471") == []


@pytest.mark.parametrize(("seconds", "fits"), [
    (5.0, True), (5.1, False), (-1.0, True), (-1.1, False)])
def test_the_window_counts_from_the_burst_to_the_merger(seconds: float, fits: bool) -> None:
    record(merger(localization=None), b"{1}")
    record(burst(seconds=seconds, localization=None), b"{2}")
    run_everything()
    found = coincidences("S170817a")
    assert bool(found) is fits
    if found:
        assert (found[0]["overlap"], found[0]["publish"]) == (None, False)
        assert "there are not maps of both events" in found[0]["reasons"]


def test_a_pair_of_the_settings_is_compared(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GWBROKER_COINCIDENCES", json.dumps([
        {"kinds": ["frb", "neutrino"], "window": [-100, 100], "rate_per_year": 15}]))
    settings.cache_clear()
    for number, kind in enumerate(("neutrino", "frb")):
        record(Report(kind, kind, (f"a:{kind}",), t0=T0, facts={"far_hz": 1e-9}),
               str(number).encode())
    run_everything()
    (found,) = coincidences("a:frb")
    assert (found["pair"], found["far"]) == ("frb-neutrino", pytest.approx(200 * 15 / YEAR * 1e-9))
