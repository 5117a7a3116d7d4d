"""gwbroker skymap observable, plan: what is written, and what the exit code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gwbroker.cli import gwbroker
from gwbroker.skymap import fits, make

NOON = "2024-04-01T20:00:00Z"
JSON_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.rst"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A map of a hundred square degrees in a file with a name that is not ASCII."""
    path = tmp_path_factory.mktemp("maps") / "Ψ map.fits"
    fits.write(make.cone(200, 30, 6, 0.9), path)
    return str(path)


def run(*words: str) -> Result:
    """Run a command as from a shell."""
    return CliRunner().invoke(gwbroker, ["skymap", *words])


def documented(title: str) -> str:
    """Return the section of the reference on JSON with a title."""
    return JSON_PAGE.read_text().partition(f"\n{title}\n---")[2].partition("\n---")[0]


def test_observable_tells_people_the_fraction_and_the_night(file: str) -> None:
    done = run("observable", file, "--site", "palomar", "--time", NOON)
    assert done.exit_code == 0, done.output
    assert "100.0 % of the probability of the 90 % region" in done.output
    assert "Palomar Observatory: 2024-04-02T03:" in done.output
    assert re.search(r"most at 2024-04-02T\d\d:\d\d:\d\dZ", done.output)


def test_observable_tells_the_area_of_a_tiny_map(tmp_path: Path) -> None:
    fits.write(make.cone(200, 30, 1e-3, 0.9), tmp_path / "tiny.fits")
    done = run("observable", str(tmp_path / "tiny.fits"), "--site", "palomar", "--time", NOON)
    assert re.search(r"100\.0 % of its 4\d arcsec² for at least", done.output), done.output


def test_observable_writes_documented_json(file: str) -> None:
    done = run("observable", file, "--site", "-116.9 33.4 1700", "--time", NOON, "--json")
    found = json.loads(done.output)
    assert found["probability"] == pytest.approx(1, abs=0.01)
    assert found["steps"][0].keys() == {"time", "probability", "sun", "moon"}
    text = documented("``skymap observable``")
    assert sorted(f for f in found if f"``{f}``" not in text) == []


def test_observable_says_why_nothing_can_be_seen_and_exits_with_3(file: str) -> None:
    done = run("observable", file, "--site", "mount john", "--time", NOON, "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["probability"] == 0
    assert "limit of airmass hides" in done.stderr


@pytest.mark.parametrize(("words", "problem"), [
    (("--site", "palomr"), "did you mean palomar"),
    (("--site", "palomar", "--time", "2024-04-01T20:00:00"), "no zone"),
    (("--site", "palomar", "--airmass", "0.5"), "airmass"),
    (("--site", "palomar", "--airmass", "nan"), "airmass: nan is not a number\n"),
    (("--site", "palomar", "--level", "nan"), "level"),
    (("--site", "palomar", "--hours", "-1"), "hours"),
])
def test_bad_options_of_observable_are_one_sentence(
    file: str, words: tuple[str, ...], problem: str,
) -> None:
    done = run("observable", file, *words)
    assert done.exit_code == 1
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_shows_the_exposures(file: str) -> None:
    done = run("plan", file, "--telescope", "goto", "--start", NOON)
    assert done.exit_code == 0, done.output
    assert "GOTO north at Roque de los Muchachos" in done.output
    assert re.search(r"\d+ exposures cover 9\d\.\d %", done.output)


@pytest.mark.parametrize("suffix", ["ecsv", "json", "txt"])
def test_plan_writes_a_file_by_its_suffix(file: str, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"plan.{suffix}"
    done = run("plan", file, "--telescope", "ztf", "--start", NOON, "-o", str(output))
    assert done.exit_code == 0, done.output
    assert output.stat().st_size > 500
    assert "exposures cover" in done.output


def test_plan_writes_documented_json(file: str) -> None:
    done = run("plan", file, "--telescope", "ztf", "--fov", "2", "1.5", "--start", NOON,
               "--hours", "14", "--exposure", "120", "--airmass", "1.8", "--moon", "20",
               "--twilight", "nautical", "--visits", "2", "--gap", "20", "--filters", "g, r",
               "--json")
    found = json.loads(done.output)
    assert found["telescope"]["width"] == 2
    assert found["telescope"]["exposure"] == 120
    assert found["telescope"]["limits"]["twilight"] == "nautical"
    assert {e["filter"] for e in found["exposures"]} == {"g", "r"}
    text = documented("``skymap plan``")
    fields = {*found, *found["exposures"][0], *found["telescope"], *found["telescope"]["limits"],
              *(found["left_out"][0] if found["left_out"] else ())}
    assert sorted(f for f in fields if f"``{f}``" not in text) == []


def test_a_telescope_of_ones_own_is_a_file_or_options(file: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('name = "Mine"\nfov = 4\nsite = "wise"\nexposure = 100\n')
    assert "Mine at Wise" in run("plan", file, "--telescope", str(mine), "--start", NOON).output
    done = run("plan", file, "--fov", "3", "3", "--site", "wise", "--start", NOON)
    assert "telescope at Wise" in done.output


def test_only_listed_fields_are_planned(file: str, tmp_path: Path) -> None:
    table = tmp_path / "fields.csv"
    table.write_text("field,ra,dec\nα,200,30\nβ,203,30\nfar,20,30\n", encoding="utf-8")
    done = run("plan", file, "--telescope", "rubin", "--site", "palomar", "--start", NOON,
               "--fields", str(table), "--json")
    assert {e["field"] for e in json.loads(done.stdout)["exposures"]} == {"α", "β"}


def test_an_empty_plan_says_why_and_exits_with_3(file: str, tmp_path: Path) -> None:
    output = tmp_path / "plan.json"
    done = run("plan", file, "--telescope", "ztf", "--site", "mount john", "--start", NOON,
               "--airmass", "1.8", "-o", str(output))
    assert done.exit_code == 3
    assert "no field can be observed: hidden by the limit of airmass" in done.stderr
    assert json.loads(output.read_text())["exposures"] == []


@pytest.mark.parametrize(("words", "problem"), [
    ((), "Give --telescope, or --fov and --site"), (("--telescope", "hubble"), "ztf, decam"),
    (("--telescope", "half-metre"), "give a site"),
    (("--telescope", "ztf", "--fov", "0", "1"), "width: 0"),
    (("--telescope", "ztf", "--airmass", "0.9"), "airmass"),
    (("--telescope", "ztf", "--start", NOON, "--end", "2024-04-01T10:00:00Z"), "not after"),
    (("--telescope", "ztf", "--start", "2024-04-01"), "no zone"),
    (("--telescope", "ztf", "--fields", "absent.csv"), "absent.csv"),
    (("--telescope", "ztf", "-o", "plan.pdf"), "plan.pdf"),
    (("--telescope", "ztf", "--start", "1950-01-01T00:00:00Z"), "1973"),
])
def test_bad_options_of_plan_are_one_sentence(
    file: str, words: tuple[str, ...], problem: str,
) -> None:
    done = run("plan", file, *words)
    assert done.exit_code == 1
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["observable", "plan"])
def test_help_explains_the_exit_code(command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert "exit code" in done.output
