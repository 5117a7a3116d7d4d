"""``gwbroker skymap level``: the credible level at a position, on the sky and in space."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gwbroker.skymap import files

from .skymap_files import call, write_ball, write_cone


def found(*words: object) -> float:
    """Return the level that the command tells."""
    done = call("level", *words, "--json")
    assert done.exit_code == 0, done.stderr
    value = json.loads(done.stdout)
    assert list(value) == ["credible_level", "distance"]
    return float(value["credible_level"])


def test_the_level_of_a_cone_is_that_of_its_radius(tmp_path: Path):
    cone = write_cone(tmp_path / "cone.fits")
    assert found(cone, "--ra", 120, "--dec", -30) < 0.01
    assert found(cone, "--ra", 120, "--dec", -25) == pytest.approx(0.9, abs=0.02)
    assert found(cone, "--ra", -240, "--dec", -35) == pytest.approx(0.9, abs=0.02)
    assert found(cone, "--ra", 300, "--dec", 30) == pytest.approx(1, abs=1e-9)


def test_the_distance_makes_it_three_dimensional(tmp_path: Path):
    ball = write_ball(tmp_path / "ball.fits")
    at = ("--ra", 120, "--dec", -30)
    near = found(ball, *at, "--distance", 95)
    assert near < 0.1
    assert found(ball, *at, "--distance", 150) > 0.9
    assert found(ball, *at, "--distance", 1e5) == pytest.approx(1)
    assert found(ball, "--ra", 120, "--dec", -25, "--distance", 95) > near


def test_a_place_of_which_the_map_knows_no_distance_is_not_called_excluded(tmp_path: Path):
    ball = files.load(write_ball(tmp_path / "ball.fits"))
    cell = int(ball.find(120, -30))
    mu, density = ball.distmu.copy(), ball.probdensity.copy()
    mu[cell] = np.inf
    for name, there in (("unknown", density), ("empty", np.where(mu == np.inf, 0, density))):
        files.save(replace(ball, distmu=mu, probdensity=there), tmp_path / f"{name}.fits")
    at = ("--ra", 120, "--dec", -30, "--distance", 95)
    done = call("level", tmp_path / "unknown.fits", *at, "--json")
    assert json.loads(done.stdout) == {"credible_level": None, "distance": None}
    said = call("level", tmp_path / "unknown.fits", *at).stdout
    assert said == ("The map does not know how far away a source there is; ask without "
                    "--distance.\n")
    assert found(tmp_path / "unknown.fits", "--ra", 120, "--dec", -30) < 0.01
    # Where there is no probability, it does not matter how far away.
    assert found(tmp_path / "empty.fits", *at) == 1


def test_people_get_a_sentence(tmp_path: Path):
    cone = write_cone(tmp_path / "cone.fits")
    assert "the smallest region with it holds 100.0000% of the probability" in call(
        "level", cone, "--ra", 300, "--dec", 30).stdout


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [(("--ra", "nan", "--dec", "0"), 1, "ra: nan is not a finite number"),
     (("--ra", "480", "--dec", "0"), 1, "ra: 480 is not from -360 to 360 degrees"),
     (("--ra", "inf", "--dec", "0"), 1, "ra: inf is not a finite number"),
     (("--ra", "0", "--dec", "90.1"), 1, "dec: 90.1 is not within -90 and 90"),
     (("--ra", "0", "--dec", "nan"), 1, "dec: nan is not"),
     (("--ra", "0", "--dec", "0", "--distance", "0"), 1, "distance: 0 is not a number of Mpc"),
     (("--ra", "0", "--dec", "0", "--distance", "-3"), 1, "distance: -3 is not a number of Mpc"),
     (("--ra", "0", "--dec", "0", "--distance", "inf"), 1, "distance: inf is not a number of Mpc"),
     (("--ra", "0", "--dec", "0", "--distance", "nan"), 1, "distance: nan is not a number of Mpc"),
     (("--ra", "12h", "--dec", "0"), 2, "'12h' is not a valid float"),
     (("--ra", "0",), 2, "Missing option '--dec'")],
)
def test_an_impossible_place_is_refused_by_name(
    tmp_path: Path, words: tuple[str, ...], code: int, problem: str,
):
    done = call("level", write_cone(tmp_path / "cone.fits"), *words)
    assert done.exit_code == code
    assert problem in done.stderr


def test_a_distance_asks_for_a_map_that_has_distances(tmp_path: Path):
    cone = write_cone(tmp_path / "cone.fits")
    done = call("level", cone, "--ra", 0, "--dec", 0, "--distance", 40)
    assert done.exit_code == 1
    assert done.stderr == (f"Error: {cone}: column DISTMU: the map has no distances; ask without "
                           "--distance\n")
