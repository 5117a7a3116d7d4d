"""Horizon: altitudes as astropy has them, without its tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, HADec, SkyCoord, get_body, get_sun
from astropy.time import Time
from astropy.utils import iers

from gwbroker.observing.horizon import ACCURACY, Horizon, degrees, unit
from gwbroker.observing.sites import SITES, Site
from gwbroker.observing.times import seconds

TIMES = Time(["2019-08-14T21:00:00", "2024-03-01T05:00:00"])
PLACES = ("palomar", "rubin", "xinglong")


@pytest.fixture(scope="module")
def stars() -> tuple[np.ndarray, np.ndarray]:
    """Positions all over the sky, the poles among them."""
    rng = np.random.default_rng(5)
    ra = np.concatenate([rng.uniform(0, 360, 100), [0, 0]])
    dec = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 100))), [90, -90]])
    return ra, dec


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("begin", list(TIMES), ids=str)
def test_altitudes_hour_angles_sun_and_moon_agree_with_astropy(
    name: str, begin: Time, stars: tuple[np.ndarray, np.ndarray], location,
) -> None:
    place = SITES[name]
    times = begin + np.arange(0, 24, 4) * u.hour
    horizon = Horizon(place, times.unix)
    vectors = unit(*stars)
    coordinates = SkyCoord(*stars, unit="deg")
    frame = AltAz(obstime=times, location=location(place))
    each = AltAz(obstime=times[:, np.newaxis], location=location(place))
    theirs = coordinates[np.newaxis].transform_to(each)
    assert np.abs(horizon.altitude(vectors) - theirs.alt.deg).max() < ACCURACY
    ha = coordinates[np.newaxis].transform_to(
        HADec(obstime=times[:, np.newaxis], location=location(place))).ha.hour
    difference = (horizon.hour_angle(vectors) - ha + 12) % 24 - 12
    assert np.abs(15 * difference * np.cos(np.radians(stars[1]))).max() < ACCURACY
    sun = get_sun(times).transform_to(frame).alt.deg
    assert np.abs(horizon.sun_altitude - sun).max() < 2 * ACCURACY
    moon = get_body("moon", times, location(place))
    assert np.abs(horizon.moon_altitude - moon.transform_to(frame).alt.deg).max() < 2 * ACCURACY
    # The Moon as seen from the site, the star from the same place.
    from_moon = coordinates[np.newaxis].transform_to(
        moon[:, np.newaxis].frame.replicate_without_data()).separation(moon[:, np.newaxis]).deg
    assert np.abs(horizon.moon_distance(vectors) - from_moon).max() < 2 * ACCURACY


@pytest.mark.usefixtures("offline")
def test_the_moons_illumination_agrees_with_astroplan(location) -> None:
    from astroplan import moon_illumination

    times = TIMES[0] + np.arange(0, 30, 3) * u.day
    ours = [Horizon(SITES["palomar"], t).moon_illumination[0] for t in times.unix]
    assert np.abs(np.array(ours) - moon_illumination(times)).max() < 0.01


def test_no_table_of_the_earths_rotation_is_read_or_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a table was asked for")

    for table in (iers.IERS_Auto, iers.IERS_A, iers.IERS_B):
        monkeypatch.setattr(table, "open", refuse)
    monkeypatch.setattr("astropy.utils.data.download_file", refuse)
    for year in (1980, 2026, 2090):
        horizon = Horizon(SITES["paranal"], seconds(f"{year}-06-01T00:00:00Z"))
        assert np.isfinite([*horizon.sun_altitude, *horizon.moon_altitude]).all()


def test_pairs_are_the_diagonal_of_all_against_all(stars: tuple[np.ndarray, np.ndarray]) -> None:
    vectors = unit(*stars)[:20]
    times = TIMES[1].unix + np.linspace(0, 40000, 20)
    every, pairs = Horizon(SITES["rubin"], times), Horizon(SITES["rubin"], times, paired=True)
    for name in ("altitude", "hour_angle", "moon_distance"):
        expected = np.diagonal(getattr(every, name)(vectors))
        np.testing.assert_allclose(getattr(pairs, name)(vectors), expected, atol=1e-9)


def test_many_times_are_as_good_as_one() -> None:
    times = 1.7e9 + np.linspace(0, 86400, 500)
    many = Horizon(SITES["rubin"], times)
    for row in (0, 123, 499):
        one = Horizon(SITES["rubin"], times[row])
        assert one.moon[0] == pytest.approx(many.moon[row], abs=1e-7)
        assert one.sun[0] == pytest.approx(many.sun[row], abs=1e-7)
    same = Horizon(SITES["rubin"], np.full(20, 1.7e9))
    assert np.array_equal(same.moon[0], same.moon[19])
    assert Horizon(SITES["rubin"], []).sun_altitude.shape == (0,)


def test_threads_get_what_one_thread_gets(stars: tuple[np.ndarray, np.ndarray]) -> None:
    def look(hour: int) -> np.ndarray:
        return Horizon(SITES["hanle"], 1.7e9 + 3600 * hour).altitude(unit(*stars))

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(look, range(24)))
    assert all(np.array_equal(a, look(hour)) for hour, a in enumerate(together))


@pytest.mark.parametrize("lat", [90.0, -90.0])
def test_at_the_poles_a_stars_altitude_is_its_declination(lat: float) -> None:
    horizon = Horizon(Site("pole", 0, lat), np.arange(0, 86400, 7200) + 946728000.0)
    altitude = horizon.altitude(unit([10.0, 200.0], [30.0, -60.0]))
    assert np.abs(altitude - np.sign(lat) * np.array([30.0, -60.0])).max() < 0.01


def test_positions_become_vectors_and_back() -> None:
    ra, dec = degrees(unit([0.0, 359.99999, 123.4, 0.0], [0.0, -89.99, 45.6, 90.0]))
    np.testing.assert_allclose(ra[:3], [0.0, 359.99999, 123.4], atol=1e-9)
    np.testing.assert_allclose(dec, [0.0, -89.99, 45.6, 90.0], atol=1e-9)
