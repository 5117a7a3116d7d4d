"""Fermi GBM's positions: core and tail of the systematic errors, with the statistical one."""

from __future__ import annotations

import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import fisher, make
from gwbroker.skymap.gbm import SYSTEMATICS
from gwbroker.skymap.multiorder import SQUARE_DEGREE
from gwbroker.skymap.regions import credible_areas, most_probable

NAN = float("nan")


def within(skymap, ra, dec, radius):
    """Return the probability within a radius (degrees) of a position."""
    a, d = np.radians([ra, dec])
    centre = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    return skymap.prob[skymap.vectors @ centre > np.cos(np.radians(radius))].sum()


@pytest.mark.parametrize("located", SYSTEMATICS)
def test_without_statistical_error_core_and_tail_hold_what_was_published(located):
    of = SYSTEMATICS[located]
    skymap = make.gbm(120, -30, 1e-3, 0.68, located)
    for radius in (of.core, of.tail):
        u = 1 - np.cos(np.radians(radius))
        kappas = [fisher.concentration(size, 0.68) for size in (of.core, of.tail)]
        parts = [np.expm1(-k * u) / np.expm1(-2 * k) for k in kappas]
        expected = of.fraction * parts[0] + (1 - of.fraction) * parts[1]
        assert within(skymap, 120, -30, radius) == pytest.approx(expected, abs=0.005)
    assert most_probable(skymap) == pytest.approx((120, -30), abs=0.2)


def test_small_errors_add_in_quadrature():
    assert fisher.convolve(
        fisher.concentration(0.3, 0.68), fisher.concentration(0.4, 0.68)
    ) == pytest.approx(fisher.concentration(0.5, 0.68), rel=1e-4)


@pytest.mark.parametrize("one", [1e-3, 0.5, 3, 19.9, 20.1, 1e3, 1e12])
@pytest.mark.parametrize("other", [1e-3, 0.5, 3, 19.9, 20.1, 1e3, 1e12])
def test_mean_cosines_multiply(one, other):
    both = fisher.convolve(one, other)
    assert both == pytest.approx(fisher.convolve(other, one), rel=1e-9)
    assert both <= min(one, other) * (1 + 1e-6)
    mean = (1 - fisher.spread(one)) * (1 - fisher.spread(other))
    assert 1 - fisher.spread(both) == pytest.approx(mean, rel=1e-6, abs=1e-9)


def test_the_map_is_wider_than_its_statistical_error_says():
    alone = credible_areas(make.cone(10, 20, 2, 0.68), 0.9)
    whole = credible_areas(make.gbm(10, 20, 2, 0.68, "final"), 0.9)
    # A core of 3.71 and 2 degrees in quadrature, and a tenth of the bursts in the tail.
    assert whole > 4 * alone
    cap = 2 * np.pi * (1 - np.cos(np.radians(np.hypot(3.71, 2)))) * SQUARE_DEGREE
    assert credible_areas(make.gbm(10, 20, 2, 0.68, "final"), 0.6) < cap


def test_a_statistical_error_of_half_the_sky_is_a_map_too():
    skymap = make.gbm(10, 20, 70, 0.68, "flight")
    assert skymap.prob.sum() == pytest.approx(1)
    assert within(skymap, 10, 20, 70) < 0.68


@pytest.mark.parametrize(("arguments", "message"), [
    ((10, 20, 2, 0.68, "Final"), "located: 'Final' is not one of flight, ground, final"),
    ((10, 20, 2, 0.68, None), "located: None is not one of"),
    ((10, 20, 0, 0.68, "final"), "radius: 0 is not more than 0"),
    ((10, 20, 180, 0.68, "final"), "radius: 180 deg at containment 0.68 is wider"),
    ((10, 20, NAN, 0.68, "final"), "radius: nan"),
    ((10, 20, 2, 68, "final"), "containment: 68"),
    ((NAN, 20, 2, 0.68, "final"), "ra: nan"),
    ((10, 91, 2, 0.68, "final"), "dec: 91"),
])
def test_bad_values_are_named(arguments, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        make.gbm(*arguments)
