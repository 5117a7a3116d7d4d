"""Plans as files: table, ECSV, JSON, text; and field lists read."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from gwbroker.errors import SkyMapError
from gwbroker.observing import Limits, field_list
from gwbroker.observing.horizon import unit
from gwbroker.observing.plan import plan
from gwbroker.observing.planned import Exposure, Plan
from gwbroker.observing.schedule import Visits
from gwbroker.observing.telescopes import PRESETS, Telescope
from gwbroker.skymap import SkyMap
from gwbroker.skymap.footprint import probability
from gwbroker.skymap.moc import Moc
from gwbroker.skymap.overlays import Footprint

NOON = "2024-04-01T20:00:00Z"


@pytest.fixture(scope="module")
def made(wide: SkyMap) -> Plan:
    """A plan of many exposures, some fields left out."""
    return plan(wide, PRESETS["rubin"], NOON, hours=10)


def test_the_table_has_a_row_for_each_exposure_and_units(made: Plan) -> None:
    table = made.to_table()
    assert len(table) == len(made.exposures) > 20
    assert table["ra"].unit == table["moon"].unit == u.deg
    assert table["exposure"].unit == u.s
    assert table["cumulative"][-1] == made.covered
    assert table.meta["telescope"]["name"] == "Rubin"


def test_ecsv_is_read_again_by_astropy_with_its_numbers(made: Plan, tmp_path: Path) -> None:
    made.write(tmp_path / "plan.ecsv")
    again = QTable.read(tmp_path / "plan.ecsv")
    assert again["dec"].to_value("deg") == pytest.approx([e.dec for e in made.exposures], abs=1e-5)
    assert again["start"].tolist() == [e.start for e in made.exposures]
    assert again.meta["covered"] == made.covered


def test_json_has_every_exposure_and_what_was_left_out(made: Plan, tmp_path: Path) -> None:
    made.write(tmp_path / "plan.json")
    again = json.loads((tmp_path / "plan.json").read_text())
    assert [Exposure(**e) for e in again["exposures"]] == list(made.exposures)
    assert len(again["left_out"]) <= 200
    assert sum(s["fields"] for s in again["left_out_by_reason"].values()) == len(made.left_out)
    assert again["telescope"]["limits"]["airmass"] == 2.0


def test_text_is_for_people(made: Plan, tmp_path: Path) -> None:
    made.write(tmp_path / "plan.txt")
    text = (tmp_path / "plan.txt").read_text()
    assert text.startswith("Rubin at Vera C. Rubin Observatory")
    assert f"{len(made.exposures)} exposures cover" in text
    assert made.exposures[-1].start in text
    assert "left out:" in text


def test_one_exposure_is_told_in_the_singular(made: Plan) -> None:
    one = replace(made, exposures=made.exposures[:1], covered=0.123, left_out=made.left_out[:1])
    assert "1 exposure covers 12.3 %" in one.text()
    assert "left out: 1 field with" in one.text()


def test_an_empty_plan_is_written_too(narrow: SkyMap, tmp_path: Path) -> None:
    empty = plan(narrow, PRESETS["goto-south"], NOON, hours=1)
    assert not empty.exposures
    for suffix in ("ecsv", "json", "txt"):
        empty.write(tmp_path / f"plan.{suffix}")
    table = Table.read(tmp_path / "plan.ecsv")
    assert len(table) == 0
    assert "no dark time" in table.meta["reason"]
    assert empty.footprints() == []


@pytest.mark.parametrize("name", ["plan.pdf", "plan", "absent/plan.json"])
def test_a_plan_is_not_written_where_it_cannot_be(made: Plan, tmp_path: Path, name: str) -> None:
    with pytest.raises(SkyMapError, match=r"is not written as|cannot be written"):
        made.write(tmp_path / name)


def test_a_plan_that_cannot_be_written_leaves_the_old_one(
    made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("plan.ecsv", "plan.json", "plan.txt"):
        made.write(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(SkyMapError, match="cannot be written: No space left on device"):
                made.write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_the_footprints_are_the_edges_of_the_fields(made: Plan) -> None:
    footprints = made.footprints()
    assert len(footprints) == len({e.field for e in made.exposures})
    ra, dec = footprints[0]
    centre = unit(made.exposures[0].ra, made.exposures[0].dec)
    assert np.degrees(np.arccos(unit(ra, dec) @ centre)) == pytest.approx(1.75)


def test_the_fields_of_a_plan_in_json_are_drawn_as_footprints(
    made: Plan, wide: SkyMap, tmp_path: Path,
) -> None:
    tilted = Telescope("t", 9, 5, angle=30, site=made.telescope.site)
    for each, corners in ((made, 24), (plan(wide, tilted, NOON, hours=10), 4)):
        each.write(tmp_path / "plan.json")
        shape = Footprint.read(tmp_path / "plan.json").shape
        assert len(shape) == len(each.footprints())
        assert {len(polygon) for polygon in shape} == {corners}
        region = Moc.empty().union(*(Moc.from_polygon(polygon, level=7) for polygon in shape))
        assert probability(wide, region) == pytest.approx(each.covered, abs=0.01)


def test_a_field_list_is_read_in_any_format_with_its_units(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Name,RA,Dec\nß,10,20\nb,-10,-20\n", encoding="utf-8")
    fields = field_list.read(tmp_path / "a.csv")
    assert fields.names == ("ß", "b")
    assert fields.ra.tolist() == [10, 350]
    (tmp_path / "a.txt").write_text("ra dec\n1 2\n")
    assert field_list.read(tmp_path / "a.txt").names == ("1",)
    hours = QTable({"ra": [2.0] * u.hourangle, "dec": [600.0] * u.arcmin, "field_id": [7]})
    hours.write(tmp_path / "a.ecsv")
    # FITS has no hours.
    QTable({"ra": [30.0] * u.deg, "dec": [600.0] * u.arcmin, "ID": [7]}).write(tmp_path / "a.fits")
    for name in ("a.ecsv", "a.fits"):
        found = field_list.read(tmp_path / name)
        assert found.names == ("7",)
        assert (found.ra[0], found.dec[0]) == pytest.approx((30, 10))


@pytest.mark.parametrize(("text", "named"), [
    ("ra,d\n1,2\n", "column dec: is missing; there are ra, d"), ("ra,dec\n", "no rows"),
    ("ra,dec\nx,2\n", "column ra"), ("ra,dec\n1,91\n", "column dec: 91 in row 1"),
    ("ra,dec\nnan,2\n", "column ra: nan in row 1"), ("ra,dec\n,2\n1,2\n", "column ra: nan in row"),
    ("name,ra,dec\na,1,2\na,3,4\n", "column name: 'a' is there twice"), ("", "bad.csv"),
    ("ra,dec\n10,2\n1e9,2\n", r"column ra: 1e\+09 in row 2 is not from -180 to 360"),
])
def test_a_wrong_field_list_is_refused_by_file_column_and_value(
    tmp_path: Path, text: str, named: str,
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(SkyMapError, match=named):
        field_list.read(tmp_path / "bad.csv")


def test_a_field_list_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SkyMapError, match="does not end in"):
        field_list.read(tmp_path / "fields.xls")
    with pytest.raises(SkyMapError, match="is not a table"):
        field_list.read(tmp_path / "absent.csv")
    QTable({"ra": [[1.0, 2.0], [3.0, 4.0]], "dec": [1.0, 2.0]}).write(tmp_path / "two.fits")
    with pytest.raises(SkyMapError, match="column ra: has 2 values in each row, not one"):
        field_list.read(tmp_path / "two.fits")
    (tmp_path / "bad.fits").write_bytes(b"SIMPLE")
    with pytest.raises(SkyMapError, match="is not a table"):
        field_list.read(tmp_path / "bad.fits")


def test_limits_and_visits_of_a_plan_are_in_its_file(narrow: SkyMap) -> None:
    from dataclasses import replace

    telescope = replace(PRESETS["ztf"], limits=Limits(1.5))
    found = plan(narrow, telescope, NOON, visits=Visits(2, 600, ("g", "r"))).to_dict()
    assert [e["filter"] for e in found["exposures"]] == ["g", "r"]
    assert found["single"]
    assert found["telescope"]["limits"]["airmass"] == 1.5
