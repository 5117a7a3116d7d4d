"""``gwbroker skymap footprint``: the probability within a region, and its area."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gwbroker.cli.output import area, counted

from .skymap_files import call, write_cone


def test_the_probability_within_a_circle_is_told_with_its_area(tmp_path: Path):
    cone = write_cone(tmp_path / "cone.fits")
    one, two = (json.loads(call("footprint", cone, "--cone", ra, -30, 5, "--json").stdout)
                for ra in (120, -240))
    assert one == two
    assert one["probability"] == pytest.approx(0.9, abs=0.02)
    assert "of the probability is in 78 deg²." in call(
        "footprint", cone, "--cone", 120, -30, 5).stdout
    done = call("footprint", cone, "--cone", 361, -30, 5)
    assert (done.exit_code, done.stderr) == (
        1, "Error: ra: 361 is not from -360 to 360 degrees\n")


def test_a_tiny_area_is_told_with_two_digits(tmp_path: Path):
    cone = write_cone(tmp_path / "cone.fits")
    assert " arcsec²." in (said := call("footprint", cone, "--cone", 120, -30, 1e-5).stdout)
    assert 0.003 < float(said.split()[-2]) < 0.006


@pytest.mark.parametrize(("value", "text"), [
    (41253, "41,253 deg²"), (2.34, "2.3 deg²"), (0.1, "360 arcmin²"), (1e-5, "130 arcsec²"),
    (1e-7, "1.3 arcsec²"), (3.2e-10, "0.0041 arcsec²"), (0, "0 arcsec²")])
def test_an_area_is_told_in_the_unit_that_suits_it(value: float, text: str):
    assert area(value) == text


def test_one_thing_is_told_in_the_singular():
    assert [counted(n, "galaxy", "galaxies") for n in (0, 1, 2000)] == [
        "0 galaxies", "1 galaxy", "2,000 galaxies"]
    assert [counted(n, "row") for n in (1, 2)] == ["1 row", "2 rows"]
