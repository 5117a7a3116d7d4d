"""What is behind the Earth has no probability, and the Earth is where it should be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation
from astropy.time import Time
from astropy.utils.iers import conf

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.earth import earth_below, earth_from
from gwbroker.skymap.occultation import occult
from gwbroker.skymap.projection import to_vectors

NAN = float("nan")
MOMENT = datetime(2024, 8, 24, 2, 14, 40, tzinfo=UTC)


def isotropic():
    """Return the map of nothing known."""
    return SkyMap(np.arange(4, 16), np.full(12, 1 / (4 * np.pi)))


@pytest.mark.parametrize("radius", [0.5, 20, 67.5, 90, 150, 179])
def test_of_an_isotropic_map_the_sky_in_front_is_left(radius):
    masked = occult(isotropic(), 123, -45, radius)
    assert masked.prob.sum() == pytest.approx(1)
    left = masked.area[masked.probdensity > 0].sum()
    assert left == pytest.approx(2 * np.pi * (1 + np.cos(np.radians(radius))), abs=1e-4 * 4 * np.pi)
    hidden = to_vectors(123, -45) @ masked.vectors.T > np.cos(np.radians(radius))
    assert (masked.probdensity[hidden] == 0).all()


def test_the_probability_that_is_hidden_is_right():
    skymap = make.cone(0, 0, 5, 0.9)
    # A limb straight through the middle takes half of it.
    masked = occult(skymap, 67.5, 0, 67.5)
    before = skymap.probdensity[skymap.find(358, 0)]
    after = masked.probdensity[masked.find(358, 0)]
    assert before / after == pytest.approx(0.5, abs=0.02)
    assert masked.probdensity[masked.find(2, 0)] == 0


def test_a_map_in_front_of_the_earth_is_unchanged_where_it_is_dense():
    skymap = make.cone(200, 10, 1e-4, 0.9)
    masked = occult(skymap, 20, -10, 67.5)
    assert masked.max_level == skymap.max_level > 20
    assert masked.probdensity[masked.find(200, 10)] == pytest.approx(
        skymap.probdensity[skymap.find(200, 10)], rel=1e-9)


def test_cells_of_the_deepest_level_and_distances_survive():
    level29 = 4**30 + np.arange(4)
    rest = [np.array([4 ** (level + 1) + k for k in (1, 2, 3)]) for level in range(28, 0, -1)]
    uniq = np.concatenate([level29, *rest, np.arange(5, 16)])
    bare = SkyMap(uniq, np.ones(len(uniq)))
    density = bare.probdensity / bare.area.sum()
    ones = np.ones(len(uniq))
    skymap = SkyMap(uniq, density, 100 * ones, 20 * ones, 1e-4 * ones,
                    {"OBJECT": "α"}, ("notice: 1",)).validate()
    masked = occult(skymap, 250, 0, 60)
    assert masked.max_level == 29
    assert masked.distmu is not None
    assert (masked.distmu == 100).all()
    assert (masked.meta, masked.history) == (skymap.meta, skymap.history)
    assert masked.cells < 100_000


def test_a_map_wholly_behind_the_earth_is_refused():
    with pytest.raises(SkyMapError, match=r"sky map: lies wholly behind the body of radius 67\.5"):
        occult(make.cone(200, 10, 0.1, 0.9), 201, 11, 67.5)


@pytest.mark.parametrize(("arguments", "message"), [
    ((0, 0, 0), "radius: 0 is not between 0 and 180"),
    ((0, 0, 180), "radius: 180 is not between"),
    ((0, 0, NAN), "radius: nan"),
    ((0, 0, -5), "radius: -5"),
    ((400, 0, 67), "ra: 400"),
    ((0, NAN, 67), "dec: nan"),
    ((0, "up", 67), "dec: 'up' is not a number"),
])
def test_bad_discs_are_named(arguments, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        occult(isotropic(), *arguments)


def test_the_earth_is_opposite_to_the_spacecrafts_position():
    disc = earth_from([-6283.0, 2674.5, 1018.75])
    assert (disc.ra, disc.dec) == pytest.approx((336.942, -8.485), abs=1e-2)
    assert disc.radius == pytest.approx(67.49, abs=0.01)
    assert earth_from([0, 0, 42164]).radius == pytest.approx(8.70, abs=0.01)


@pytest.mark.parametrize(("position", "message"), [
    ([1, 2], r"position: \[1, 2\] is not three finite"),
    ([NAN, 0, 7000], "position: .* is not three finite"),
    (["x", 0, 7000], "position: .* is not three finite"),
    ([0, 0, 6000], "position: is 6000 km .* not above its surface"),
    ([6.9e6, 0, 6.9e9], "position: .* it is to be given in kilometres"),
])
def test_bad_positions_are_named(position, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        earth_from(position)


@pytest.mark.parametrize("where", [(0, 0, 400), (257.4, 23.83, 525), (-102.6, -80, 35786)])
def test_the_earth_below_a_place_is_where_astropy_has_it(where):
    disc = earth_below(*where, MOMENT)
    with conf.set_temp("auto_download", False), conf.set_temp("iers_degraded_accuracy", "ignore"):
        there = EarthLocation.from_geodetic(where[0], where[1], where[2] * u.km)
        seen = there.get_gcrs(Time(MOMENT)).cartesian
    vector = np.array([float(axis.to_value(u.km)) for axis in (seen.x, seen.y, seen.z)])
    expected = -vector / np.linalg.norm(vector)
    off = np.degrees(np.arccos(np.clip(to_vectors(disc.ra, disc.dec) @ expected, -1, 1)))
    assert off < 0.01


def test_times_of_all_zones_mean_the_same():
    there = earth_below(10, 20, 500, MOMENT)
    east = MOMENT.astimezone(timezone(timedelta(hours=9)))
    assert earth_below(10, 20, 500, east) == earth_below(10, 20, 500, MOMENT.replace(tzinfo=None))
    assert earth_below(10, 20, 500, east) == there
    assert earth_below(370 - 360, 20, 500, MOMENT) == there


def test_geocentric_and_geodetic_latitudes_differ_by_up_to_a_fifth_of_a_degree():
    one = earth_below(10, 45, 500, MOMENT)
    other = earth_below(10, 45, 500, MOMENT, geocentric=True)
    assert one.dec - other.dec == pytest.approx(0.18, abs=0.02)


@pytest.mark.parametrize(("arguments", "message"), [
    ((400, 0, 500), "longitude: 400"), ((0, 91, 500), "latitude: 91"),
    ((0, 0, -1), "altitude: -1"), ((0, 0, NAN), "altitude: nan"),
])
def test_bad_places_are_named(arguments, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        earth_below(*arguments, MOMENT)
