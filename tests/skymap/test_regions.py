"""Regions and summaries, against ligo.skymap and published numbers."""

import json

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from scipy.integrate import quad

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.regions import (
    credible_areas,
    credible_level_at,
    credible_levels,
    densest_first,
    distance,
    mean_position,
    most_probable,
)
from gwbroker.skymap.summary import summarize

from .pairs import bright_pixel

LEVELS = [0.1, 0.5, 0.68, 0.9, 0.99]


def as_table(skymap):
    """Return a map in the form that ligo.skymap takes."""
    names = {"uniq": "UNIQ", "probdensity": "PROBDENSITY"}
    columns = {names[c]: getattr(skymap, c) for c in names}
    return np.rec.fromarrays(list(columns.values()), names=list(columns))


def test_areas_and_levels_of_a_gwalert_agree_with_ligo_skymap(merger, ligo):
    rng = np.random.default_rng(5)
    ra, dec = rng.normal(307.9, 2, 200), rng.normal(8.8, 2, 200)
    theirs = ligo("postprocess").crossmatch(
        as_table(merger), SkyCoord(ra, dec, unit="deg"), contours=LEVELS
    )
    assert credible_areas(merger, LEVELS) == pytest.approx(theirs.contour_areas, rel=1e-9)
    assert credible_level_at(merger, ra, dec) == pytest.approx(theirs.searched_prob, abs=1e-9)


def test_the_90_percent_area_of_the_recorded_gw190814_is_23_square_degrees(gw190814):
    assert credible_areas(gw190814, 0.9) == pytest.approx(23, abs=0.5)


def test_the_areas_of_gw190814_agree_with_ligo_skymap(gw190814, ligo):
    theirs = ligo("postprocess").crossmatch(as_table(gw190814), contours=LEVELS)
    assert credible_areas(gw190814, LEVELS) == pytest.approx(theirs.contour_areas, rel=1e-9)


def test_a_part_of_the_last_cell_counts(simple):
    skymap = simple.validate()
    best = np.argmax(skymap.probdensity)
    half = skymap.prob[best] / 2
    square_degrees = (180 / np.pi) ** 2
    assert credible_areas(skymap, half) == pytest.approx(skymap.area[best] / 2 * square_degrees)
    assert credible_areas(skymap, [0, 1]) == pytest.approx([0, 4 * np.pi * square_degrees])


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan"), [0.5, 90]])
def test_levels_that_are_no_probabilities_are_refused(simple, level):
    with pytest.raises(SkyMapError, match="levels: a credible level lies between 0 and 1, not"):
        credible_areas(simple, level)


def test_equally_dense_cells_keep_the_order_of_the_sky():
    rng = np.random.default_rng(1)
    density = rng.integers(0, 5, 3072) / 1.0
    skymap = SkyMap(1024 + np.arange(3072), density / density.mean() / (4 * np.pi))
    assert np.array_equal(densest_first(skymap), np.argsort(-density, kind="stable"))
    assert densest_first(skymap) is densest_first(skymap)
    with pytest.raises(ValueError, match="read-only"):
        credible_levels(skymap)[0] = 0


def test_the_whole_probability_is_where_there_is_any():
    density = np.array([1.0, 0, 2, 1] * 3)
    skymap = SkyMap(np.arange(4, 16), density / density.mean() / (4 * np.pi))
    sky = 4 * np.pi * (180 / np.pi) ** 2
    assert credible_areas(skymap, [0.5, 1]) == pytest.approx([sky / 4, sky * 3 / 4])
    assert credible_levels(skymap)[[1, 5, 9]].tolist() == [1, 1, 1]


def test_one_pixel_of_the_deepest_level_has_its_area():
    skymap = bright_pixel(29, 12345, 0.9)
    area = 4 * np.pi * (180 / np.pi) ** 2 / (12 * 4**29)
    assert credible_areas(skymap, [0.45, 0.9]) == pytest.approx([area / 2, area])


def test_the_mean_direction_goes_around_the_pole_and_zero():
    assert mean_position(make.cone(0, 0, 5, 0.9)).ra % 359.99 == pytest.approx(0, abs=0.05)
    assert mean_position(make.cone(123, 90, 5, 0.9)).dec == pytest.approx(90, abs=0.05)


def test_credible_levels_fall_with_density_and_end_at_one(merger):
    levels = credible_levels(merger)
    order = np.argsort(-merger.probdensity, kind="stable")
    assert (np.diff(levels[order]) >= 0).all()
    assert levels.max() == 1


@pytest.mark.parametrize(
    ("ra", "dec", "message"),
    [(np.nan, 0, "ra: nan"), (0, 91, "dec: 91"), ([0, 1], [0, np.nan], "dec: nan")],
)
def test_positions_off_the_sphere_are_refused(simple, ra, dec, message):
    with pytest.raises(SkyMapError, match=message):
        credible_level_at(simple, ra, dec)


def test_right_ascension_goes_around(simple):
    assert credible_level_at(simple, -10, 5) == credible_level_at(simple, 350, 5)


def test_the_most_probable_position_is_the_centre_of_the_densest_cell(merger, ligo):
    table = as_table(merger)
    theirs = ligo("postprocess").crossmatch(
        table, SkyCoord(*most_probable(merger), unit="deg"), contours=[]
    )
    assert theirs.offset == pytest.approx(0, abs=1e-5)


def test_the_most_probable_position_of_a_uniform_sky_is_some_position():
    ra, dec = most_probable(SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi)))
    assert 0 <= ra < 360
    assert -90 <= dec <= 90


def test_the_distance_of_a_gwalert_is_that_of_its_header(merger):
    far = distance(merger)
    assert far.mean == pytest.approx(merger.meta["DISTMEAN"], rel=1e-9)
    assert far.std == pytest.approx(merger.meta["DISTSTD"], rel=1e-9)


def test_the_distance_agrees_with_ligo_skymap(merger, ligo):
    theirs = ligo("distance").parameters_to_marginal_moments(
        merger.prob, merger.distmu, merger.distsigma
    )
    assert tuple(distance(merger)) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("mu", [-2000, -300, -41, -39, -1, 0, 1, 39, 100, 5000])
def test_the_distance_of_one_cell_is_the_integral_of_its_ansatz(mu):
    """Singer et al. (2016), ApJL 829, L15, equation 1, integrated numerically."""
    sigma = 20.0
    skymap = SkyMap(
        np.arange(4, 16), np.full(12, 1 / 4 / np.pi), *(np.full(12, v) for v in (mu, sigma, 1.0))
    )
    # The largest value of the integrand is taken out, so that nothing underflows.
    top = (mu + np.sqrt(mu**2 + 8 * sigma**2)) / 2

    def weight(r):
        log = (np.square(top - mu) - np.square(r - mu)) / (2 * sigma**2)
        return (r / top) ** 2 * np.exp(log)

    end = top + 15 * sigma
    start = max(0, top - 15 * sigma)
    zeroth, first, second = (
        quad(lambda r, k=k: r**k * weight(r), start, end, epsabs=0, epsrel=1e-11, limit=200,
             points=[top])[0]
        for k in range(3)
    )
    far = distance(skymap)
    assert far.mean == pytest.approx(first / zeroth, rel=1e-7)
    assert far.std == pytest.approx(np.sqrt(second / zeroth - (first / zeroth) ** 2), rel=1e-6)


def test_cells_of_unknown_distance_are_left_out(simple):
    mu = simple.distmu.copy()
    mu[3] = np.inf
    unknown = SkyMap(simple.uniq, simple.probdensity, mu, simple.distsigma, simple.distnorm)
    assert tuple(distance(unknown)) == pytest.approx(tuple(distance(simple)))
    mu[:] = np.inf
    assert distance(unknown) is None


def test_a_map_without_distances_has_none():
    assert distance(make.cone(1, 2, 3, 0.9)) is None


def test_a_summary_is_ready_for_json(merger):
    summary = summarize(merger)
    again = json.loads(json.dumps(summary.as_dict(), allow_nan=False))
    assert again["area_90"] == summary.area_90 == pytest.approx(7.75, abs=0.01)
    assert (again["cells"], again["max_level"]) == (19200, 11)
    assert (again["ra"], again["dec"]) == pytest.approx((307.859, 8.763), abs=1e-3)


def test_a_summary_without_distance_says_so():
    summary = summarize(make.cone(1, 2, 3, 0.9)).as_dict()
    assert summary["distmean"] is None
    assert summary["diststd"] is None
