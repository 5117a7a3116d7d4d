"""Observability: the fraction that astroplan would find, cell by cell."""

from __future__ import annotations

import warnings

import healpy as hp
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from gwbroker.errors import SkyMapError
from gwbroker.observing import Limits, observable
from gwbroker.observing.observability import runs
from gwbroker.observing.sites import SITES
from gwbroker.skymap import SkyMap
from gwbroker.skymap.regions import credible_levels

NOON = "2024-03-01T20:00:00Z"


@pytest.mark.usefixtures("offline")
def test_the_fraction_is_that_of_astroplans_constraints_on_a_flat_map(
    wide: SkyMap, location,
) -> None:
    from astroplan import AirmassConstraint, MoonSeparationConstraint, Observer

    limits = Limits(airmass=1.8, moon=60)
    found = observable(wide, "palomar", "2024-03-27T20:00:00Z", limits=limits, minutes=60)
    # The same on pixels of nside 64, with times of their own.
    nside = 64
    vectors = np.stack(hp.pix2vec(nside, np.arange(12 * nside**2)), axis=-1)
    cells = wide.find_vectors(vectors)
    inside = credible_levels(wide)[cells] <= 0.9
    prob = wide.probdensity[cells][inside]
    ra, dec = hp.vec2ang(vectors[inside], lonlat=True)
    times = Time(found.start) + np.arange(2.5, 60 * found.dark - 2.5, 5) * u.min
    observer = Observer(location(SITES["palomar"]))
    with warnings.catch_warnings():
        # astroplan compares places that are and are not on Earth, and astropy says so.
        warnings.simplefilter("ignore")
        allowed = np.logical_and.reduce([
            each(observer, SkyCoord(ra, dec, unit="deg"), times, grid_times_targets=True)
            for each in (AirmassConstraint(1.8, boolean_constraint=True),
                         MoonSeparationConstraint(60 * u.deg))])
    seen = runs(allowed.T) >= 12
    assert 0.05 < found.probability < 0.95
    assert found.probability == pytest.approx(prob[seen].sum() / prob.sum(), abs=0.03)
    assert found.area == pytest.approx(seen.mean(), abs=0.03)
    at = np.argmin(np.abs(times.unix - Time(found.best).unix))
    assert max(s.probability for s in found.steps) == pytest.approx(
        prob[allowed[:, at]].sum() / prob.sum(), abs=0.03)


def test_a_map_high_in_the_sky_all_night_can_be_seen_and_one_below_the_horizon_cannot(
    narrow: SkyMap,
) -> None:
    seen = observable(narrow, "palomar", "2024-04-01T20:00:00Z")
    assert seen.probability == seen.area == 1
    assert seen.reason == ""
    assert seen.region == pytest.approx(3.14, rel=0.05)
    never = observable(narrow, "mount-john", "2024-04-01T20:00:00Z")
    assert never.probability == never.area == 0
    assert never.best is None
    assert never.reason == "the limit of airmass hides all of the region while it is dark"


def test_near_the_moon_nothing_can_be_seen_and_the_reason_is_the_moon(narrow: SkyMap) -> None:
    # Full Moon at ra 200 on 2024-04-24, dec -14: 44 degrees away.
    found = observable(narrow, "palomar", "2024-04-24T20:00:00Z", limits=Limits(moon=90))
    assert found.reason == "the limit of Moon hides all of the region while it is dark"
    assert found.moon_illumination > 0.98


def test_a_sky_of_which_nothing_is_known_is_seen_as_far_as_the_horizon_turns(
    isotropic: SkyMap,
) -> None:
    found = observable(isotropic, "palomar", NOON, level=1, minutes=0, limits=Limits(moon=0))
    assert 0.5 < found.area < 0.85
    assert found.area == pytest.approx(found.probability)
    assert found.region == pytest.approx(41253, rel=1e-3)
    # Half of the sky is above the horizon, and a quarter above 30 degrees.
    assert all(s.probability == pytest.approx(0.25, abs=0.01) for s in found.steps)


def test_polar_summer_gives_nothing_and_says_why(narrow: SkyMap) -> None:
    found = observable(narrow, "18.96 69.65 30", "2024-06-20T12:00:00Z")
    assert found.probability == 0
    assert found.steps == ()
    assert "no dark time" in found.reason


def test_longer_than_the_night_nothing_can_be_seen(narrow: SkyMap) -> None:
    found = observable(narrow, "palomar", "2024-04-01T20:00:00Z", minutes=1200)
    assert found.probability == 0
    assert found.reason == "no part is within the limits for 1200 minutes without a break"


def test_the_steps_are_in_the_night_and_the_best_is_one_of_them(wide: SkyMap) -> None:
    found = observable(wide, "palomar", NOON)
    assert found.start < found.steps[0].time < found.steps[-1].time < found.end
    assert max(found.steps, key=lambda s: s.probability).time == found.best
    assert all(s.sun <= -18 for s in found.steps)


def test_with_hours_by_day_nothing_counts_until_dark(wide: SkyMap) -> None:
    found = observable(wide, "palomar", NOON, hours=24)
    assert {s.probability for s in found.steps if s.sun > -18} == {0.0}
    assert observable(wide, "palomar", NOON).probability == pytest.approx(
        found.probability, abs=0.02)


def test_all_of_a_map_of_level_29_may_be_in_one_cell(point: SkyMap) -> None:
    found = observable(point, "palomar", NOON, minutes=1)
    assert found.region < 1e-10
    assert found.probability in (0.0, 1.0)


def test_a_million_cells_need_no_more_than_their_night() -> None:
    level = 9
    density = np.exp(np.cos(np.arange(12 * 4**level) / 4e5))
    uniq = np.arange(len(density)) + 4 ** (level + 1)
    map_ = SkyMap(uniq, density / (density.sum() * np.pi / 3 / 4**level)).validate()
    found = observable(map_, "palomar", NOON, hours=2, minutes=30)
    assert found.probability >= 0


@pytest.mark.parametrize(("change", "named"), [
    ({"site": "palomr"}, "did you mean palomar"), ({"start": "2024-03-01T20:00:00"}, "no zone"),
    ({"level": 0}, "level"), ({"level": 1.1}, "level"), ({"level": float("nan")}, "level"),
    ({"minutes": -1}, "minutes"), ({"minutes": float("nan")}, "minutes"), ({"hours": 0}, "hours"),
])
def test_bad_values_are_refused_by_name(
    narrow: SkyMap, change: dict[str, object], named: str,
) -> None:
    values = {"site": "palomar", "start": NOON} | change
    with pytest.raises(SkyMapError, match=named):
        observable(narrow, values.pop("site"), values.pop("start"), **values)


def test_the_longest_run_of_each_column_is_found() -> None:
    columns = np.array([[1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
    assert runs(columns.T).tolist() == [3, 0, 6]
