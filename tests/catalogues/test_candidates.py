"""Candidates: read from tables and lines, scored, and refused when impossible."""

import dataclasses
import io
import json

import numpy as np
import pytest
from astropy.cosmology import Planck18
from astropy.table import Table
from scipy.integrate import quad
from scipy.stats import norm

from gwbroker.catalogues import Candidates, Scorer, score
from gwbroker.catalogues.chance import after_trials, host_chance
from gwbroker.catalogues.lines import lines
from gwbroker.catalogues.scorer import distance_overlap
from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.distances import norms
from gwbroker.skymap.regions import credible_level_at
from gwbroker.skymap.volume import Volume

ROWS = [{"name": "AT 2017gfo", "ra": 119.0, "dec": -21.0, "redshift": 0.045,
         "redshift_error": 0.004, "host_magnitude": 17.0, "host_offset": 10.0},
        {"name": None, "ra": 300.0, "dec": 40.0},
        {"name": "é", "ra": 121.0, "dec": -19.0, "distance": 190.0, "distance_error": 20.0}]


def test_levels_and_densities_are_those_of_the_map(volume_map):
    found = score(volume_map, Candidates.from_rows(ROWS, "test")).columns
    ra, dec = found["ra"], found["dec"]
    cell = volume_map.find(ra, dec)
    assert found["credible_level"] == pytest.approx(credible_level_at(volume_map, ra, dec))
    assert found["density"] == pytest.approx(volume_map.probdensity[cell])
    assert found["distance"][0] == pytest.approx(Planck18.luminosity_distance(0.045).value)
    assert found["distance"][2] == 190
    assert list(found["distance_from"]) == ["redshift, Planck18", None, "given"]
    volume = Volume(volume_map)
    for i in (0, 2):
        assert found["credible_level_3d"][i] == pytest.approx(
            volume.levels([cell[i]], [found["distance"][i]])[0])
    for name in ("credible_level_3d", "density_3d", "chance_volume", "distance_overlap"):
        assert np.isnan(found[name][1])
    assert found["chance"][1] == found["chance_sky"][1]
    assert found["chance"][0] == found["chance_volume"][0]


def test_the_chance_is_small_deep_in_the_map_and_large_outside(volume_map):
    """The direction: it is the credible level that is large outside as well."""
    inside, outside = score(volume_map, Candidates.from_rows(
        [{"ra": 120, "dec": -20, "distance": 180}, {"ra": 300, "dec": 20, "distance": 180}],
        "test")).rows()
    assert inside["chance_sky"] < 0.001 < 0.5 < outside["chance_sky"]
    assert inside["chance_volume"] < 0.001 < 0.5 < outside["chance_volume"]
    assert inside["credible_level"] < 0.2 < 0.99 < outside["credible_level"]
    assert inside["credible_level_3d"] < 0.2 < 0.99 < outside["credible_level_3d"]


def test_where_a_map_is_flat_nothing_is_deep_in_it():
    flat = SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi))
    assert score(flat, Candidates.of([10, 200], [5, -70])).columns["chance"] == pytest.approx(1)
    half = np.where(np.arange(12) < 6, 2, 0) / 4 / np.pi
    found = score(SkyMap(np.arange(4, 16), half), Candidates.of([45, 0], [89, -89])).columns
    assert found["chance"] == pytest.approx([0.5, 1])


def test_the_chance_in_space_is_the_volume_that_is_denser(volume_map):
    scorer = Scorer(volume_map, max_distance=5000.0)
    found = scorer.score(Candidates.of([119, 123], [-20, -24], distance=[180, 230])).columns
    volume = Volume(volume_map).credible_volumes(found["credible_level_3d"])
    assert found["chance_volume"] == pytest.approx(volume / (4 / 3 * np.pi * 5000**3), rel=1e-4)


def test_many_candidates_have_the_same_chances_as_few(volume_map):
    """Whatever else is in the table: some deep in the map, some hundreds of sigmas out."""
    rng = np.random.default_rng(4)
    ra, dec, d = rng.normal(120, 4, 600), rng.normal(-20, 4, 600), rng.uniform(50, 400, 600)
    ra[:3], dec[:3], d[:3] = 120, -20, [180, 190, 1]
    narrow = dataclasses.replace(volume_map, distsigma=volume_map.distsigma / 5)
    for scorer in (Scorer(volume_map), Scorer(narrow)):
        many = scorer.score(Candidates.of(ra, dec, distance=d)).columns["chance"]
        few = scorer.score(Candidates.of(ra[:40], dec[:40], distance=d[:40])).columns["chance"]
        assert many[:40] == pytest.approx(few, rel=3e-3, abs=0)


@pytest.mark.parametrize(("mu", "sigma", "d", "s"), [
    (200, 40, 200, 40), (200, 40, 300, 10), (100, 80, 30, 60), (-50, 60, 40, 20),
    (200, 1, 200, 100), (200, 40, 201, 0.5), (500, 10, 30, 3)])
def test_the_overlap_of_distances_is_its_integral(mu, sigma, d, s):
    mu_, sigma_ = np.full(12, float(mu)), np.full(12, float(sigma))
    n = norms(mu_, sigma_)
    skymap = SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi), mu_, sigma_, n)
    found = distance_overlap(skymap, np.array([0]), np.array([float(d)]), np.array([float(s)]))

    def integrand(r):
        return np.sqrt(n[0] * norm.pdf(r, mu, sigma) * r**2 * norm.pdf(r, d, s) / norm.sf(0, d, s))

    middle = (d * sigma**2 + mu * s**2) / (sigma**2 + s**2)
    width = sigma * s / np.hypot(sigma, s)
    exact = quad(integrand, max(0, middle - 20 * width), max(middle, 0) + 20 * width,
                 points=[max(middle, 0)], epsrel=1e-11, limit=500)[0]
    assert found[0] == pytest.approx(exact, rel=1e-6, abs=1e-30)
    assert 0 <= found[0] <= 1


@pytest.mark.parametrize(("mu", "sigma"), [(-5000, 100), (-1000, 30), (-300, 100)])
def test_a_mu_far_below_zero_is_scored_as_any_other(mu, sigma):
    """Of a norm that does not fit into a number; on a grid, as nobody would do it."""
    skymap = SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi), np.full(12, float(mu)),
                    np.full(12, float(sigma)), np.zeros(12))
    r = np.linspace(0, 600, 600_001)
    with np.errstate(divide="ignore"):
        p = np.exp(2 * np.log(r) - ((r - mu)**2 - mu**2) / (2 * sigma**2))
    p /= p.sum() * (r[1] - r[0])
    g = norm.pdf(r, 5, 2) / norm.sf(0, 5, 2)
    found = score(skymap, Candidates.of([0, 0], [0, 0], distance=[5, 5],
                                        distance_error=[2, np.nan])).columns
    overlap = np.sqrt(p * g).sum() * (r[1] - r[0])
    assert found["distance_overlap"][0] == pytest.approx(overlap, rel=1e-4)
    density = np.interp(5, r, p) / 25 / (4 * np.pi)
    assert found["density_3d"][1] == pytest.approx(density, rel=1e-4)


def test_equal_distances_overlap_fully_and_exclusive_ones_not_at_all(volume_map):
    far = dataclasses.replace(volume_map, distmu=np.full(volume_map.cells, 4000.0),
                              distsigma=np.full(volume_map.cells, 40.0))
    found = distance_overlap(far, np.zeros(2, np.int64), np.array([4000.0, 100]),
                             np.array([40.0, 1]))
    assert found == pytest.approx([1, 0], abs=1e-3)


def test_the_chance_of_a_host_is_that_of_bloom_2002():
    """A galaxy of 20 mag at 1 arcsecond: 1 - exp(-pi 10^(-1.32 - 2.44) / (0.33 ln 10))."""
    expected = 1 - np.exp(-np.pi * 10 ** (0.33 * -4 - 2.44) / (0.33 * np.log(10)))
    assert host_chance(20, 1) == pytest.approx(expected)
    assert host_chance([15, 25], [1, 1])[0] < host_chance([15, 25], [1, 1])[1]
    assert host_chance([20, 20, 20], [0, 1e6, -1])[:2] == pytest.approx([0, 1])
    assert np.isnan(host_chance([20, np.nan], [-1, 1])).all()


def test_chances_after_trials():
    assert after_trials([0, 0.5, 1], 2) == pytest.approx([0, 0.75, 1])
    assert after_trials(1e-20, 1000) == pytest.approx(1e-17)
    assert after_trials(np.nan, 3) != after_trials(np.nan, 3)


def test_a_map_without_distances_scores_on_the_sky(volume_map):
    flat = make.cone(120, -20, 8, 0.9)
    found = score(flat, Candidates.from_rows(ROWS, "test"))
    assert found.provenance["dimensions"] == 2
    assert "chance_volume" not in found.columns
    assert (found.columns["chance"] == found.columns["chance_sky"]).all()


def test_trials_are_the_candidates_unless_given(volume_map):
    candidates = Candidates.from_rows(ROWS, "test")
    for trials, expected in ((None, 3), (100, 100)):
        found = score(volume_map, candidates, trials=trials)
        assert found.provenance["trials"] == expected
        assert found.columns["chance_trials"] == pytest.approx(
            1 - (1 - found.columns["chance"]) ** expected)


@pytest.mark.parametrize("name", ["c.csv", "c.ecsv", "c.fits", "c.parquet", "c.jsonl"])
def test_candidates_are_read_from_tables_and_lines_of_json(tmp_path, name):
    rows = [{**row, "name": row["name"] or "AT b"} for row in ROWS]
    rows[2]["name"] = "AT c"
    path = tmp_path / name
    if name == "c.jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    else:
        table = Table({c: [row.get(c, np.nan) for row in rows] for c in ROWS[0]})
        table["distance"] = [np.nan, np.nan, 190.0]
        if name == "c.parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq
            pq.write_table(pa.table({c: table[c].tolist() for c in table.colnames}), path)
        else:
            table.write(path, **({"format": "ascii.csv"} if name == "c.csv" else {}))
    found = Candidates.read(path)
    assert list(found.name) == ["AT 2017gfo", "AT b", "AT c"]
    assert list(found.ra) == [119, 300, 121]
    np.testing.assert_array_equal(found.redshift, [0.045, np.nan, np.nan])
    np.testing.assert_array_equal(found.distance, [np.nan, np.nan, 190])


@pytest.mark.parametrize(("row", "message"), [
    ({"ra": 1}, "column dec: nan is not within"),
    ({"ra": float("nan"), "dec": 1}, "column ra: nan is not a finite number of degrees"),
    ({"ra": "12:34:56", "dec": 1}, "column ra: '12:34:56' is not a number; positions are in deg"),
    ({"ra": 361, "dec": 1}, "column ra: 361 is not within -180 and 360"),
    ({"ra": 1, "dec": -91}, "column dec: -91 is not within -90 and 90"),
    ({"ra": True, "dec": 1}, "column ra: True is not a number"),
    ({"ra": [1], "dec": 1}, r"column ra: \[1\] is not a number"),
    ({"ra": 1, "dec": 1, "redshift": 1000}, "column redshift: 1000 is not a redshift"),
    ({"ra": 1, "dec": 1, "distance": -5}, "column distance: -5 is not a positive dist"),
    ({"ra": 1, "dec": 1, "distance": float("inf")}, "column distance: inf"),
    ({"ra": 1, "dec": 1, "distance": 5, "distance_error": -1}, "column distance_error: -1"),
])
def test_impossible_candidates_are_refused(row, message):
    with pytest.raises(SkyMapError, match=message):
        Candidates.from_rows([row], "test")


def test_of_several_candidates_the_row_of_the_impossible_one_is_told():
    with pytest.raises(SkyMapError, match="column ra: 400 in row 2 is not within -180 and 360 deg"):
        Candidates.from_rows([{"ra": 1, "dec": 1}, {"ra": 400, "dec": 1}], "test")


@pytest.mark.parametrize(("line", "message"), [
    ("{", "is not JSON"), (b'{"ra": 1, "\xff": 2}', "is not JSON"),
    pytest.param("[" * 100_000, "is not JSON", id="deep"),
    pytest.param('{"ra": "' + "1" * 1_000_000 + '"}', "is longer than 1,000,000", id="long"),
    ("[1, 2]", "is not a JSON object but list"), ("", "is not JSON")])
def test_lines_that_are_no_candidate_are_refused(line, message):
    with pytest.raises(SkyMapError, match=f"line 3: {message}"):
        Candidates.from_line(line, "line 3")


def test_parameters_that_make_no_sense_are_refused(volume_map):
    candidates = Candidates.from_rows(ROWS, "test")
    with pytest.raises(SkyMapError, match="trials: 0 is less than one"):
        score(volume_map, candidates, trials=0)
    for distance in (0, -1, np.inf, np.nan):
        with pytest.raises(SkyMapError, match="max_distance"):
            score(volume_map, candidates, max_distance=distance)
    with pytest.raises(SkyMapError, match="column redshift: has 1 values, not 2"):
        Candidates.of([1, 2], [3, 4], redshift=[0.1])


def test_no_candidates_give_an_empty_table(volume_map):
    assert score(volume_map, Candidates.of([], [])).rows() == []


def test_candidates_at_poles_and_at_unknown_distance_are_scored(volume_map):
    mu = volume_map.distmu.copy()
    cell = int(volume_map.find(120, -20))
    mu[cell] = np.inf
    partly = dataclasses.replace(volume_map, distmu=mu)
    found = score(partly, Candidates.of([0, 0, 120], [90, -90, -20], distance=[100, 100, 100],
                                        distance_error=[5, 5, 5])).rows()
    for column in ("credible_level_3d", "density_3d", "distance_overlap", "chance_volume"):
        assert found[2][column] is None
    assert found[2]["chance"] == found[2]["chance_sky"] < 1e-3
    assert all(0 <= row["chance"] <= 1 for row in found)


def test_a_map_of_which_no_distance_is_known_scores_on_the_sky(volume_map):
    flat = dataclasses.replace(volume_map, distmu=None, distsigma=None, distnorm=None)
    unknown = dataclasses.replace(
        volume_map, distmu=np.full(volume_map.cells, np.inf),
        distsigma=np.ones(volume_map.cells), distnorm=np.zeros(volume_map.cells))
    candidates = Candidates.from_rows(ROWS, "test")
    found = score(unknown, candidates)
    assert found.provenance["dimensions"] == 2
    assert found.rows() == score(flat, candidates).rows()


def test_names_that_no_table_could_show_are_refused():
    for name, message in (("\ud800", "is not Unicode text"), ("A" * 1000, "has 1,000 letters"),
                          ({"a": 1}, "is not a name")):
        with pytest.raises(SkyMapError, match=f"column name: .*{message}"):
            Candidates.from_rows([{"name": name, "ra": 1, "dec": 2}], "test")


def test_of_many_lines_the_wrong_one_is_named(tmp_path):
    rows = [json.dumps({"ra": n % 360, "dec": 0}) for n in range(25_000)]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(rows))
    assert len(Candidates.read(path)) == 25_000
    rows[12_345] = '{"ra": 1, "dec": 91}'
    path.write_text("\n".join(rows))
    with pytest.raises(SkyMapError, match=r"line 12346: column dec: 91 is not"):
        Candidates.read(path)


def test_lines_of_any_length_are_read_in_pieces():
    content = b"short\n" + b"x" * 35 + b"\n" + b"y" * 10 + b"\n\nlast"
    found = list(lines(io.BytesIO(content), longest=10))
    assert found == [b"short\n", b"x" * 11, b"y" * 10 + b"\n", b"\n", b"last"]
