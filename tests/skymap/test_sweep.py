"""The sweep over the cells common to two maps."""

from dataclasses import replace

import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap
from gwbroker.skymap.sweep import WHOLE, common

from .pairs import bright_pixel, isotropic, scattered


@pytest.mark.parametrize("seed", range(5))
def test_common_cells_cover_the_sky_once_and_are_the_smaller_of_the_two(seed):
    a, b = scattered(seed), scattered(seed + 100, level=0, depth=7, part=0.5)
    cells = common(a, b)
    assert cells.start[0] == 0
    assert (np.diff(cells.start) == cells.size[:-1]).all()
    assert cells.start[-1] + cells.size[-1] == WHOLE
    assert (cells.level == np.maximum(a.level[cells.ia], b.level[cells.ib])).all()
    for skymap, index in ((a, cells.ia), (b, cells.ib)):
        assert (skymap._find(cells.start) == index).all()
        assert (skymap._find(cells.start + cells.size - 1) == index).all()


def test_common_cells_are_cells_of_one_of_the_maps():
    a, b = scattered(1), scattered(2)
    cells = common(a, b)
    assert set(cells.uniq) <= set(a.uniq) | set(b.uniq)
    assert cells.area.sum() == pytest.approx(4 * np.pi, rel=1e-14)


def test_a_map_has_its_own_cells_in_common_with_itself():
    a = scattered(3)
    cells = common(a, a)
    assert (cells.uniq == a.uniq).all()
    assert (cells.ia == np.arange(a.cells)).all()
    assert (cells.ib == np.arange(a.cells)).all()


def test_maps_with_cells_of_level_29_have_few_cells_in_common():
    a, b = bright_pixel(29, 12 * 4**29 - 1), bright_pixel(29, 5)
    cells = common(a, b)
    assert cells.level.max() == 29
    assert len(cells.start) < a.cells + b.cells
    assert cells.area.sum() == pytest.approx(4 * np.pi, rel=1e-14)


@pytest.mark.parametrize("damage", ["order", "gap", "overlap", "empty"])
def test_a_map_that_is_not_one_of_the_whole_sky_is_refused(damage):
    good = isotropic(1)
    keep = {"order": [1, 0, *range(2, 48)], "gap": [*range(10), *range(11, 48)],
            "overlap": [*range(5), 4, *range(6, 48)], "empty": []}[damage]
    bad = replace(good, uniq=good.uniq[keep], probdensity=good.probdensity[keep])
    with pytest.raises(SkyMapError, match="second map: column UNIQ"):
        common(good, bad)
    with pytest.raises(SkyMapError, match="first map: column UNIQ"):
        common(bad, good)


def test_a_gap_at_the_end_of_the_sky_is_refused():
    good = isotropic(0)
    with pytest.raises(SkyMapError, match="UNIQ"):
        common(good, SkyMap(good.uniq[:-1], good.probdensity[:-1]))
