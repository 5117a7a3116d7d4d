"""The contract of the scores: what is uniform for true counterparts, and what for unrelated ones.

Two hundred positions each. A flipped probability passes no Kolmogorov-Smirnov test here.
"""

import numpy as np
import pytest
from scipy.stats import kstest

from gwbroker.catalogues import Candidates, score
from gwbroker.skymap import make
from gwbroker.skymap.distances import quantile
from gwbroker.skymap.multiorder import DEEPEST

COUNT = 200


def drawn_from(skymap, rng, count=COUNT):
    """Return candidates drawn from a map: cell, place within it, distance along it."""
    import healpy

    cell = rng.choice(skymap.cells, count, p=skymap.prob / skymap.prob.sum())
    size = np.int64(1) << (2 * (DEEPEST - skymap.level[cell]))
    pixel = skymap.start[cell] + (rng.uniform(size=count) * size).astype(np.int64)
    ra, dec = healpy.pix2ang(2**DEEPEST, pixel, nest=True, lonlat=True)
    if not skymap.has_distance:
        return Candidates.of(ra, dec)
    distance = quantile(rng.uniform(size=count), skymap.distmu[cell], skymap.distsigma[cell],
                        skymap.distnorm[cell])
    return Candidates.of(ra, dec, distance=distance)


def unrelated(rng, farthest, count=COUNT):
    """Return candidates that are uniform in a sphere."""
    return Candidates.of(rng.uniform(0, 360, count), np.degrees(np.arcsin(
        rng.uniform(-1, 1, count))), distance=farthest * np.cbrt(rng.uniform(size=count)))


def test_credible_levels_of_true_counterparts_are_uniform(volume_map):
    found = score(volume_map, drawn_from(volume_map, np.random.default_rng(11))).columns
    for name in ("credible_level", "credible_level_3d"):
        assert kstest(found[name], "uniform").pvalue > 0.01, name


def test_credible_levels_of_counterparts_in_a_map_without_distances_are_uniform():
    skymap = make.ellipse(40, 60, 6, 2, 30, 0.9)
    found = score(skymap, drawn_from(skymap, np.random.default_rng(12))).columns
    assert kstest(found["credible_level"], "uniform").pvalue > 0.01


@pytest.mark.parametrize("farthest", [300.0, 2000.0])
def test_chances_of_unrelated_candidates_are_uniform(volume_map, farthest):
    candidates = unrelated(np.random.default_rng(13), farthest)
    found = score(volume_map, candidates, max_distance=farthest).columns
    for name in ("chance_sky", "chance_volume", "chance"):
        assert kstest(found[name], "uniform").pvalue > 0.01, name


def test_true_counterparts_have_small_chances_and_unrelated_ones_do_not(volume_map):
    true = score(volume_map, drawn_from(volume_map, np.random.default_rng(14))).columns
    false = score(volume_map, unrelated(np.random.default_rng(15), 400)).columns
    for name in ("chance_sky", "chance_volume"):
        assert np.quantile(true[name], 0.9) < 0.05, name
        assert np.quantile(false[name], 0.1) > 0.05, name
    for name in ("credible_level", "credible_level_3d"):
        assert np.median(true[name]) < 0.6, name
        assert np.median(false[name]) > 0.99, name


def test_the_best_of_many_unrelated_candidates_has_a_uniform_chance_after_trials(volume_map):
    rng = np.random.default_rng(16)
    each = unrelated(rng, 400, COUNT * 30)
    found = score(volume_map, each, max_distance=400, trials=30).columns["chance_trials"]
    assert kstest(found.reshape(COUNT, 30).min(axis=1), "uniform").pvalue > 0.01
