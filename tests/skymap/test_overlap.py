"""The overlap integral, against ligo-raven and flat maps of healpy."""

import warnings

import healpy as hp
import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.multiorder import uniq_of
from gwbroker.skymap.overlap import overlap, overlap_at

from .pairs import average, bright_pixel, isotropic, pixels, probabilities, scattered

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ligo.raven.search import skymap_overlap_integral as raven


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 6), (7, 3), (8, 8)])
def test_isotropic_maps_overlap_by_exactly_one(first, second):
    assert overlap(isotropic(first), isotropic(second)) == 1


@pytest.mark.parametrize("skymap", [
    scattered(4), make.cone(200, -40, 5, 0.9), make.cone(0, 90, 1e-3, 0.9), bright_pixel(29, 77)],
    ids=["scattered", "cone", "pole", "level 29"])
def test_any_map_overlaps_an_isotropic_one_by_exactly_one(skymap):
    assert overlap(skymap, isotropic(5)) == 1
    assert overlap(isotropic(0), skymap) == 1


def test_the_sum_itself_is_one_for_a_map_that_is_isotropic_but_for_its_last_digit():
    skymap, nearly = scattered(4), isotropic(5)
    nearly = SkyMap(nearly.uniq, nearly.probdensity * (1 + 1e-15 * np.arange(nearly.cells)))
    assert overlap(skymap, nearly) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_the_sweep_agrees_with_flat_maps_and_with_the_flat_branch_of_ligo_raven(seed):
    level = 6
    a, b = scattered(seed, depth=level), scattered(seed + 50, level=0, depth=5, part=0.6)
    p, q = pixels(a, level), pixels(b, level)
    ours = overlap(a, b)
    assert ours == pytest.approx(4 * np.pi * (p @ q) * hp.nside2pixarea(2**level), rel=1e-12)
    assert ours == pytest.approx(raven(p, q, se_nested=True, ext_nested=True), rel=1e-12)


def test_maps_of_two_flat_resolutions_agree_with_ligo_raven():
    a, b = make.cone(30, 20, 15, 0.9), make.cone(45, 25, 25, 0.9)
    # Flat maps that are exact: of cells no deeper than they are, on both sides.
    p, q = average(pixels(a, 7), 7), average(pixels(b, 7), 5)
    flat_a = SkyMap(uniq_of(7, np.arange(len(p))), p).validate()
    flat_b = SkyMap(uniq_of(5, np.arange(len(q))), q).validate()
    theirs = raven(p, q, se_nested=True, ext_nested=True)
    assert overlap(flat_a, flat_b) == pytest.approx(theirs, rel=1e-12)
    # The maps themselves differ from their pixels by little.
    assert overlap(a, b) == pytest.approx(theirs, rel=0.01)


def test_two_fisher_maps_overlap_as_the_formula_says():
    # Two Fisher densities multiply to kappa_a kappa_b sinh(k) / (k sinh kappa_a sinh kappa_b),
    # k^2 = kappa_a^2 + kappa_b^2 + 2 kappa_a kappa_b cos(theta).
    ka, kb = make.concentration(10, 0.9), make.concentration(6, 0.9)
    for apart in (0, 3, 12):
        k = np.sqrt(ka**2 + kb**2 + 2 * ka * kb * np.cos(np.radians(apart)))
        expected = 2 * ka * kb / k * np.exp(k - ka - kb)
        found = overlap(make.cone(100, 0, 10, 0.9), make.cone(100, apart, 6, 0.9))
        assert found == pytest.approx(expected, rel=2e-3)


def wide_merger():
    """Return a map like that of GW190425: a ring of thousands of square degrees, wide cells."""
    x, y, z = hp.pix2vec(2**5, np.arange(12 * 4**5), nest=True)
    ring = np.exp(-0.5 * ((x + y + z - 0.3) / 0.25) ** 2)
    uniq = uniq_of(5, np.arange(12 * 4**5))
    return SkyMap(uniq, ring / (ring @ SkyMap(uniq, ring).area)).validate()


def test_small_sources_on_a_wide_merger_are_exact_where_ligo_raven_is_off_several_times():
    """On multi-order maps ligo-raven takes the nearest centre; the truth is a sum of pixels."""
    rng = np.random.default_rng(2)
    merger = wide_merger()
    flat = pixels(merger, 5)
    ours, theirs = [], []
    for index in rng.choice(merger.cells, 20, p=merger.prob):
        ra, dec = hp.vec2ang(merger.vectors[index], lonlat=True)
        # Anywhere near the centre of the cell, 0.3 degrees in one standard deviation.
        ra, dec = float(ra[0]) + rng.uniform(-0.9, 0.9), float(dec[0]) + rng.uniform(-0.9, 0.9)
        source = make.cone(ra % 360, dec, 0.3 * 2.146, 0.9)
        truth = 4 * np.pi * flat @ probabilities(source, 5)
        ours.append(overlap(merger, source) / truth)
        theirs.append(raven(
            merger.probdensity, source.probdensity, merger.uniq, source.uniq) / truth)
    assert ours == pytest.approx(np.ones(20), rel=1e-9)
    # Published for GW190425: from 0.96 to 5.9 times.
    assert max(theirs) > 3
    assert np.median(np.abs(np.log(theirs))) > np.log(1.3)


def test_sources_on_a_recorded_merger_with_small_cells_agree_with_ligo_raven(merger):
    rng = np.random.default_rng(2)
    for index in rng.choice(merger.cells, 4, p=merger.prob / merger.prob.sum()):
        ra, dec = hp.vec2ang(merger.vectors[index], lonlat=True)
        source = make.cone(float(ra[0]), float(dec[0]), 2.146, 0.9)
        theirs = raven(merger.probdensity, source.probdensity, merger.uniq, source.uniq)
        assert overlap(merger, source) == pytest.approx(theirs, rel=0.01)


def test_overlap_is_symmetric_and_independent_of_the_total():
    a, b = scattered(7), scattered(8)
    assert overlap(a, b) == pytest.approx(overlap(b, a), rel=1e-13)
    doubled = SkyMap(b.uniq, 2 * b.probdensity)
    assert overlap(a, doubled) == pytest.approx(overlap(a, b), rel=1e-13)


def test_maps_that_exclude_each_other_overlap_by_zero():
    assert overlap(bright_pixel(3, 1), bright_pixel(3, 700)) == 0
    assert overlap(bright_pixel(29, 1), bright_pixel(29, 1)) == pytest.approx(12 * 4**29)


def test_a_known_position_overlaps_by_four_pi_times_the_density(merger):
    ra, dec = np.array([310.0, 20.0, 379.9]), np.array([10.0, -89.9, 90.0])
    found = overlap_at(merger, ra, dec)
    assert found == pytest.approx(4 * np.pi * merger.probdensity[merger.find(ra, dec)])
    assert float(overlap_at(isotropic(3), 0, 0)) == pytest.approx(1, abs=1e-12)
    # Of flat maps ligo-raven has the same.
    p = pixels(scattered(9), 6)
    flat = SkyMap(uniq_of(6, np.arange(len(p))), p).validate()
    assert float(overlap_at(flat, 11, 12)) == pytest.approx(raven(p, [], ra=11, dec=12), rel=1e-9)


def test_a_known_position_agrees_with_a_map_of_its_cell():
    skymap = make.cone(50, 10, 8, 0.9)
    ipix = hp.ang2pix(2**20, 52, 11, nest=True, lonlat=True)
    assert float(overlap_at(skymap, 52, 11)) == pytest.approx(
        overlap(skymap, bright_pixel(20, ipix)), rel=1e-12)


@pytest.mark.parametrize(("ra", "dec", "named"), [
    (np.nan, 0, "ra"), (np.inf, 0, "ra"), (0, 90.1, "dec"), (0, np.nan, "dec"),
    ([1, 2], [0, -91], "dec")])
def test_positions_that_are_not_on_the_sphere_are_refused(ra, dec, named):
    with pytest.raises(SkyMapError, match=f"^{named}"):
        overlap_at(isotropic(0), ra, dec)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_densities_that_are_none_are_refused(value):
    good = isotropic(0)
    bad = SkyMap(good.uniq, np.array([value, *good.probdensity[1:]]))
    with pytest.raises(SkyMapError, match=r"second map: column PROBDENSITY: .* in row 0"):
        overlap(good, bad)


def test_a_map_without_probability_is_refused():
    good = isotropic(0)
    with pytest.raises(SkyMapError, match="sums to 0"):
        overlap(SkyMap(good.uniq, np.zeros(12)), good)
