"""The product of maps, against flat maps of healpy and numerical integrals over distance."""

import itertools
from dataclasses import replace

import healpy as hp
import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, coherence, fits, make
from gwbroker.skymap.combine import combine, product
from gwbroker.skymap.distances import parameters, pdf
from gwbroker.skymap.multiorder import uniq_of
from gwbroker.skymap.overlap import APART, overlap
from gwbroker.skymap.regions import credible_areas, distance
from gwbroker.skymap.summary import summarize

from .pairs import bright_pixel, isotropic, pixels, scattered

UNKNOWN = (np.inf, 1.0, 0.0)


def with_distance(skymap, seed, low=50, high=300):
    """Return a map with another distance in every cell, unknown in a few of them."""
    rng = np.random.default_rng(seed)
    mean = rng.uniform(low, high, skymap.cells)
    columns = parameters(mean, mean * rng.uniform(0.1, 0.4, skymap.cells))
    for column, unknown in zip(columns, UNKNOWN, strict=True):
        column[::17] = unknown
    return replace(skymap, distmu=columns[0], distsigma=columns[1], distnorm=columns[2])


@pytest.mark.parametrize("seed", range(3))
def test_the_product_is_the_product_of_flat_maps(seed):
    a, b = scattered(seed), scattered(seed + 10, level=0, depth=5, part=0.6)
    found = product(a, b)
    flat = pixels(a, 6) * pixels(b, 6)
    flat /= flat.sum() * hp.nside2pixarea(2**6)
    assert pixels(found, 6) == pytest.approx(flat, rel=1e-12)
    assert found.prob.sum() == pytest.approx(1, abs=1e-12)


def test_the_product_of_three_maps_does_not_depend_on_their_order():
    a, b, c = (scattered(seed, level=1, depth=5) for seed in (1, 2, 3))
    flat = pixels(a, 5) * pixels(b, 5) * pixels(c, 5)
    whole = combine([a, b, c])
    assert whole.overlap == pytest.approx(
        (4 * np.pi) ** 2 * flat.sum() * hp.nside2pixarea(2**5), rel=1e-12)
    flat /= flat.sum() * hp.nside2pixarea(2**5)
    for order in ((a, b, c), (c, a, b), (b, c, a)):
        assert pixels(product(*order), 5) == pytest.approx(flat, rel=1e-11)


def test_the_overlap_of_three_maps_is_that_of_positions_whatever_their_distances_and_order():
    maps = [with_distance(scattered(seed, level=1, depth=3), seed) for seed in (1, 2, 3)]
    expected = combine(maps, "none").overlap
    for order in itertools.permutations(maps):
        assert combine(order).overlap == pytest.approx(expected, rel=1e-11)


def test_an_isotropic_map_changes_nothing_and_splits_no_cell():
    a = make.cone(40, -20, 5, 0.9)
    found = combine([a, isotropic(6)])
    assert found.overlap == pytest.approx(1, abs=1e-12)
    assert credible_areas(found.skymap, 0.9) == pytest.approx(credible_areas(a, 0.9), rel=1e-12)
    again = combine([found.skymap, isotropic(0)]).skymap
    assert (again.uniq == found.skymap.uniq).all()
    assert isotropic(0).uniq.tolist() == product(isotropic(3), isotropic(5)).uniq.tolist()


def test_cells_that_come_out_alike_are_merged():
    a, b = bright_pixel(8, 12345), isotropic(8)
    found = product(b, a)
    assert found.cells == a.cells
    assert product(b, bright_pixel(29, 7)).cells < 100


def test_combining_makes_the_region_smaller_and_keeps_the_place():
    a, b = make.cone(200, 30, 10, 0.9), make.cone(205, 32, 8, 0.9)
    facts = summarize(product(a, b))
    assert facts.area_90 < min(summarize(a).area_90, summarize(b).area_90)
    assert hp.rotator.angdist((facts.ra, facts.dec), (203.3, 31.3), lonlat=True) < np.radians(1.5)


def test_the_distances_of_one_map_stay_and_the_whole_is_marginalised_anew():
    a, b = with_distance(scattered(1), 1), scattered(2)
    found = product(a, b)
    there = pixels(found, 6) > 0
    for column in ("distmu", "distsigma", "distnorm"):
        assert (pixels(found, 6, column)[there] == pixels(a, 6, column)[there]).all()
    mean, std = _flat_distance(pixels(a, 6) * pixels(b, 6), a)
    assert found.meta["DISTMEAN"] == pytest.approx(mean, rel=1e-6)
    assert found.meta["DISTSTD"] == pytest.approx(std, rel=1e-6)
    assert found.meta["DISTMEAN"] != pytest.approx(distance(a).mean, rel=1e-3)
    # Which of the maps has them makes no difference.
    assert product(b, a).meta == found.meta


def _flat_distance(density, skymap):
    """Return mean and deviation of the distance, integrated over a grid for each cell."""
    r = np.linspace(0, 900, 6001)
    known = np.isfinite(skymap.distmu)
    moments = np.zeros((2, skymap.cells))
    for i in np.flatnonzero(known):
        p = pdf(r, skymap.distmu[i], skymap.distsigma[i], skymap.distnorm[i])
        moments[:, i] = [(p * r).sum() / p.sum(), (p * r**2).sum() / p.sum()]
    index = skymap._find(np.arange(len(density)) << (2 * 23))
    weight = density * known[index]
    mean, square = (moments[:, index] @ weight) / weight.sum()
    return mean, np.sqrt(square - mean**2)


def test_two_measured_distances_multiply_over_the_prior():
    a = with_distance(scattered(1, level=1, depth=2), 1)
    b = with_distance(scattered(2, level=0, depth=2), 2)
    found = product(a, b)
    r = np.linspace(0.01, 900, 9000)
    both = pixels(a, 2) * pixels(b, 2)
    ours, theirs = (
        [pixels(m, 2, c) for c in ("distmu", "distsigma", "distnorm")] for m in (a, b))
    weight, known = np.ones(len(both)), np.ones(len(both), bool)
    for i in np.flatnonzero(both):
        p, q = (pdf(r, *(column[i] for column in each)) for each in (ours, theirs))
        known[i] = p.any() and q.any()
        if known[i]:
            joint = p * q / r**2
            weight[i] = joint.sum() * (r[1] - r[0])
            mine = pdf(r, *(pixels(found, 2, c)[i] for c in ("distmu", "distsigma", "distnorm")))
            assert np.abs(mine - joint / weight[i]).max() < 1e-5 * mine.max()
    # Where one of the distances is unknown, the mean weight of the other cells stands in.
    weight[~known] = (weight @ (both * known)) / (both @ known)
    expected = both * weight
    expected /= expected.sum() * hp.nside2pixarea(2**2)
    assert pixels(found, 2) == pytest.approx(expected, rel=1e-5)


def test_where_one_distance_is_unknown_the_other_stays():
    a, b = with_distance(isotropic(1), 1), with_distance(isotropic(1), 2)
    a = replace(a, distmu=np.where(np.arange(48) == 3, np.nan, a.distmu))
    found = product(a, b)
    assert found.distmu[3] == b.distmu[3]
    assert found.distmu[17] == np.inf
    assert found.distnorm[17] == 0


def test_distances_far_apart_are_combined_all_the_same():
    ones = np.ones(12)
    near, far = (
        replace(isotropic(0), **dict(zip(
            ("distmu", "distsigma", "distnorm"), parameters(mean * ones, std * ones),
            strict=True)))
        for mean, std in ((40, 0.4), (2000, 9)))
    found = product(near, far)
    assert found.prob.sum() == pytest.approx(1, abs=1e-12)
    assert 40 < found.meta["DISTMEAN"] < 50


def test_distances_can_be_those_of_the_first_map_or_left_out():
    a, b = with_distance(scattered(1), 1), with_distance(scattered(2), 2)
    plain = replace(b, distmu=None, distsigma=None, distnorm=None)
    first = product(a, b, distances="first")
    assert first.meta == product(a, plain).meta
    assert (first.probdensity == product(a, plain).probdensity).all()
    assert not product(a, b, distances="none").has_distance
    assert "DISTMEAN" not in product(a, b, distances="none").meta
    with pytest.raises(SkyMapError, match="'both' is not joint, first or none"):
        product(a, b, distances="both")


def test_maps_that_exclude_each_other_are_refused_by_name():
    a, b = bright_pixel(4, 9), bright_pixel(4, 3000)
    with pytest.raises(SkyMapError, match=r"b\.fits: .* the overlap is 0"):
        combine([a, b], names=["a.fits", "b.fits"])
    with pytest.raises(SkyMapError, match=r"map 3: .* the overlap is 0"):
        product(a, a, b)


def test_maps_that_nearly_exclude_each_other_are_refused_until_somebody_insists():
    a, near, far = (make.cone(ra, 20, 4, 0.9) for ra in (10, 13, 32))
    assert 0 < overlap(a, far) < APART < overlap(a, near)
    with pytest.raises(SkyMapError, match=r"^c: its overlap .* less than 0\.001: they are not of"):
        combine([a, near, far], names=["a", "b", "c"])
    with pytest.raises(SkyMapError, match=r"^map 2: its overlap"):
        product(a, far)
    assert combine([a, far], least=0).overlap == pytest.approx(overlap(a, far), rel=1e-9)
    assert product(a, far, least=0).prob.sum() == pytest.approx(1)


def test_pictures_and_products_call_the_same_maps_apart():
    assert coherence.APART == APART


@pytest.mark.parametrize("maps", [[], [isotropic(0)]])
def test_fewer_than_two_maps_are_refused(maps):
    with pytest.raises(SkyMapError, match="at least 2"):
        combine(maps)


def test_names_times_and_history_of_the_maps_are_kept(tmp_path):
    a = replace(make.cone(10, 10, 5, 0.9), history=("notice: 1",), meta={
        "OBJECT": "S240101a", "INSTRUME": "H1,L1", "DATE-OBS": "2024-01-01T00:00:00",
        "RUNTIME": 3.0})
    b = replace(make.cone(11, 10, 5, 0.9), history=("notice: 2", "notice: 1"), meta={
        "OBJECT": "GRB 240101é", "INSTRUME": "Fermi"})
    found = product(a, b)
    assert found.meta == {"OBJECT": "S240101a + GRB 240101é", "INSTRUME": "H1,L1,Fermi",
                          "DATE-OBS": "2024-01-01T00:00:00"}
    assert found.history == ("notice: 1", "notice: 2")
    fits.write(found, tmp_path / "joint.fits")
    assert (fits.read(tmp_path / "joint.fits").uniq == found.uniq).all()


def test_a_recorded_merger_with_a_burst_on_it_keeps_its_distance(merger):
    facts = summarize(merger)
    burst = make.cone(facts.ra, facts.dec, 3, 0.9)
    found = combine([merger, burst])
    assert found.overlap == pytest.approx(overlap(merger, burst), rel=1e-12)
    assert summarize(found.skymap).area_90 < facts.area_90
    assert found.skymap.meta["DISTMEAN"] == pytest.approx(facts.distmean, rel=0.5)


def test_level_29_and_a_million_cells_combine():
    ipix = np.arange(12 * 4**8)
    x, _, z = hp.pix2vec(2**8, ipix, nest=True)
    density = np.exp(x + 2 * z)
    density /= density.sum() * hp.nside2pixarea(2**8)
    wide = SkyMap(uniq_of(8, ipix), density).validate()
    deep = bright_pixel(29, 12 * 4**29 - 1, 0.5)
    found = combine([wide, deep])
    assert found.skymap.max_level == 29
    assert found.overlap == pytest.approx(overlap(wide, deep), rel=1e-12)
    assert found.skymap.cells < wide.cells + deep.cells
