"""``gwbroker skymap info``: the numbers of a map, and what is wrong with one that has none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gwbroker.skymap import SkyMap, files, make
from gwbroker.skymap.regions import credible_areas
from gwbroker.skymap.volume import Volume

from .skymap_files import call, write_ball, write_cone

FIELDS = ["area_50", "area_90", "volume_90", "ra", "dec", "distmean", "diststd", "cells",
          "max_level"]


def test_json_has_the_fixed_names_and_true_numbers(tmp_path: Path):
    done = call("info", write_ball(tmp_path / "ball.fits"), "--json")
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    assert list(facts) == FIELDS
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.rst").read_text()
    assert [f for f in FIELDS if f"``{f}``" not in page.partition("``skymap info``\n-")[2]] == []
    # A Fisher distribution that holds 90 % within 5 degrees.
    assert facts["area_90"] == pytest.approx(360 * 180 / np.pi * (1 - np.cos(np.radians(5))),
                                             rel=0.01)
    assert facts["area_50"] < facts["area_90"]
    assert (facts["ra"], facts["dec"]) == pytest.approx((120, -30), abs=0.1)
    assert (facts["distmean"], facts["diststd"]) == pytest.approx((100, 20), rel=1e-6)
    # Less than the 95 % area times the shell from 40 to 160 Mpc, more than a tenth of it.
    shell = facts["area_90"] * (np.pi / 180) ** 2 * (160**3 - 40**3) / 3
    assert 0.1 * shell < facts["volume_90"] < 1.3 * shell


def test_areas_and_volumes_are_told_at_any_level(tmp_path: Path):
    ball = write_ball(tmp_path / "ball.fits")
    skymap = files.load(ball)
    facts = json.loads(call("info", ball, "--json", "--level", 0.3, "--level", 0.955,
                            "--level", 0.5).stdout)
    assert list(facts) == [*FIELDS, "area_30", "volume_30", "area_95.5", "volume_95.5",
                           "volume_50"]
    for name, level in (("30", 0.3), ("95.5", 0.955), ("90", 0.9), ("50", 0.5)):
        assert facts[f"area_{name}"] == pytest.approx(float(credible_areas(skymap, level)))
        assert facts[f"volume_{name}"] == pytest.approx(
            float(Volume(skymap).credible_volumes(level)))
    text = call("info", ball, "--level", 0.3).stdout
    assert re.search(r"90 % area .*\n +30 % area .*\n +90 % volume .*\n +30 % volume .* Mpc³", text)
    cone = json.loads(call("info", write_cone(tmp_path / "c.fits"), "--json", "--level", 1).stdout)
    assert facts["area_90"] < cone["area_100"] < 41253
    assert cone["volume_100"] is None


@pytest.mark.parametrize("level", ["90", "-0.1", "nan"])
def test_a_level_that_is_no_probability_is_refused(tmp_path: Path, level: str):
    done = call("info", write_cone(tmp_path / "c.fits"), "--level", level)
    assert done.exit_code == 1
    assert done.stderr == f"Error: --level: {level} is not a probability from 0 to 1\n"


def test_a_map_without_distances_has_null_for_them(tmp_path: Path):
    facts = json.loads(call("info", write_cone(tmp_path / "c.parquet"), "--json").stdout)
    assert list(facts) == FIELDS
    assert (facts["volume_90"], facts["distmean"], facts["diststd"]) == (None, None, None)


def test_a_map_of_mostly_unknown_distances_has_no_volume(tmp_path: Path):
    cone = make.cone(120, -30, 5, 0.9)
    layers = [np.full(cone.cells, each) for each in (np.inf, 1.0, 0.0)]
    files.save(SkyMap(cone.uniq, cone.probdensity, *layers), tmp_path / "unknown.fits")
    facts = json.loads(call("info", tmp_path / "unknown.fits", "--json").stdout)
    assert (facts["volume_90"], facts["distmean"]) == (None, None)


def test_people_get_a_table_with_units_and_the_making_of_the_map(tmp_path: Path):
    text = call("info", write_ball(tmp_path / "Überraschung.fits.gz")).stdout
    assert "90 % area  7" in text
    assert "deg²" in text
    assert "distance  100 ± 20 Mpc" in text
    assert "Mpc³" in text
    assert "OBJECT  ball" in text
    assert "history  notice: 12" in text
    assert "unknown" in call("info", write_cone(tmp_path / "cone.fits")).stdout


def test_the_standard_input_is_read(tmp_path: Path):
    content = write_cone(tmp_path / "cone.json").read_bytes()
    done = call("info", "-", "--json", input=content)
    assert json.loads(done.stdout)["cells"] > 1000


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file or directory"),
     (b"", "is neither FITS nor Parquet nor JSON: it is empty"),
     (b"SIMPLE  = ", "is damaged FITS"), (b"PAR1PAR1", "is damaged Parquet"),
     (b"{}", "has no map: none of event.skymap, skymap, healpix_file is there")],
)
def test_what_is_no_map_is_one_sentence_and_an_exit_code(
    tmp_path: Path, content: bytes | None, problem: str,
):
    path = tmp_path / "thing.fits"
    if content is not None:
        path.write_bytes(content)
    done = call("info", path)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {path}: {problem}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [("probdensity", -1.0, "PROBDENSITY: -1.0 in cell 260 is negative"),
     ("probdensity", np.nan, "PROBDENSITY: nan in cell 260 is not a finite number"),
     ("uniq", 259, "UNIQ: cells are missing before 256"), ("uniq", 4**31, "UNIQ: 461168601842738")],
)
def test_an_invalid_map_is_named_with_column_and_value(
    tmp_path: Path, column: str, value: float, problem: str,
):
    uniq = np.arange(256, 1024)
    columns = {"uniq": uniq, "probdensity": np.full(768, 1 / (4 * np.pi))}
    columns[column][4] = value
    files.save(SkyMap(**columns), tmp_path / "bad.fits")
    done = call("info", tmp_path / "bad.fits")
    assert done.exit_code == 1
    assert problem in done.stderr or "overlaps cell 259" in done.stderr
    assert done.stderr.startswith(f"Error: {tmp_path / 'bad.fits'}: column {column.upper()}: ")


def test_a_map_of_a_million_cells_and_one_of_level_29_are_answered(tmp_path: Path):
    for name, skymap in (("deep", make.cone(10, 20, 1e-6, 0.9)), ("million", million())):
        files.save(skymap, tmp_path / f"{name}.fits")
        facts = json.loads(call("info", tmp_path / f"{name}.fits", "--json").stdout)
        assert facts["cells"] == skymap.cells
        found = call("level", tmp_path / f"{name}.fits", "--ra", 10, "--dec", 20, "--json")
        assert 0 <= json.loads(found.stdout)["credible_level"] <= 1


def million() -> SkyMap:
    """Return a map of 1,026,432 cells."""
    uniq = np.concatenate([4**9 + np.arange(80_000, 12 * 4**8), 4**10 + np.arange(320_000)])
    density = np.random.default_rng(1).exponential(size=len(uniq))
    return SkyMap(uniq, density / (density * SkyMap(uniq, density).area).sum()).validate()
