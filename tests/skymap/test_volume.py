"""Credible volumes and levels in three dimensions, against ligo.skymap."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.distances import norms
from gwbroker.skymap.regions import credible_levels
from gwbroker.skymap.volume import Volume

from .pairs import bright_pixel, scattered

LEVELS = [0.1, 0.5, 0.9, 0.99]


@pytest.fixture(scope="module")
def clumpy():
    """A map with distances of every kind, in cells of many levels."""
    skymap = scattered(1, depth=4)
    rng = np.random.default_rng(2)
    mu, sigma = rng.uniform(-150, 300, skymap.cells), rng.uniform(20, 100, skymap.cells)
    return SkyMap(skymap.uniq, skymap.probdensity, mu, sigma, norms(mu, sigma)).validate()


def as_table(skymap):
    """Return a map in the form that ligo.skymap takes."""
    columns = {"UNIQ": skymap.uniq, "PROBDENSITY": skymap.probdensity, "DISTMU": skymap.distmu,
               "DISTSIGMA": skymap.distsigma, "DISTNORM": skymap.distnorm}
    return np.rec.fromarrays(list(columns.values()), names=list(columns))


def places(skymap, count, seed):
    """Return positions near the densest cells, with distances."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(skymap.cells, count, p=skymap.prob / skymap.prob.sum())
    x, y, z = skymap.vectors[cells].T
    distance = np.abs(rng.normal(skymap.distmu[cells], skymap.distsigma[cells])) + 1
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z)), distance


def voxels(skymap, step, farthest):
    """Return density, probability and volume of small voxels, shape (cells, distances)."""
    r = np.arange(step / 2, farthest, step)
    mu, sigma, norm = (a[:, None] for a in (skymap.distmu, skymap.distsigma, skymap.distnorm))
    density = skymap.probdensity[:, None] * norm / sigma / np.sqrt(2 * np.pi) * np.exp(
        -0.5 * ((r - mu) / sigma) ** 2)
    size = skymap.area[:, None] * (r**2 + step**2 / 12) * step
    return density, density * size, size


def test_volumes_agree_with_ligo_skymap(clumpy, ligo):
    theirs = ligo("postprocess").crossmatch(as_table(clumpy), contours=LEVELS)
    assert Volume(clumpy).credible_volumes(LEVELS) == pytest.approx(theirs.contour_vols, rel=5e-3)


def test_volumes_of_a_gwalert_agree_with_ligo_skymap(merger, ligo):
    """Theirs sorts twenty million voxels, so that only some cells are taken."""
    cells = np.sort(np.argsort(-merger.prob)[:2500])
    assert merger.prob[cells].sum() > 0.6
    part = SkyMap(*(column[cells] for column in merger.columns.values()))
    levels = [0.01, 0.2, 0.5]
    theirs = ligo("postprocess").crossmatch(as_table(part), contours=levels)
    assert Volume(part).credible_volumes(levels) == pytest.approx(theirs.contour_vols, rel=2e-4)


def test_levels_and_densities_agree_with_ligo_skymap(clumpy, ligo):
    ra, dec, distance = places(clumpy, 200, 3)
    theirs = ligo("postprocess").crossmatch(
        as_table(clumpy), SkyCoord(ra * u.deg, dec * u.deg, distance * u.Mpc))
    volume, cells = Volume(clumpy), clumpy.find(ra, dec)
    # Theirs takes the nearer edge of a voxel of 6/1000 of the mean distance.
    assert volume.levels(cells, distance) == pytest.approx(theirs.searched_prob_vol, abs=0.03)
    assert volume.density(cells, distance) == pytest.approx(
        theirs.probdensity_vol, rel=0.2, abs=1e-15)


def test_levels_and_volumes_are_the_limit_of_small_voxels(clumpy):
    density, prob, size = voxels(clumpy, 0.5, 1200)
    assert prob.sum() == pytest.approx(1, abs=1e-4)
    volume, rng = Volume(clumpy), np.random.default_rng(4)
    cells, distances = rng.integers(0, clumpy.cells, 40), rng.uniform(1, 500, 40)
    here = volume.density(cells, distances)
    levels = volume.levels(cells, distances)
    for threshold, level in zip(here, levels, strict=True):
        assert level == pytest.approx(prob[density >= threshold].sum(), abs=1e-3)
    order = np.argsort(-density.ravel())
    total = np.cumsum(prob.ravel()[order])
    for level in LEVELS:
        above = np.cumsum(size.ravel()[order])[np.searchsorted(total, level)]
        assert volume.credible_volumes(level) == pytest.approx(above, rel=2e-3)


def test_alike_cells_are_grouped_without_harm():
    skymap = scattered(5, level=6, depth=7, part=0.1)
    x, y, _ = skymap.vectors.T
    mu, sigma = 200 + 300 * x, 60 + 20 * y
    skymap = SkyMap(skymap.uniq, skymap.probdensity, mu, sigma, norms(mu, sigma))
    volume = Volume(skymap)
    table = volume._table
    assert len(volume._cells.grouped().top) < 0.6 * len(volume._cells.top) > 30_000
    exact = [volume._cells.probability(-each) for each in np.linspace(*table.x[[0, -1]], 50)]
    assert table(np.linspace(*table.x[[0, -1]], 50)) == pytest.approx(exact, abs=1e-3)


def test_a_place_on_the_edge_of_a_volume_has_its_level(clumpy):
    volume = Volume(clumpy)
    for level in LEVELS:
        inside = volume.credible_volumes(level)
        nearby = volume.credible_volumes([level - 1e-4, level + 1e-4])
        assert nearby[0] < inside < nearby[1]
    assert volume.credible_volumes([[0, 1]]).tolist() == [[0, np.inf]]


def test_the_most_probable_place_has_the_lowest_level(clumpy):
    volume = Volume(clumpy)
    (ra, dec), distance = volume.most_probable
    assert volume.levels(clumpy.find(ra, dec), distance) == pytest.approx(0, abs=1e-3)
    rng = np.random.default_rng(6)
    cells, distances = rng.integers(0, clumpy.cells, 1000), rng.uniform(0, 400, 1000)
    densest = volume.density(clumpy.find(ra, dec), distance)
    assert (volume.density(cells, distances) <= densest).all()


def test_places_that_cannot_be_are_the_last(clumpy):
    volume = Volume(clumpy)
    found = volume.levels([0, 0, 0, 0], [-1, np.inf, np.nan, 1e9])
    assert found[[0, 1, 3]] == pytest.approx(1)
    assert np.isnan(found[2])
    assert volume.density([0, 0], [-1, np.inf]).tolist() == [0, 0]
    assert volume.levels([], []).shape == (0,)
    assert volume.levels(0, 100.0).shape == ()


def test_cells_of_unknown_distance_are_not_within_any_volume(simple):
    mu = simple.distmu.copy()
    mu[3] = np.inf
    unknown = SkyMap(
        simple.uniq, simple.probdensity, mu, simple.distsigma, simple.distnorm).validate()
    volume = Volume(unknown)
    here = int(np.flatnonzero(np.isinf(unknown.distmu))[0])
    rest = 1 - unknown.prob[here]
    assert volume.known == pytest.approx(rest)
    assert volume.levels(here, 100) == 1
    assert np.isfinite(volume.credible_volumes(rest - 0.01))
    assert np.isinf(volume.credible_volumes(rest + 0.01))
    assert volume.density(here, 100) == 0


def test_a_map_whose_distances_are_all_unknown_has_no_volume(simple):
    nothing = SkyMap(simple.uniq, simple.probdensity, *np.full((3, simple.cells), np.inf))
    volume = Volume(nothing)
    assert volume.known == 0
    assert volume.most_probable is None
    assert volume.levels([0, 1], 100).tolist() == [1, 1]
    assert volume.credible_volumes([0, 0.5]).tolist() == [0, np.inf]


def test_a_map_without_distances_has_no_volume():
    with pytest.raises(SkyMapError, match="column DISTMU: has no distances"):
        Volume(make.cone(1, 2, 3, 0.9))


def test_a_cell_of_the_deepest_level_has_its_volume():
    skymap = bright_pixel(29, 12345, 0.9)
    mu = np.full(skymap.cells, 1e4)
    skymap = SkyMap(skymap.uniq, skymap.probdensity, mu, mu / 1e4, norms(mu, mu / 1e4)).validate()
    volume, cell = Volume(skymap), int(np.argmax(skymap.probdensity))
    # Half of the probability of a Gaussian cell is within 0.6745 sigma.
    shell = skymap.area[cell] * 1e8 * 2 * 0.67449
    assert volume.credible_volumes(0.45) == pytest.approx(shell, rel=1e-4)
    assert volume.levels(cell, 1e4 + 0.67449) == pytest.approx(0.45, abs=1e-3)
    assert volume.most_probable[1] == 1e4


def test_nothing_asked_is_nothing_told(clumpy):
    assert Volume(clumpy).credible_volumes([]).shape == (0,)
    assert Volume(clumpy).levels([], []).shape == (0,)


@pytest.mark.parametrize("level", [-0.1, 90, np.nan])
def test_levels_that_are_no_probabilities_are_refused(clumpy, level):
    with pytest.raises(SkyMapError, match="a credible level lies between 0 and 1"):
        Volume(clumpy).credible_volumes(level)


def test_a_distance_that_is_the_same_everywhere_leaves_the_order_of_the_sky(merger):
    mu, sigma = np.full(merger.cells, 1e4), np.full(merger.cells, 1e-2)
    skymap = SkyMap(merger.uniq, merger.probdensity, mu, sigma, norms(mu, sigma))
    found = Volume(skymap).levels(np.arange(merger.cells), 1e4)
    order = np.argsort(credible_levels(merger))
    assert (np.diff(found[order]) >= -1e-12).all()


@pytest.mark.parametrize("ratio", [-5000.0, -99, -3])
def test_mu_far_below_zero_is_a_gamma_distribution(ratio):
    """There p(r) goes to r^2 exp(-r s), with s = -mu / sigma^2: levels have a closed form."""
    uniq, density = np.arange(4, 16), np.full(12, 1 / (4 * np.pi))
    mu, sigma = np.full(12, ratio * 50), np.full(12, 50.0)
    slope = -ratio / 50
    volume = Volume(SkyMap(uniq, density, mu, sigma, np.ones(12)))
    y = np.array([0.5, 2, 5])
    within = 1 - np.exp(-y) * (1 + y + y**2 / 2)
    tolerance = 0.2 if ratio == -3 else 2e-3
    assert volume.levels(0, y / slope) == pytest.approx(within, abs=tolerance)


@pytest.mark.parametrize(("mu", "sigma"), [
    (1e300, 1.0), (-1e300, 1.0), (100.0, 1e300), (100.0, 5e-324), (np.nan, 1.0)])
def test_distances_that_are_damaged_are_unknown(simple, mu, sigma):
    distances = np.full(simple.cells, mu), np.full(simple.cells, sigma), np.ones(simple.cells)
    volume = Volume(SkyMap(simple.uniq, simple.probdensity, *distances))
    assert volume.known == 0
    assert np.isinf(volume.credible_volumes(0.5))
    assert volume.levels([0, 0, 0], [100.0, 0.0, np.inf]) == pytest.approx(1)
