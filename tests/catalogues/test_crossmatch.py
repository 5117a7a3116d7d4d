"""Galaxies in a credible region, against ligo.skymap and against sums over everything."""

import dataclasses

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from scipy.integrate import quad
from scipy.stats import norm

from gwbroker.catalogues import Catalogue, add, crossmatch
from gwbroker.catalogues.crossmatch import cells_of_sorted
from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.multiorder import uniq_of
from gwbroker.skymap.regions import distance


def test_levels_and_densities_agree_with_ligo_skymap_on_the_same_galaxies(
    volume_map, galaxies, csv, tmp_path, ligo_crossmatch,
):
    """It has voxels, a thousand along a line of sight, and takes the one that begins below."""
    voxel = 6 * distance(volume_map).mean / 1000
    here = {name: galaxies[name] for name in ("ra", "dec")}
    here["distance"] = voxel * np.clip(np.round(galaxies["distance"] / voxel), 1, 900) * (1 + 1e-6)
    made, _ = add(csv(tmp_path / "g.csv", here), tmp_path / "made")
    found = crossmatch(volume_map, made, level=1, rank="probability").table.columns
    theirs = ligo_crossmatch(volume_map, SkyCoord(
        found["ra"] * units.deg, found["dec"] * units.deg,
        found["distance"].astype(float) * units.Mpc))
    assert found["credible_level"] == pytest.approx(theirs.searched_prob, abs=1e-9)
    assert found["density"] == pytest.approx(theirs.probdensity, rel=1e-9)
    assert found["credible_level_3d"] == pytest.approx(theirs.searched_prob_vol, abs=1e-3)
    assert found["density_3d"] == pytest.approx(theirs.probdensity_vol, rel=1e-3)
    assert ((found["credible_level_3d"] > 0.05) & (found["credible_level_3d"] < 0.9)).sum() > 500


def test_only_what_the_region_touches_is_read_and_nothing_in_it_is_missed(volume_map, catalogue):
    found = crossmatch(volume_map, catalogue, level=0.9, rank="probability")
    everything = crossmatch(volume_map, catalogue, level=1, rank="probability")
    assert everything.read == catalogue.rows
    assert 0 < found.read < 0.5 * catalogue.rows
    c = everything.table.columns
    # By the level at its distance a galaxy is in, and with an error also by the mean density.
    near = c["credible_level_3d"] <= 0.9
    names = {(a, b) for a, b in zip(found.table.columns["ra"], found.table.columns["dec"],
                                    strict=True)}
    assert {(a, b) for a, b in zip(c["ra"][near], c["dec"][near], strict=True)} <= names
    by_mean = found.table.columns["credible_level_3d"] > 0.9
    assert by_mean.any()
    assert np.isfinite(found.table.columns["distance_error"][by_mean]).all()
    assert found.inside == len(names) == found.ranked


def test_the_density_is_the_integral_over_the_distance_of_the_galaxy(volume_map, catalogue):
    c = crossmatch(volume_map, catalogue, level=1, rank="probability", top=3000).table.columns
    rng = np.random.default_rng(3)
    rough = rng.choice(np.flatnonzero(np.isfinite(c["distance_error"])), 30, replace=False)
    for i in rough:
        cell = int(volume_map.find(c["ra"][i], c["dec"][i]))
        mu, sigma = volume_map.distmu[cell], volume_map.distsigma[cell]
        d, s = float(c["distance"][i]), float(c["distance_error"][i])

        def integrand(r, mu=mu, sigma=sigma, d=d, s=s, cell=cell):
            return (volume_map.probdensity[cell] * volume_map.distnorm[cell]
                    * norm.pdf(r, mu, sigma) * norm.pdf(r, d, s))

        exact = quad(integrand, 0, 1500, points=[mu, d], epsabs=0, epsrel=1e-10, limit=200)[0]
        exact /= norm.sf(0, d, s)
        assert c["density_3d"][i] == pytest.approx(exact, rel=1e-5)
    exact = np.flatnonzero(np.isnan(c["distance_error"]))
    cell = volume_map.find(c["ra"][exact], c["dec"][exact])
    expected = volume_map.probdensity[cell] * volume_map.distnorm[cell] * norm.pdf(
        c["distance"][exact].astype(float), volume_map.distmu[cell], volume_map.distsigma[cell])
    assert c["density_3d"][exact] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", ["luminosity", "mass", "probability"])
def test_scores_are_density_times_weight_fall_and_sum_to_one(volume_map, catalogue, rank):
    found = crossmatch(volume_map, catalogue, rank=rank)
    c = found.table.columns
    weight = np.ones(len(c["score"])) if rank == "probability" else c[rank].astype(float)
    product = c["density_3d"] * weight
    assert c["score"] == pytest.approx(product / product.sum(), rel=1e-6)
    assert (np.diff(c["score"]) <= 0).all()
    assert c["cumulative"][-1] == pytest.approx(1)
    assert list(c["rank"]) == list(range(1, found.ranked + 1))
    assert (found.ranked < found.inside) == (rank == "mass")


def test_the_best_few_are_the_best_of_all_whatever_the_number_of_threads(volume_map, catalogue):
    everything = crossmatch(volume_map, catalogue, level=1).table.columns
    for threads in (1, 3):
        few = crossmatch(volume_map, catalogue, level=1, top=50, threads=threads)
        for name, values in few.table.columns.items():
            np.testing.assert_array_equal(values, everything[name][:50])
        assert few.ranked == len(everything["ra"])


def test_a_map_without_distances_ranks_on_the_sky_and_says_so(catalogue, ligo_crossmatch):
    flat = make.cone(120, -20, 8, 0.9)
    found = crossmatch(flat, catalogue, rank="probability")
    c = found.table.columns
    assert found.table.provenance["dimensions"] == 2
    assert "credible_level_3d" not in c
    assert c["credible_level"].max() <= 0.9
    theirs = ligo_crossmatch(flat, SkyCoord(c["ra"], c["dec"], unit="deg"))
    assert c["credible_level"] == pytest.approx(theirs.searched_prob, abs=1e-9)
    assert (np.diff(c["density"]) <= 0).all()


def test_galaxies_without_distance_are_counted_and_not_ranked(volume_map, csv, tmp_path):
    path = csv(tmp_path / "g.csv", {"ra": [120, 120.5, 300], "dec": [-20, -20, 20],
                                    "distance": [190, np.nan, np.nan], "name": ["M 1", "é", "x"]})
    found = crossmatch(volume_map, add(path, tmp_path / "made")[0], rank="probability")
    assert (found.inside, found.without_distance) == (1, 1)
    assert list(found.table.columns["name"]) == ["M 1"]


def test_a_level_29_map_is_matched_without_being_rasterized(csv, tmp_path):
    """One cell at level 29, and what is around it in ever larger ones."""
    path = csv(tmp_path / "g.csv", {"ra": [45.0, 45.1, 200], "dec": [0.0, 0.0, 10]})
    made, _ = add(path, tmp_path / "made")
    from gwbroker.catalogues.columns import SCHEMA
    assert SCHEMA.names[0] == "pixel"
    pixel = made.partitions[0].read(["pixel"])["pixel"][0].as_py()
    uniq = [uniq_of(29, np.array([pixel]))]
    for level in range(29, 0, -1):
        here = pixel >> (2 * (29 - level))
        uniq.append(uniq_of(level, np.setdiff1d(4 * (here >> 2) + np.arange(4), [here])))
    uniq.append(uniq_of(0, np.setdiff1d(np.arange(12), [pixel >> 58])))
    uniq = np.concatenate(uniq)
    density = np.where(np.arange(len(uniq)) == 0, 0.99, 1e-3)
    density[0] /= SkyMap(uniq, density).area[0]
    deep = SkyMap(uniq, density).validate()
    deep = dataclasses.replace(deep, probdensity=density[np.argsort(SkyMap(uniq, density).start)])
    found = crossmatch(deep, made, level=0.5, rank="probability")
    assert found.inside == 1
    assert found.table.columns["ra"][0] in (45.0, 45.1)


def test_a_map_of_which_no_distance_is_known_ranks_on_the_sky(volume_map, catalogue):
    flat = dataclasses.replace(volume_map, distmu=None, distsigma=None, distnorm=None)
    unknown = dataclasses.replace(
        volume_map, distmu=np.full(volume_map.cells, np.inf),
        distsigma=np.ones(volume_map.cells), distnorm=np.zeros(volume_map.cells))
    found = crossmatch(unknown, catalogue, rank="probability", top=5)
    assert found.table.provenance["dimensions"] == 2
    assert found.inside > 0
    assert found.table.rows() == crossmatch(flat, catalogue, rank="probability", top=5).table.rows()


def test_no_more_than_all_of_the_probability_has_a_known_distance(volume_map, catalogue):
    """A total is only exact but for rounding, and is left as it is."""
    rounded = dataclasses.replace(volume_map, probdensity=volume_map.probdensity * (1 + 5e-10))
    assert rounded.validate().prob.sum() > 1
    about = crossmatch(rounded, catalogue, level=0.5, rank="probability").table.provenance
    assert about["distance_known"] == 1


def test_a_distance_known_to_a_parsec_loses_no_galaxy_by_rounding(volume_map, tmp_path, csv):
    """Of a host that is known: 32 bits show 0.0002 Mpc here."""
    rng = np.random.default_rng(3)
    mu, sigma = np.full(volume_map.cells, 4123.4567), np.full(volume_map.cells, 1e-4)
    narrow = dataclasses.replace(volume_map, distmu=mu, distsigma=sigma)
    distance = np.float32(4123.4567) + np.float32(2**-12) * rng.integers(-4, 5, 300)
    made, _ = add(csv(tmp_path / "g.csv", {
        "ra": rng.normal(120, 3, 300), "dec": rng.normal(-20, 3, 300),
        "distance": distance.astype(float)}), tmp_path / "c")
    found = crossmatch(narrow, made, level=0.999, rank="probability")
    everything = crossmatch(narrow, made, level=1.0, rank="probability").table.columns
    expected = (everything["credible_level_3d"] <= 0.998).sum()
    assert expected > 30
    assert found.inside >= expected


@pytest.mark.parametrize(("options", "message"), [
    ({"level": 0.0}, "level: 0 is not between 0 and 1"),
    ({"level": 90.0}, "level: 90 is not between 0 and 1"),
    ({"level": float("nan")}, "level: nan is not"),
    ({"rank": "beauty"}, "rank: 'beauty' is not known; there are luminosity, mass"),
    ({"top": 0}, "top: 0 galaxies"),
])
def test_parameters_that_make_no_sense_are_refused(volume_map, catalogue, options, message):
    with pytest.raises(SkyMapError, match=message):
        crossmatch(volume_map, catalogue, **options)


def test_ranking_by_what_no_galaxy_has_is_refused_with_the_remedy(volume_map, csv, tmp_path):
    path = csv(tmp_path / "g.csv", {"ra": [120], "dec": [-20], "distance": [190]})
    made, _ = add(path, tmp_path / "made")
    with pytest.raises(SkyMapError, match=r"column mass: none of the 1 .* rank by luminosity or"):
        crossmatch(volume_map, made, rank="mass")


def test_the_result_says_which_map_catalogue_and_versions_made_it(volume_map, catalogue):
    about = crossmatch(volume_map, catalogue, top=5).table.provenance
    again = crossmatch(volume_map, Catalogue.open(catalogue.folder), top=5).table.provenance
    assert about == again
    assert about["catalogue_digest"] == catalogue.digest
    assert len(about["map_sha256"]) == 64
    other = dataclasses.replace(volume_map, distmu=volume_map.distmu + 1)
    assert crossmatch(other, catalogue, top=5).table.provenance["map_sha256"] != about["map_sha256"]


def test_cells_of_sorted_pixels_are_those_that_find_gives(volume_map):
    rng = np.random.default_rng(1)
    for count in (0, 1, 100, 100_000):
        pixel = np.sort(rng.integers(0, 12 * 4**29, count))
        expected = np.searchsorted(volume_map.start, pixel, side="right") - 1
        assert np.array_equal(cells_of_sorted(volume_map.start, pixel), expected)


def test_partitions_that_touch_a_range_are_found(catalogue):
    level = catalogue.level
    for partition in catalogue.partitions[::7]:
        shift = 2 * (29 - level)
        first = partition.pixel << shift
        for start, end, hit in ((first, first + 1, True), (first - 1, first, False),
                                (0, 12 * 4**29, True),
                                (((partition.pixel + 1) << shift) - 1,
                                 (partition.pixel + 1) << shift, True)):
            found = catalogue.touching(np.array([[start, end]]), 29)
            assert (partition in found) == hit
    assert catalogue.touching(np.zeros((0, 2), np.int64), 29) == ()
