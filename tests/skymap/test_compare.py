"""What changed from one revision of a map to the next."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from gwbroker.cli import gwbroker
from gwbroker.skymap import SkyMap, fits, make
from gwbroker.skymap.compare import compare, separation
from gwbroker.skymap.distances import norms
from gwbroker.skymap.overlap import overlap
from gwbroker.skymap.regions import Position, mean_position
from gwbroker.skymap.volume import Volume

from .pairs import isotropic


def far(skymap, mu, sigma):
    """Return a map with one distance everywhere."""
    mu, sigma = np.full(skymap.cells, float(mu)), np.full(skymap.cells, float(sigma))
    return SkyMap(skymap.uniq, skymap.probdensity, mu, sigma, norms(mu, sigma)).validate()


def test_a_map_compared_with_itself_has_not_moved(merger):
    found = compare(merger, merger)
    assert found.moved == found.moved_mean == 0
    assert found.old == found.new
    assert found.old_90_under_new == pytest.approx(0.9, abs=1e-4) == found.new_90_under_old
    assert found.overlap == overlap(merger, merger)
    assert found.old_volume_90 == pytest.approx(float(Volume(merger).credible_volumes(0.9)))


def test_a_narrower_map_elsewhere_is_told_apart():
    old, new = make.cone(100, 30, 10, 0.9), far(make.cone(100, 34, 5, 0.9), 200, 30)
    found = compare(old, new)
    assert found.moved == pytest.approx(4, abs=0.05)
    assert found.moved_mean == pytest.approx(4, abs=0.01)
    assert found.old.area_90 / found.new.area_90 == pytest.approx(4, rel=0.01)
    assert found.old_90_under_new > 0.99
    assert 0.3 < found.new_90_under_old < 0.5
    assert found.overlap == pytest.approx(overlap(old, new))
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["old"]["volume_90"] is told["old"]["distmean"] is None
    assert told["new"]["volume_90"] > 0
    assert told["new"]["distmean"] == pytest.approx(208, abs=2)


def test_opposite_maps_and_uniform_ones():
    found = compare(make.cone(0, 90, 1, 0.9), make.cone(0, -90, 1, 0.9))
    assert found.moved == pytest.approx(180, abs=0.05)
    assert found.overlap == pytest.approx(0, abs=1e-6)
    assert found.old_90_under_new == pytest.approx(0, abs=1e-6)
    nothing = compare(isotropic(0), isotropic(2))
    assert mean_position(isotropic(2)) is nothing.moved_mean is None
    assert nothing.overlap == pytest.approx(1)


@pytest.mark.parametrize("angle", [0, 1e-9, 0.1, 90, 179.9, 180])
def test_the_angle_between_positions_is_exact(angle):
    assert separation(Position(0, 0), Position(angle, 0)) == pytest.approx(angle, rel=1e-9)
    assert separation(Position(359.5, 0), Position(0.5, 0)) == pytest.approx(1)


def test_the_command_tells_the_same(tmp_path):
    for name, radius in (("old", 10), ("new", 5)):
        fits.write(make.cone(100, 30, radius, 0.9), tmp_path / f"{name}.fits")
    arguments = ["skymap", "compare", str(tmp_path / "old.fits"), str(tmp_path / "new.fits")]
    told = json.loads(CliRunner().invoke(gwbroker, [*arguments, "--json"]).output)
    assert told == compare(*(fits.read(each) for each in arguments[2:])).as_dict()
    text = CliRunner().invoke(gwbroker, arguments).output
    assert "90 % area" in text
    assert "The new map gives the old 90 % region 100.0%" in text
