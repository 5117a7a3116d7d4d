"""Distances of cells, against ligo.skymap and numerical integrals."""

import numpy as np
import pytest
from scipy.integrate import quad

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.distances import (
    along,
    cdf,
    mode,
    moments,
    norms,
    parameters,
    pdf,
    quantile,
)
from gwbroker.skymap.marginal import Mixture, marginal

SIGMA = 50.0
RATIOS = np.array([-9, -5, -2.1, -2, -1.9, 0, 0.5, 3, 8.9, 9.1, 40, 1000.0])
"""Of mu to sigma, on both sides of where the way of computing changes."""


def test_moments_agree_with_ligo_skymap(ligo):
    mu = RATIOS * SIGMA
    mean, std, norm = ligo("distance").parameters_to_moments(mu, SIGMA)
    ours = moments(mu, SIGMA)
    assert ours[0] == pytest.approx(mean, rel=1e-8)
    assert ours[1] == pytest.approx(std, rel=1e-7)
    assert norms(mu, SIGMA) == pytest.approx(norm, rel=1e-8)


def test_parameters_agree_with_ligo_skymap(ligo):
    mean, std = 100.0, 100 / np.array([1.8, 2, 3, 5, 8, 12, 30, 1000])
    for ours, theirs in zip(
        parameters(mean, std), ligo("distance").moments_to_parameters(mean, std), strict=True
    ):
        assert ours == pytest.approx(theirs, rel=5e-6)  # theirs is as rough there
    easy = std < 40
    for ours, theirs in zip(
        parameters(mean, std[easy]), ligo("distance").moments_to_parameters(mean, std[easy]),
        strict=True,
    ):
        assert ours == pytest.approx(theirs, rel=1e-6)


def test_parameters_are_the_inverse_of_moments_down_to_the_widest_ansatz():
    ratio = np.concatenate([1.7348 + np.geomspace(1e-4, 10, 400), np.geomspace(12, 1e8, 200)])
    mu, sigma, norm = parameters(300.0, 300 / ratio)
    mean, std = moments(mu, sigma)
    assert mean == pytest.approx(300.0, rel=1e-12)
    assert std == pytest.approx(300 / ratio, rel=1e-11)
    assert norm == pytest.approx(norms(mu, sigma), rel=1e-9)
    assert np.isfinite(norm).all()


def test_close_to_the_widest_ansatz_the_mean_is_kept():
    mu, sigma, norm = parameters(100.0, 100 / (np.sqrt(3) + 1e-12))
    mean, std = moments(mu, sigma)
    assert mean == pytest.approx(100)
    assert std == pytest.approx(100 / np.sqrt(3), rel=2e-3)
    assert np.isfinite(norm)


@pytest.mark.parametrize(
    ("mean", "std"),
    [(100, 58), (100, np.inf), (np.inf, 1), (np.nan, 1), (1, np.nan), (0, 0), (100, 0), (-1, 1),
     (1, -1)],
)
def test_moments_that_no_ansatz_has_give_an_unknown_distance(mean, std):
    assert [float(each) for each in parameters(mean, std)] == [np.inf, 1, 0]


def test_an_unknown_distance_has_no_moments_and_no_probability():
    mean, std = moments([np.inf, np.nan, 100, 100, 100], [1, 1, np.nan, 0, -1])
    assert np.isinf(mean).all()
    assert np.isinf(std).all()
    assert norms(np.inf, 1) == pdf(5, np.inf, 1, 0) == cdf(5, np.inf, 1, 0) == 0
    assert np.isnan(quantile(0.5, np.inf, 1, 0))
    assert np.isnan(mode(np.inf, 1))


@pytest.mark.parametrize("ratio", [-30.0, -3, 0, 2, 20])
def test_pdf_and_cdf_agree_with_ligo_skymap_and_with_each_other(ratio, ligo):
    mu, norm = ratio * SIGMA, float(norms(ratio * SIGMA, SIGMA))
    mean, std = moments(mu, SIGMA)
    r = mean + std * np.linspace(-1.5, 5, 14)
    r = r[r > 0]
    if ratio > -10:  # theirs overflows
        theirs = ligo("distance")
        assert pdf(r, mu, SIGMA, norm) == pytest.approx(
            theirs.conditional_pdf(r, mu, SIGMA, norm), rel=1e-9)
        assert cdf(r, mu, SIGMA, norm) == pytest.approx(
            theirs.conditional_cdf(r, mu, SIGMA, norm), abs=1e-9)
    for each in r:
        integral = quad(pdf, 0, each, (mu, SIGMA, norm), points=[mean] if mean < each else None)
        assert cdf(each, mu, SIGMA, norm) == pytest.approx(integral[0], abs=1e-8)


def test_quantiles_are_the_inverse_of_the_cdf():
    p = np.array([1e-4, 0.05, 0.5, 0.95, 0.999])
    mu = np.append(RATIOS, [-90, -1e4])[:, np.newaxis] * SIGMA
    norm = 1.0
    assert cdf(quantile(p, mu, SIGMA, norm), mu, SIGMA, norm) == pytest.approx(
        np.broadcast_to(p, (len(mu), 5)), abs=1e-8)
    assert quantile([0, 1], 100, SIGMA, norm).tolist() == [0, np.inf]
    assert np.isnan(quantile([-0.1, 1.1, np.nan], 100, SIGMA, norm)).all()
    assert cdf([-5, 0, np.inf], 100, SIGMA, norm).tolist() == [0, 0, 1]


def test_narrow_distances_keep_their_digits():
    median = quantile([0.16, 0.5, 0.84], 1e10, 1.0, 1.0)
    assert median - 1e10 == pytest.approx([-0.99446, 0, 0.99446], abs=1e-4)
    assert moments(1e10, 1.0)[1] == pytest.approx(1)


def test_empty_columns_stay_empty():
    assert [len(each) for each in parameters([], [])] == [0, 0, 0]
    assert len(quantile([], [], [], [])) == len(cdf([], 1, 1, 1)) == len(moments([], [])[0]) == 0


def test_the_mode_is_where_the_density_is_highest():
    mu = RATIOS[:-1] * SIGMA
    best, norm = mode(mu, SIGMA), norms(mu, SIGMA)
    top = pdf(best, mu, SIGMA, norm)
    for factor in (0.999, 1.001):
        assert (pdf(best * factor, mu, SIGMA, norm) < top).all()


def test_the_distance_along_a_line_of_sight_is_that_of_its_cell(merger, ligo):
    found = along(merger, 307.9, 8.8)
    cell = merger.find(307.9, 8.8)
    mu, sigma, norm = merger.distmu[cell], merger.distsigma[cell], merger.distnorm[cell]
    theirs = ligo("distance")
    assert (found.mean, found.std) == pytest.approx(
        theirs.parameters_to_moments(mu, sigma)[:2], rel=1e-9)
    assert [found.lower, found.median, found.upper] == pytest.approx(
        theirs.conditional_ppf([0.05, 0.5, 0.95], mu, sigma, norm), rel=1e-4)
    assert found.lower < found.mode < found.upper


def test_without_distances_there_is_none_along_a_line_of_sight(simple):
    assert along(make.cone(1, 2, 3, 0.9), 1, 2) is None
    assert marginal(make.cone(1, 2, 3, 0.9)) is None
    mu = np.full(simple.cells, np.inf)
    unknown = SkyMap(simple.uniq, simple.probdensity, mu, simple.distsigma, simple.distnorm)
    assert along(unknown, 1, 2) is None
    assert marginal(unknown) is None
    with pytest.raises(SkyMapError, match="dec: 91"):
        along(simple, 0, 91)


def test_the_distance_over_the_sky_agrees_with_ligo_skymap(merger, ligo):
    found = marginal(merger)
    columns = merger.prob, merger.distmu, merger.distsigma, merger.distnorm
    theirs = ligo("distance")
    quantiles = np.array([found.lower, found.median, found.upper])
    assert theirs.marginal_cdf(quantiles, *columns) == pytest.approx([0.05, 0.5, 0.95], abs=1e-4)
    r = np.linspace(20, 60, 5)
    assert Mixture(merger).pdf(r) == pytest.approx(
        theirs.marginal_pdf(r, *columns), abs=5e-5)  # of at most 0.07
    near = found.mode + np.linspace(-2, 2, 41)
    assert found.mode == pytest.approx(
        near[np.argmax(theirs.marginal_pdf(near, *columns))], abs=0.1)
