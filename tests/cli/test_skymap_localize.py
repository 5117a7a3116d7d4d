"""``gwbroker skymap localize``: every kind of map, and what is said about wrong use."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from gwbroker import __version__, cli
from gwbroker.cli.options import as_shell
from gwbroker.cli.skymap import localize
from gwbroker.skymap import fits, make
from gwbroker.skymap.gbm import SYSTEMATICS
from gwbroker.skymap.occultation import occult


def call(*words: object) -> Result:
    """Call the command line."""
    return CliRunner().invoke(cli.gwbroker, ["skymap", "localize", *map(str, words)])


PLACE = ("--ra", 197.45, "--dec", -23.38)
KINDS = {
    "cone": (("--radius", 2), lambda: make.cone(197.45, -23.38, 2, 0.9)),
    "ellipse": (("--semi-major", 3, "--semi-minor", 1, "--position-angle", 30),
                lambda: make.ellipse(197.45, -23.38, 3, 1, 30, 0.9)),
    "gbm": (("--radius", 2, "--gbm", "final"),
            lambda: make.gbm(197.45, -23.38, 2, 0.68, "final")),
    "annulus": (("--radius", 60, "--annulus", 3),
                lambda: make.annulus(197.45, -23.38, 60, 3, 0.9973)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_of_each_kind_is_written(tmp_path: Path, kind: str) -> None:
    words, expected = KINDS[kind]
    out = tmp_path / "kärte.fits"
    done = call(*PLACE, *words, out)
    assert done.exit_code == 0, done.output
    assert "cells, 90 % within" in done.output
    found = fits.read(out)
    assert (found.uniq == expected().uniq).all()
    assert found.probdensity == pytest.approx(expected().probdensity)


def test_the_choices_for_gbm_are_those_that_there_are() -> None:
    assert set(localize.GBM) == set(SYSTEMATICS)


def test_a_polygon_is_written_and_negative_declinations_are_taken(tmp_path: Path) -> None:
    out = tmp_path / "map.fits.gz"
    done = call("--corner", 10, -10, "--corner", 12, -10, "--corner", 12, -12, out)
    assert done.exit_code == 0, done.output
    expected = make.polygon([(10, -10), (12, -10), (12, -12)], 0.9)
    assert (fits.read(out).uniq == expected.uniq).all()


def test_what_is_behind_the_earth_is_masked(tmp_path: Path) -> None:
    out = tmp_path / "map.fits"
    done = call(*PLACE, "--radius", 10, "--earth", 197.45, 45, 67.5, out)
    assert done.exit_code == 0, done.output
    expected = occult(make.cone(197.45, -23.38, 10, 0.9), 197.45, 45, 67.5)
    assert (fits.read(out).uniq == expected.uniq).all()


def test_the_file_says_how_it_was_made_and_is_the_same_again(tmp_path: Path) -> None:
    for name in ("one.fits", "two.fits"):
        assert call(*PLACE, "--radius", 2, "--containment", 0.5, tmp_path / name).exit_code == 0
    one = (tmp_path / "one.fits").read_bytes()
    assert one == (tmp_path / "two.fits").read_bytes()
    assert b"--ra 197.45 --dec -23.38 --radius 2.0 --containment 0.5" in one


@pytest.mark.parametrize("words", [
    ("--corner", 350, -10, "--corner", -8, -10, "--corner", 352, -12),
    (*PLACE, "--radius", 10, "--gbm", "final", "--earth", -115, 45, 67.5),
    (*PLACE, "--semi-major", 3, "--semi-minor", 1, "--position-angle", 30),
])
def test_what_the_history_says_can_be_given_to_a_shell_again(
    tmp_path: Path, words: tuple[object, ...],
) -> None:
    assert call(*words, tmp_path / "one.fits").exit_code == 0
    said, made = fits.read(tmp_path / "one.fits").history
    assert made == f"made by: gwbroker {__version__} skymap localize"
    again = shlex.split(said.removeprefix("localization: "))
    assert call(*again, tmp_path / "two.fits").exit_code == 0
    assert (tmp_path / "one.fits").read_bytes() == (tmp_path / "two.fits").read_bytes()


def test_repeated_options_and_names_with_spaces_are_written_as_a_shell_takes_them() -> None:
    assert as_shell("--disable", ("V1", "L1")) == "--disable V1 --disable L1"
    assert as_shell("--earth", (245.0, -5.0, 67.5)) == "--earth 245.0 -5.0 67.5"
    assert as_shell("--corner", ((1.0, 2.0), (3.0, 4.0))) == "--corner 1.0 2.0 --corner 3.0 4.0"
    assert as_shell("--coinc", "my coinc.xml") == "--coinc 'my coinc.xml'"


def test_right_ascensions_go_around(tmp_path: Path) -> None:
    for name, ra in (("one.fits", -162.55), ("two.fits", 197.45)):
        assert call("--ra", ra, "--dec", -23.38, "--radius", 2, tmp_path / name).exit_code == 0
    one, two = (fits.read(tmp_path / name) for name in ("one.fits", "two.fits"))
    assert (one.uniq == two.uniq).all()
    assert one.probdensity == pytest.approx(two.probdensity)


@pytest.mark.parametrize(("words", "says"), [
    ((), "a position with an error radius also needs --ra, --dec, --radius"),
    ((*PLACE,), "also needs --radius"),
    ((*PLACE, "--gbm", "final"), "--gbm also needs --radius"),
    ((*PLACE, "--semi-major", 2), "also needs --semi-minor, --position-angle"),
    ((*PLACE, "--radius", 1, "--gbm", "final", "--annulus", 1), "are different kinds of maps"),
    ((*PLACE, "--radius", 1, "--disable", "H1"), "--disable is only for --coinc"),
    ((*PLACE, "--radius", 1, "--seed", 0), "--seed is only for --samples"),
    ((*PLACE, "--radius", 1, "--gbm", "other"), "is not one of"),
    ((*PLACE, "--radius", 1, "--semi-major", 2, "--semi-minor", 1, "--position-angle", 0),
     "--radius is not for --semi-major"),
    (("--samples", "x.csv", "--containment", 0.5), "--containment is not for --samples"),
    (("--corner", 1, 1, "--ra", 5), "--ra is not for --corner"),
    ((*PLACE, "--radius", "wide"), "is not a valid float"),
])
def test_wrong_use_is_explained(tmp_path: Path, words: tuple[object, ...], says: str) -> None:
    done = call(*words, tmp_path / "map.fits")
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "says"), [
    ((*PLACE, "--radius", 0), "radius: 0 is not more than 0"),
    ((*PLACE, "--radius", 180), "radius: 180 deg at containment 0.9 is wider"),
    ((*PLACE, "--radius", "nan"), "radius: nan"),
    ((*PLACE, "--radius", "inf"), "radius: inf"),
    (("--ra", "-361", "--dec", 0, "--radius", 1), "ra: -361 is not from -360 to 360 degrees"),
    ((*PLACE, "--radius", 60, "--annulus", 0), "--annulus: 0 is not more than 0"),
    ((*PLACE, "--radius", 0, "--annulus", 1), "radius: 0 is not more than 0"),
    ((*PLACE, "--radius", 1, "--containment", 90), "containment: 90"),
    ((*PLACE, "--radius", 1, "--earth", 197, -23, 67), "lies wholly behind the body"),
    (("--corner", 1, 1), "corners: there are 1"),
    (("--coinc", "missing.xml"), "missing.xml: cannot be read: No such file"),
    (("--samples", "missing.csv"), "missing.csv: cannot be read: No such file"),
    (("--samples", "/dev/null"), "/dev/null: is empty"),
])
def test_bad_values_are_named(tmp_path: Path, words: tuple[object, ...], says: str) -> None:
    done = call(*words, tmp_path / "map.fits")
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert says in done.output
    assert not list(tmp_path.iterdir())


def test_a_name_of_no_format_is_refused(tmp_path: Path) -> None:
    done = call(*PLACE, "--radius", 1, tmp_path / "map.png")
    assert done.exit_code == 1
    assert "map.png" in done.output


def test_samples_become_a_map(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    ra, dec = rng.normal(120, 2, 100), rng.normal(-30, 2, 100)
    table = tmp_path / "samples.csv"
    table.write_text("ra,dec\n" + "".join(f"{a},{d}\n" for a, d in zip(ra, dec, strict=True)))
    done = call("--samples", table, tmp_path / "map.fits")
    assert done.exit_code == 1
    assert "column ra" in done.output
    assert "--unit deg" in done.output
    done = call("--samples", table, "--unit", "deg", "--threads", 1, tmp_path / "map.fits")
    assert done.exit_code == 0, done.output
    found = fits.read(tmp_path / "map.fits")
    assert found.history[0] == "localization: --samples samples.csv --unit deg"
    assert re.fullmatch(rf"made by: gwbroker {__version__} skymap localize, ligo\.skymap \d.*",
                        found.history[1])
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    assert found.history[2] == f"sha256 of samples: {sha256}"
    table.write_text("ra,dec\n" + "1,2\n" * 50)
    assert f"{table}: there are 50 samples, fewer than 100" in call(
        "--samples", table, "--unit", "deg", tmp_path / "map.fits").output
    assert found.prob[found.vectors @ [-0.433, 0.75, -0.5] > np.cos(np.radians(8))].sum() > 0.9
