"""What a follow-up team wants of a map, made after people were told."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table

from gwbroker import jobs, products
from gwbroker.catalogues import add
from gwbroker.conf import settings
from gwbroker.report import Cone, Embedded
from gwbroker.skymap import fits, make
from gwbroker.skymap.distances import parameters
from gwbroker.skymap.volume import Volume
from gwbroker.tasks import annotations, skymaps

from .stage import (
    NUMBERS,
    dead,
    event,
    merger,
    parts,
    plain,
    record,
    run_again,
    run_everything,
    unfinished,
)

pytestmark = pytest.mark.usefixtures("alone")

PNG = b"\x89PNG\r\n\x1a\n"


def alert(tmp_path: Path, **distance: float) -> bytes:
    """Return an alert with a small map, with distances if a mean is given."""
    skymap = make.cone(197.45, -23.38, 4.0, 0.9)
    if distance:
        mu, sigma, norm = parameters(distance["mean"], distance["std"])
        skymap = replace(skymap, **{
            name: np.full(skymap.cells, float(value)) for name, value in (
                ("distmu", mu), ("distsigma", sigma), ("distnorm", norm))})
    path = tmp_path / "map.fits"
    fits.write(skymap, path, {})
    return json.dumps({"superevent_id": "S170817a", "event": {
        "skymap": base64.b64encode(path.read_bytes()).decode()}}).encode()


def galaxies(tmp_path: Path, home: Path) -> None:
    """Add a catalogue of a few made-up galaxies."""
    table = tmp_path / "galaxies.csv"
    table.write_text("name,ra,dec,distance,luminosity\n" + "".join(
        f"made up {n},{197.45 + 0.3 * n},{-23.38 + 0.2 * n},{40 + n},{1e10 / (n + 1)}\n"
        for n in range(12)))
    add(table, home / "catalogues" / "made-up", "table", "made-up")


@pytest.fixture
def configured(home: Path, tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    """A catalogue, two sites and a telescope in the settings."""
    galaxies(tmp_path, home)
    environment.setenv("GWBROKER_CATALOGUES", "made-up")
    environment.setenv("GWBROKER_SITES", "paranal, 20.81 -32.38 1798")
    environment.setenv("GWBROKER_TELESCOPES", json.dumps(
        {"ours": {"preset": "decam", "exposure": 120}}))
    settings.cache_clear()


def record_alert(payload: bytes, minutes: float = 1) -> None:
    record(merger(localization=Embedded("event.skymap")), payload, minutes, "igwn.gwalert")


@pytest.mark.usefixtures("configured")
def test_a_merger_ends_with_all_that_a_follow_up_team_wants(tmp_path: Path) -> None:
    record_alert(alert(tmp_path, mean=40.0, std=8.0))
    run_everything()
    assert not dead()
    row = event("S170817a")
    kinds = Counter(p["kind"] for p in row["products"])
    assert kinds == {
        "skymap": 1, "summary": 1, "allsky": 1, "zoom": 1, "allsky-dark": 1, "zoom-dark": 1,
        "volume": 1, "volume-dark": 1, "areas": 1, "moc": 1, "view": 1, "galaxies": 2,
        "zoom-galaxies": 1, "observability": 2, "plan": 3}
    for product in row["products"]:
        file = products.folder() / product["path"]
        assert file.suffix != ".png" or file.read_bytes().startswith(PNG)
        assert product["notice"] == row["notices"][0]
    made = {p["kind"]: p for p in row["products"]}
    for kind in ("allsky", "zoom", "volume", "allsky-dark", "zoom-dark", "volume-dark"):
        assert made[kind]["facts"]["alt"].startswith("Sky map of S170817a"), kind
    files = {kind: products.folder() / p["path"] for kind, p in made.items()}
    wanted = Volume(fits.read(files["skymap"])).credible_volumes([0.9])[0]
    assert row["facts"]["volume_90"] == pytest.approx(wanted)
    assert made["moc"]["facts"]["area"] == pytest.approx(row["facts"]["area_90"], rel=0.02)
    with astropy_fits.open(files["moc"]) as hdus:
        assert len(hdus[1].data)
    assert json.loads(files["view"].read_text())["title"] == "S170817a"
    best = row["facts"]["galaxies"]["made-up"]["best"]
    assert best[0]["name"] == "made up 0"
    seen = row["facts"]["observability"]
    # The night after the alert, of 2017, whenever it is replayed.
    assert set(seen) == {"paranal", "20.81 -32.38 1798"}
    assert seen["paranal"]["start"].startswith("2017-08-17")
    plan = row["facts"]["plans"]["ours"]
    assert plan["exposures"] >= 1
    (ecsv,) = [products.folder() / p["path"] for p in row["products"]
               if p["kind"] == "plan" and p["path"].endswith(".ecsv")]
    assert set(Table.read(ecsv)["exposure"]) == {120.0}


def test_everything_run_twice_gives_the_same_products_and_rows(tmp_path: Path) -> None:
    record_alert(alert(tmp_path))
    run_everything()
    before = plain(event("S170817a"))
    run_again()
    run_everything()
    assert plain(event("S170817a")) == before
    assert not dead()


def steps(*names: str, **more: Any) -> dict[str, Any]:
    """Return these of the real steps, and others."""
    return {name: annotations.STEPS[name] for name in names} | more


def test_a_job_that_dies_halfway_is_made_whole_by_the_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts: list[int] = []

    def killed_at_first(subject: Any, skymap: Any) -> None:
        annotations._region(subject, skymap)
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("killed")

    monkeypatch.setattr(annotations, "STEPS", steps(
        "areas and volumes", "view", region=killed_at_first))
    record(merger())
    run_everything("localize", "plot", "coincide", "annotate")
    assert len(attempts) == 2
    halfway = plain(event("S170817a"))
    assert {"areas", "moc", "view"} <= {p["kind"] for p in halfway["products"]}
    assert len({p["path"] for p in halfway["products"]}) == len(halfway["products"])
    run_again()
    assert plain(event("S170817a")) == halfway


def test_what_kills_one_annotation_each_time_takes_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(subject: Any, skymap: Any) -> None:
        raise OSError(5, "Input/output error", "galaxies.parquet")

    monkeypatch.setattr(annotations, "STEPS", {"galaxies": damaged, **steps("region", "view")})
    monkeypatch.setattr(jobs.callees[f"{annotations.__name__}.annotate"].__class__, "pause",
                        lambda self, attempts: 0.0)
    record(merger())
    run_everything("localize", "plot", "coincide", "annotate")
    (problem,) = dead()
    assert "galaxies.parquet" in problem
    assert {"moc", "view"} <= {p["kind"] for p in event("S170817a")["products"]}


def test_annotations_that_are_asked_for_by_hand_are_asked_for_once() -> None:
    number = record(merger())
    run_everything("localize", "plot", "coincide")
    asked = parts()
    row = event("S170817a")
    (path,) = [p["path"] for p in row["products"] if p["kind"] == "skymap"]
    assert [name for name, *_ in asked] == list(annotations.STEPS)
    for step in ([], ["nonsense"]):
        jobs.submit(annotations.annotate, number, row["notices"][0], path, *step)
        (mine,) = [job for job in unfinished() if job["key"] is None]
        jobs.run(mine["id"])
    assert [part for part in parts() if part[-1] == "pending"] == asked
    (problem,) = dead()
    assert "nonsense" in problem
    assert "dark pictures" in problem


def test_people_are_told_before_the_rest_is_made() -> None:
    record(merger())
    run_everything("localize", "plot")
    made = {p["kind"] for p in event("S170817a")["products"]}
    assert made == {"skymap", "summary", "allsky", "zoom"}
    later = {job["handler"].rpartition(".")[2]: job["priority"] for job in unfinished()}
    assert later == {"annotate": 1, "plot_volume": 1, "plan": 1, "coincide": 0}


def test_a_retracted_event_gets_no_picture() -> None:
    record(merger(), b"{1}", 1)
    record(merger(localization=None, retracted=True, alert="retraction"), b"{2}", 2)
    run_everything()
    assert {p["kind"] for p in event("S170817a")["products"]} == {"skymap", "summary"}
    assert not dead()


def test_a_retraction_between_two_jobs_ends_the_drawing() -> None:
    record(merger(), b"{1}", 1)
    run_everything("localize", "plot")
    record(merger(localization=None, retracted=True, alert="retraction"), b"{2}", 2)
    run_everything()
    assert {p["kind"] for p in event("S170817a")["products"]} == {
        "skymap", "summary", "allsky", "zoom"}


def test_an_older_notice_that_comes_late_changes_no_fact_and_is_not_annotated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(annotations, "STEPS", steps("areas and volumes"))
    record(merger(localization=Cone(10.0, 20.0, 1.0, 0.9)), b"{1}", 60)
    run_everything("localize", "plot", "coincide", "annotate")
    before = event("S170817a")
    record(merger(), b"{2}", 1)
    run_everything()
    after = event("S170817a")
    assert after["facts"] == before["facts"]
    late = {p["kind"] for p in after["products"] if p["notice"] == after["notices"][1]}
    assert late == {"skymap", "summary", "allsky", "zoom"}


def test_a_map_is_compared_with_that_of_the_notice_issued_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(annotations, "STEPS", steps("changes"))
    record(merger(localization=Cone(10.0, 20.0, 4.0, 0.9)), b"{1}", 10)
    run_everything("localize", "plot", "coincide", "annotate")
    first = event("S170817a")
    assert "changes" not in first["facts"]
    # One without a map, and one that was issued first of all and comes late.
    record(merger(localization=None), b"{2}", 20)
    record(merger(localization=Cone(190.0, -20.0, 4.0, 0.9)), b"{3}", 1)
    record(merger(localization=Cone(11.0, 20.0, 2.0, 0.9)), b"{4}", 30)
    run_everything("localize", "plot", "coincide", "annotate")
    assert not dead()
    row = event("S170817a")
    told = row["facts"]["changes"]
    assert told["notice"] == first["notices"][0]
    assert told["moved"] == pytest.approx(np.cos(np.radians(20)), rel=0.1)
    assert told["area_90"] == [first["facts"]["area_90"], row["facts"]["area_90"]]
    assert told["distmean"] == [None, None]
    assert told["overlap"] > 100
    assert 0.9 < told["old_90_under_new"] <= 1
    (product,) = [p for p in row["products"] if p["kind"] == "changes"]
    assert product["notice"] == row["notices"][-1]
    stored = json.loads((products.folder() / product["path"]).read_text())
    assert stored["provenance"]["old"]["notice"] == told["notice"]
    assert stored["new"]["area_90"] == told["area_90"][1]


def test_a_catalogue_that_is_gone_keeps_nothing_else_from_being_made(
    configured: None, monkeypatch: pytest.MonkeyPatch, environment: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(annotations, "STEPS", steps("view", "galaxies", "observability"))
    environment.setenv("GWBROKER_CATALOGUES", "lost, made-up, mislaid")
    settings.cache_clear()
    record(merger())
    run_everything("localize", "plot", "coincide", "annotate")
    (problem,) = dead()
    assert "catalogues/lost" in problem
    assert "['lost', 'mislaid']" in problem
    assert list(event("S170817a")["facts"]["galaxies"]) == ["made-up"]
    made = {p["kind"] for p in event("S170817a")["products"]}
    assert {"view", "galaxies", "observability"} <= made


@pytest.mark.parametrize("role", ["test", "mock"])
def test_no_plan_is_made_for_what_is_not_real(role: Any, configured: None) -> None:
    record(merger(role=role))
    run_everything("localize", "plot", "coincide", "plan")
    assert "plan" not in {p["kind"] for p in event("S170817a")["products"]}


def test_two_maps_combine_into_one_beside_the_first() -> None:
    ours = record(merger(), b"{1}")
    theirs = record(merger("S170818b"), b"{2}")
    run_everything(*NUMBERS)
    jobs.submit(skymaps.combine, ours, theirs)
    run_everything("combine")
    (made,) = [p for p in event("S170817a")["products"] if p["kind"] == "combined"]
    found = fits.read(products.folder() / made["path"])
    assert found.prob.sum() == pytest.approx(1)
    assert made["facts"]["area_90"] < event("S170817a")["facts"]["area_90"]


@pytest.mark.parametrize(("where", "says"), [
    (Cone(17.45, 23.38, 0.01, 0.9), "overlap is 0"), (None, "no sky map")])
def test_maps_that_cannot_be_combined_say_why(where: Any, says: str) -> None:
    ours = record(merger(localization=Cone(197.45, -23.38, 0.01, 0.9)), b"{1}")
    theirs = record(merger("S170818b", localization=where), b"{2}")
    run_everything(*NUMBERS)
    jobs.submit(skymaps.combine, ours, theirs)
    run_everything("combine")
    (problem,) = dead()
    assert says in problem
