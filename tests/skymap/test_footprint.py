"""The probability within a region, against sums over pixels."""

import healpy as hp
import numpy as np
import pytest

from gwbroker.skymap.footprint import probability
from gwbroker.skymap.moc import PIXELS, Moc
from gwbroker.skymap.regions import credible_level_at

from .pairs import bright_pixel, isotropic, scattered


def test_the_probability_is_the_sum_of_the_pixels_inside():
    skymap = scattered(4, depth=5)
    moc = Moc.from_cone(100, 10, 40, level=5)
    ra, dec = hp.pix2ang(2**5, np.arange(12 * 4**5), nest=True, lonlat=True)
    prob = skymap.probdensity[skymap.find(ra, dec)] * 4 * np.pi / len(ra)
    assert probability(skymap, moc) == pytest.approx(prob[moc.contains(ra, dec)].sum(), rel=1e-12)


def test_a_region_finer_than_the_cells_takes_their_part():
    skymap = isotropic(0)
    assert probability(skymap, Moc(np.array([[0, PIXELS // 24]]))) == pytest.approx(1 / 24)
    assert probability(skymap, Moc(np.array([[7, 8]]))) == pytest.approx(1 / PIXELS)
    third = Moc(np.array([[PIXELS // 12 - 5, PIXELS // 12 + 5]]))
    assert probability(skymap, third) == pytest.approx(10 / PIXELS)


def test_a_cell_of_the_deepest_level_is_not_lost():
    skymap = bright_pixel(29, 98765, 0.7)
    assert probability(skymap, Moc(np.array([[98765, 98766]]))) == pytest.approx(0.7)
    assert probability(skymap, Moc(np.array([[98766, PIXELS]]))) <= 0.3


def test_nothing_and_everything():
    skymap = scattered(5)
    assert probability(skymap, Moc.empty()) == 0
    assert probability(skymap, Moc.whole_sky()) == pytest.approx(1)
    moc = Moc.from_cone(10, 20, 30)
    assert probability(skymap, moc) + probability(skymap, moc.complement()) == pytest.approx(1)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_region_of_a_level_holds_it(merger, level):
    inside = probability(merger, Moc.of_level(merger, level))
    assert level <= inside < level + merger.prob.max()
    moc = Moc.of_level(merger, level)
    ra, dec = np.random.default_rng(1).uniform([[300], [0]], [[315], [18]], (2, 1000))
    levels = credible_level_at(merger, ra, dec)
    assert np.array_equal(moc.contains(ra, dec), levels <= inside + 1e-12)
