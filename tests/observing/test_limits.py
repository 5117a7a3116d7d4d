"""Limits: each has its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.observing.horizon import Horizon, unit
from gwbroker.observing.limits import Limits
from gwbroker.observing.sites import SITES

RA, DEC = np.meshgrid(np.arange(0, 360, 15.0), np.arange(-80, 81, 10.0))
SKY = unit(RA.ravel(), DEC.ravel())
HORIZON = Horizon(SITES["palomar"], 1.7e9 + np.arange(0, 86400, 3600))


@pytest.mark.parametrize(("name", "value"), [
    ("airmass", 0.99), ("airmass", float("nan")), ("airmass", float("inf")), ("airmass", "two"),
    ("moon", -1), ("moon", 181), ("moon", float("nan")), ("twilight", "night"),
    ("declination", (20, -20)), ("declination", (-91, 0)), ("declination", 5),
    ("hour_angle", 0), ("hour_angle", 13), ("hour_angle", float("nan")),
])
def test_a_limit_out_of_bounds_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(SkyMapError, match=name):
        Limits(**{name: value})


def test_each_limit_hides_what_it_says() -> None:
    limits = Limits(1.5, 40, declination=(-10, 50), hour_angle=3)
    altitude = np.degrees(np.arcsin(1 / 1.5))
    kept = limits.each(HORIZON, SKY)
    assert np.array_equal(kept["airmass"], HORIZON.altitude(SKY) >= altitude)
    assert np.array_equal(kept["Moon"], HORIZON.moon_distance(SKY) >= 40)
    assert np.array_equal(kept["hour angle"], np.abs(HORIZON.hour_angle(SKY)) <= 3)
    dec = DEC.ravel()
    assert np.array_equal(kept["declination"][0], (dec >= -10) & (dec <= 50.001))
    allowed = np.logical_and.reduce(list(kept.values())) & limits.dark(HORIZON)[:, np.newaxis]
    assert np.array_equal(limits.allow(HORIZON, SKY), allowed)
    assert allowed.any()


def test_an_airmass_of_one_leaves_the_zenith_alone() -> None:
    horizon = Horizon(SITES["palomar"], 1.7e9)
    # Aberration moves what is seen at the zenith.
    there = horizon.zenith - horizon._velocity
    there /= np.linalg.norm(there)
    kept = Limits(airmass=1.0).each(horizon, np.concatenate([there, SKY]))["airmass"][0]
    assert kept[0]
    assert not kept[1:].any()


def test_no_moon_limit_hides_nothing() -> None:
    assert "Moon" not in Limits(moon=0).each(HORIZON, SKY)
