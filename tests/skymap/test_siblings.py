"""Four cells alike become their parent."""

import numpy as np

from gwbroker.skymap.multiorder import DEEPEST, uniq_of
from gwbroker.skymap.siblings import merge_alike

from .pairs import isotropic, pixels, scattered


def split(skymap, level):
    """Return start, level and density of a map in cells of one level."""
    ipix = np.arange(12 * 4**level, dtype=np.int64)
    return ipix << (2 * (DEEPEST - level)), np.full(len(ipix), level), pixels(skymap, level)


def test_a_map_that_was_split_comes_back():
    skymap = scattered(5)
    uniq, columns = merge_alike(*split(skymap, 6)[:2], {"p": split(skymap, 6)[2]})
    assert (uniq == skymap.uniq).all()
    assert (columns["p"] == skymap.probdensity).all()


def test_only_cells_alike_in_every_column_are_merged():
    start, level, density = split(isotropic(0), 1)
    other = np.zeros(48)
    other[5] = 1
    uniq, columns = merge_alike(start, level, {"p": density, "q": other})
    assert sorted(uniq) == [4, *range(6, 16), 20, 21, 22, 23]
    assert columns["q"].sum() == 1


def test_cells_that_are_no_siblings_stay_apart():
    # Three of one parent and one of the next are four in a row, and alike.
    start, level, density = split(isotropic(0), 1)
    density = density.copy()
    density[[0, 7]] = [7, 8]
    uniq, _ = merge_alike(start, level, {"p": density})
    assert set(range(16, 24)) < set(uniq)


def test_cells_that_are_not_numbers_stay_as_they_are():
    start, level, density = split(isotropic(0), 1)
    uniq, _ = merge_alike(start, level, {"p": density, "q": np.full(48, np.nan)})
    assert (uniq == uniq_of(1, np.arange(48))).all()


def test_unknown_distances_are_alike():
    start, level, _ = split(isotropic(0), 3)
    uniq, columns = merge_alike(start, level, {"distmu": np.full(len(start), np.inf)})
    assert uniq.tolist() == list(range(4, 16))
    assert np.isinf(columns["distmu"]).all()


def test_neighbours_of_different_levels_are_merged_step_by_step():
    # The first cell of level 0 in three of level 1 and four of level 2, all alike.
    start = np.array([0, 1, 2, 3, 4, 8, 12], np.int64) << (2 * (DEEPEST - 2))
    start = np.concatenate([start, np.arange(1, 12) << (2 * DEEPEST)])
    level = np.array([2, 2, 2, 2, 1, 1, 1, *[0] * 11])
    uniq, _ = merge_alike(start, level, {"p": np.ones(18)})
    assert uniq.tolist() == list(range(4, 16))
