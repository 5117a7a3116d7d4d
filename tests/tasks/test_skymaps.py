"""From what a notice says of a position to maps, numbers and pictures."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gwbroker import jobs, products
from gwbroker.intake import accept
from gwbroker.ledger import engine, events
from gwbroker.ledger import jobs as job_rows
from gwbroker.notice import Notice
from gwbroker.report import Cone, Ellipse, Embedded, Polygon, Report, pack, unpack
from gwbroker.skymap import fits, make
from gwbroker.tasks import events as event_tasks
from gwbroker.tasks import skymaps, subject

from .stage import unfinished

PNG = b"\x89PNG\r\n\x1a\n"


LATER = ("annotate", "plot_volume", "plan")


def run_everything() -> None:
    """Run every job in this process, as workers would, but those that come after the pictures."""
    while left := [job["id"] for job in unfinished()
                   if job["handler"].rpartition(".")[2] not in LATER]:
        jobs.run(left[0])


def event(name: str) -> dict[str, Any]:
    with engine.read() as connection:
        number = events.search(connection, name)
        assert number is not None
        return events.listing(connection, number=number)[0]


def record(report: Report, payload: bytes = b"{}") -> int:
    kept = accept([Notice(payload, topic="replay")])[0]
    return event_tasks.record(Notice(payload, topic="replay", id=kept.id), report)


@pytest.fixture(autouse=True)
def no_wire(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs._wire, "_silent_until", float("inf"))


LOCALIZATIONS = [
    Cone(197.45, -23.38, 2.0, 0.9, "a test"),
    Ellipse(10.0, 20.0, 0.3, 0.2, 153.0, 0.9),
    Polygon(((10.0, 10.0), (12.0, 10.0), (12.0, 12.0), (10.0, 12.0)), 0.9),
    Embedded("event.skymap"),
]


@pytest.mark.parametrize("localization", LOCALIZATIONS, ids=lambda x: type(x).__name__)
def test_a_localization_survives_the_way_through_a_job(localization: Any) -> None:
    assert unpack(json.loads(json.dumps(pack(localization)))) == localization


@pytest.mark.parametrize("localization", LOCALIZATIONS[:3], ids=lambda x: type(x).__name__)
def test_a_position_becomes_a_map_a_summary_and_two_pictures(localization: Any) -> None:
    record(Report("grb", "GRB 1", ("test:1",), localization=localization))
    run_everything()
    row = event("GRB 1")
    made = {p["kind"]: products.folder() / p["path"] for p in row["products"]}
    assert set(made) == {"skymap", "summary", "allsky", "zoom"}
    assert made["allsky"].read_bytes().startswith(PNG)
    assert made["zoom"].read_bytes().startswith(PNG)
    summary = json.loads(made["summary"].read_text())
    assert summary["area_50"] < summary["area_90"]
    assert summary["area_90"] == pytest.approx(row["facts"]["area_90"])
    assert fits.read(made["skymap"]).prob.sum() == pytest.approx(1)
    if isinstance(localization, Cone):
        # A small circle of 2 degrees that holds 90 per cent.
        assert summary["area_90"] == pytest.approx(12.56, rel=0.02)
        assert summary["provenance"]["containment"] == "a test"


def gwalert(tmp_path: Path, **changes: Any) -> bytes:
    path = tmp_path / "map.fits"
    fits.write(make.cone(30.0, 40.0, 10.0, 0.9), path, {})
    content = changes.pop("skymap", base64.b64encode(path.read_bytes()).decode())
    return json.dumps({
        "alert_type": "PRELIMINARY", "superevent_id": "MS260101a",
        "time_created": "2026-01-01T00:01:00Z", "urls": {},
        "event": {"time": "2026-01-01T00:00:00Z", "far": 1e-9, "skymap": content, **changes},
    }).encode()


def test_an_alert_with_a_map_ends_in_pictures_and_is_a_mock(tmp_path: Path) -> None:
    accept([Notice(gwalert(tmp_path), topic="igwn.gwalert")])
    run_everything()
    row = event("MS260101a")
    assert (row["kind"], row["role"], row["state"]) == ("gw", "mock", "open")
    assert {p["kind"] for p in row["products"]} == {"skymap", "summary", "allsky", "zoom"}
    assert row["facts"]["area_90"] == pytest.approx(314, rel=0.02)


@pytest.mark.parametrize(("skymap", "says"), [
    (base64.b64encode(b"SIMPLE  = nonsense").decode(), "FITS"),
    ("", "event.skymap"),
    ("%%%not base64%%%", "base64"),
])
def test_a_map_that_cannot_be_read_flags_its_event_or_kills_its_job(
    tmp_path: Path, skymap: str, says: str,
) -> None:
    accept([Notice(gwalert(tmp_path, skymap=skymap), topic="igwn.gwalert")])
    run_everything()
    with engine.read() as connection:
        dead = [job["error"] for job in job_rows.listing(connection, state="dead")]
    flags = [flag["problem"] for flag in event("MS260101a")["flags"]]
    assert any(says in text for text in dead + flags), (dead, flags)
    assert event("MS260101a")["products"] == []


def test_the_same_notice_gives_the_same_bytes(tmp_path: Path) -> None:
    report = Report("grb", "GRB 2", ("test:2",), localization=Cone(1.0, 2.0, 3.0, 0.9))
    number = record(report)
    run_everything()
    before = {p["path"]: p["sha256"] for p in event("GRB 2")["products"]}
    notice = event("GRB 2")["notices"][0]
    assert report.localization is not None
    skymaps.localize(number, notice, 1, pack(report.localization))
    run_everything()
    assert {p["path"]: p["sha256"] for p in event("GRB 2")["products"]} == before


def test_the_area_of_an_event_is_that_of_the_notice_issued_last() -> None:
    history = [{"notice_id": 1, "issued": 20.0, "revision": 1},
               {"notice_id": 2, "issued": 10.0, "revision": 2}]
    assert subject.newest(history, 1, None)
    assert not subject.newest(history, 2, 1)
    assert subject.newest(history, 1, 2)


def test_a_hostile_name_stays_inside_the_folder_of_products() -> None:
    record(Report("grb", "../../etc/passwd\x00", ("test:3",),
                  localization=Cone(1.0, 2.0, 3.0, 0.9)))
    run_everything()
    for product in event("../../etc/passwd\x00")["products"]:
        file = (products.folder() / product["path"]).resolve()
        assert file.is_relative_to(products.folder().resolve())
        assert file.is_file()


def test_a_name_that_changes_leaves_the_products_where_they_are() -> None:
    record(Report("neutrino", "IceCube 1_2", ("icecube:1_2",),
                  localization=Cone(1.0, 2.0, 3.0, 0.9)), b"{1}")
    run_everything()
    record(Report("neutrino", "IceCube-260101A", ("icecube:1_2",),
                  localization=Cone(1.0, 2.0, 2.0, 0.9)), b"{2}")
    run_everything()
    folders = {p["path"].split("/")[0] for p in event("icecube:1_2")["products"]}
    assert len(folders) == 1
