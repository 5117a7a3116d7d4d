"""``gwbroker catalogue`` and ``gwbroker skymap crossmatch``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner, Result

from gwbroker import cli
from gwbroker.skymap import SkyMap, fits, make
from gwbroker.skymap.distances import norms

GALAXIES = """name,RAJ2000,DEJ2000,dist,lum
NGC 1,30.1,10.2,100,1e10
NGC 2,29.5,9.5,105,3e10
NGC 3,30.0,10.0,,2e10
Ç 4,210,-10,100,1e10
bad,30,95,100,1e10
"""


def gwbroker(*arguments: object, stdin: str | bytes | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli.gwbroker, [str(a) for a in arguments], prog_name="gwbroker",
                              input=stdin)


def as_json(*arguments: object, stdin: str | None = None):
    """Run a command with --json and return what it says."""
    result = gwbroker(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def _here(environment: pytest.MonkeyPatch) -> None:
    """A home and a working folder, a table of galaxies and maps with and without distances."""
    Path("galaxies.csv").write_text(GALAXIES)
    flat = make.cone(30, 10, 2, 0.9)
    mu, sigma = np.full(flat.cells, 100.0), np.full(flat.cells, 20.0)
    fits.write(flat, "flat.fits")
    fits.write(SkyMap(flat.uniq, flat.probdensity, mu, sigma, norms(mu, sigma)), "map.fits")


def test_a_catalogue_is_added_listed_and_told_about():
    said = gwbroker("catalogue", "add", "galaxies.csv", "--name", "mine")
    assert said.exit_code == 0, said.output
    assert "mine: 4 galaxies from 5 rows" in said.output
    assert "1 of them has no distance" in said.output
    assert "left out: 1 row, DEJ2000 is not within -90 and 90 (first: 95 in row 5)" in said.output
    again = gwbroker("catalogue", "add", "galaxies.csv", "--name", "mine")
    assert "already made of this file" in again.output
    (found,) = as_json("catalogue", "list")
    assert (found["name"], found["galaxies"], found["without_distance"]) == ("mine", 4, 1)
    assert as_json("catalogue", "add", "galaxies.csv", "--name", "mine")["new"] is False
    assert "galaxies.csv" in gwbroker("catalogue", "list").output


def test_without_a_catalogue_the_list_says_what_to_do():
    assert "add one with `gwbroker catalogue add`" in gwbroker("catalogue", "list").output
    said = gwbroker("skymap", "crossmatch", "map.fits", "--catalogue", "mine")
    assert said.exit_code == 1
    assert "mine: is no catalogue; make one with `gwbroker catalogue add`" in said.output


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "new\nline"])
def test_names_that_no_folder_may_have_are_refused(name):
    said = gwbroker("catalogue", "add", "galaxies.csv", "--name", name)
    assert said.exit_code == 1
    assert "cannot be the name of a catalogue" in said.output


def test_columns_are_named_and_mistakes_told():
    found = as_json("catalogue", "add", "galaxies.csv", "--column", "mass=lum",
                    "--folder", "here")
    assert found["source"]["columns"]["mass"] == ["lum"]
    assert Path("here/galaxies/manifest.json").is_file()
    assert "write it as ra=RAJ2000" in gwbroker(
        "catalogue", "add", "galaxies.csv", "--column", "mass").output
    assert "column RA: is missing" in gwbroker(
        "catalogue", "add", "galaxies.csv", "--column", "ra=RA").output


def test_galaxies_are_ranked_by_name_or_folder_of_their_catalogue():
    gwbroker("catalogue", "add", "galaxies.csv")
    found = as_json("skymap", "crossmatch", "map.fits", "--catalogue", "galaxies")
    assert [row["name"] for row in found["rows"]] == ["NGC 2", "NGC 1"]
    assert (found["rank"], found["dimensions"], found["level"]) == ("luminosity", 3, 0.9)
    folder = as_json("catalogue", "list")[0]["folder"]
    by_place = as_json("skymap", "crossmatch", "map.fits", "--catalogue", folder,
                       "--rank", "probability", "--top", 1)
    assert [row["name"] for row in by_place["rows"]] == ["NGC 1"]
    said = gwbroker("skymap", "crossmatch", "map.fits", "--catalogue", "galaxies").output
    assert "2 galaxies of galaxies in the 0.9 credible volume" in said
    assert "Not ranked for want of a distance: 1 in the area." in said
    for level, inside in ((0.001, "0 galaxies"), (0.9, "2 galaxies")):
        assert f"{inside} of galaxies in the {level}" in gwbroker(
            "skymap", "crossmatch", "map.fits", "--catalogue", "galaxies", "--level", level).output


def test_a_map_without_distances_says_that_it_is_about_the_sky():
    gwbroker("catalogue", "add", "galaxies.csv")
    said = gwbroker("skymap", "crossmatch", "flat.fits", "--catalogue", "galaxies")
    assert said.exit_code == 0, said.output
    assert "3 galaxies of galaxies in the 0.9 credible area" in said.output
    assert "The map has no distances: this is about the sky alone." in said.output


@pytest.mark.parametrize("suffix", ["ecsv", "csv", "parquet", "json"])
def test_tables_are_written(suffix):
    gwbroker("catalogue", "add", "galaxies.csv")
    said = gwbroker("skymap", "crossmatch", "map.fits", "--catalogue", "galaxies",
                    "-o", f"out.{suffix}")
    assert f"2 rows in out.{suffix}" in said.output
    assert Path(f"out.{suffix}").stat().st_size


def test_a_table_that_cannot_be_written_is_refused_before_anything_is_read():
    said = gwbroker("skymap", "crossmatch", "absent.fits", "--catalogue", "x", "-o", "out.txt")
    assert said.exit_code == 1
    assert "a table is written as" in said.output


def test_candidates_are_scored_from_a_table():
    Path("candidates.csv").write_text("name,ra,dec,z\nAT 1,30,10,0.0225\nAT 2,200,40,\n")
    found = as_json("skymap", "crossmatch", "map.fits", "--candidates", "candidates.csv")
    one, two = found["rows"]
    assert one["chance"] < 0.01 < 0.5 < two["chance"]
    assert one["distance_from"] == "redshift, Planck18"
    assert found["trials"] == 2
    said = gwbroker("skymap", "crossmatch", "map.fits", "--candidates", "candidates.csv",
                    "-o", "scored.ecsv")
    assert "2 candidates, 2 trials" in said.output
    assert list(Table.read("scored.ecsv")["name"]) == ["AT 1", "AT 2"]


def test_candidates_in_hours_are_refused_until_their_unit_is_said():
    rng = np.random.default_rng(3)
    rows = [f"{r},{d}" for r, d in zip(rng.uniform(0, 24, 200), rng.uniform(-80, 80, 200),
                                       strict=True)]
    Path("hours.csv").write_text("\n".join(["ra,dec", *rows]) + "\n")
    asked = ("skymap", "crossmatch", "map.fits", "--candidates", "hours.csv")
    said = gwbroker(*asked)
    assert said.exit_code == 1
    assert "hours.csv: column ra: lies between" in said.output
    assert max(r["ra"] for r in as_json(*asked, "--ra-unit", "deg")["rows"]) < 24
    assert max(r["ra"] for r in as_json(*asked, "--ra-unit", "hour")["rows"]) > 300


def test_the_units_of_a_table_are_kept_by_every_command_that_reads_it():
    table = Table({"name": ["NGC 1"], "ra": [2.0], "dec": [10.0], "distance": [100e3]})
    table["ra"].unit, table["distance"].unit = "hourangle", "kpc"
    table.write("units.ecsv")
    (row,) = as_json("skymap", "crossmatch", "map.fits", "--candidates", "units.ecsv")["rows"]
    assert (row["ra"], row["distance"]) == (pytest.approx(30), pytest.approx(100))
    assert row["credible_level_3d"] < 0.1
    assert as_json("catalogue", "add", "units.ecsv")["source"]["units"] == {
        "ra": "hourangle", "distance": "kpc"}
    said = gwbroker("skymap", "plot", "flat.fits", "--kind", "view", "-o", "view.json",
                    "--galaxies", "units.ecsv")
    assert said.exit_code == 0, said.output
    (galaxy,) = json.loads(Path("view.json").read_text())["overlays"]["galaxies"]
    assert galaxy["ra"] == pytest.approx(30)


def test_a_table_without_rows_has_no_candidates():
    Path("empty.csv").write_text("ra,dec\n")
    said = gwbroker("skymap", "crossmatch", "map.fits", "--candidates", "empty.csv")
    assert (said.exit_code, said.output) == (1, "Error: empty.csv: has no rows\n")


def test_one_candidate_is_told_in_the_singular():
    Path("one.csv").write_text("ra,dec\n30,10\n")
    said = gwbroker("skymap", "crossmatch", "map.fits", "--candidates", "one.csv", "-o", "o.csv")
    assert said.output.startswith("1 candidate, 1 trial. ")
    assert "1 row in o.csv" in said.output


def test_a_name_cannot_command_the_terminal():
    Path("c.csv").write_text('name,ra,dec\n"\x1b[2Jé\x07",30,10\n')
    said = gwbroker("skymap", "crossmatch", "map.fits", "--candidates", "c.csv")
    assert said.exit_code == 0
    assert r"\x1b[2Jé\x07" in said.output
    assert "\x1b" not in said.output


def test_what_a_map_does_not_know_is_told():
    skymap = fits.read("map.fits")
    mu = skymap.distmu.copy()
    mu[::2] = np.inf
    fits.write(SkyMap(skymap.uniq, skymap.probdensity, mu, skymap.distsigma, skymap.distnorm),
               "half.fits")
    gwbroker("catalogue", "add", "galaxies.csv", "--name", "mine")
    said = gwbroker("skymap", "crossmatch", "half.fits", "--catalogue", "mine")
    assert "of the probability the map does not know the distance" in said.output
    assert 0.3 < as_json("skymap", "crossmatch", "half.fits", "--catalogue", "mine")[
        "distance_known"] < 0.7


def test_lines_are_answered_one_by_one_and_a_bad_one_hurts_no_other():
    lines = b"\n".join([
        b'{"name": "AT 1", "ra": 30, "dec": 10}', b"nonsense", b"", b"[" * 100_000,
        b'{"name": "\\ud800", "ra": 30, "dec": 10}', b'{"name": "\xff", "ra": 1, "dec": 2}',
        b'{"ra": 30, "dec": 10, "x": "' + b"x" * 2_000_000 + b'"}', b'{"ra": 30, "dec": 12}'])
    said = gwbroker("skymap", "crossmatch", "map.fits", "--candidates", "-", stdin=lines)
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert [list(a) for a in answers[1:6]] == [["error"]] * 5
    assert answers[0]["name"] == "AT 1"
    assert answers[1]["error"].startswith("line 2: is not JSON")
    assert answers[5]["error"] == "line 7: is longer than 1,000,000 bytes, and not read"
    assert answers[6]["credible_level"] > 0.9
    # Of two trials, not of eight: what is no candidate is no trial.
    assert answers[6]["chance_trials"] == pytest.approx(2 * answers[6]["chance"], rel=1e-3)
    assert said.exit_code == 1
    assert "5 lines could not be scored." in said.stderr


def test_an_impossible_line_is_told_by_its_number_alone():
    said = gwbroker("skymap", "crossmatch", "map.fits", "--candidates", "-",
                    stdin='{"ra": 1, "dec": 2}\n{"ra": 400, "dec": 2}\n')
    assert json.loads(said.stdout.splitlines()[1]) == {
        "error": "line 2: column ra: 400 is not within -180 and 360 degrees"}
    assert "1 line could not be scored." in said.stderr


def test_with_an_output_lines_make_a_table(tmp_path):
    lines = '{"name": "AT 1", "ra": 30, "dec": 10}\n{"ra": 1, "dec": 2}\n'
    found = as_json("skymap", "crossmatch", "map.fits", "--candidates", "-", "-o", "out.json",
                    stdin=lines)
    assert found == json.loads(Path("out.json").read_text())
    assert len(found["rows"]) == 2


@pytest.mark.parametrize("arguments", [
    (), ("--catalogue", "a", "--candidates", "b"), ("--rank", "beauty"), ("--top", "0")])
def test_options_that_make_no_sense_are_refused(arguments):
    said = gwbroker("skymap", "crossmatch", "map.fits", *arguments)
    assert said.exit_code == 2
    assert "Error" in said.output
