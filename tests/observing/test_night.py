"""Night: twilights as astroplan has them; no night where there is none."""

from __future__ import annotations

import pytest
from astropy import units as u
from astropy.time import Time

from gwbroker.errors import SkyMapError
from gwbroker.observing.limits import TWILIGHT, Limits
from gwbroker.observing.night import darkness, window
from gwbroker.observing.sites import SITES, Site

NOON = Time("2024-03-01T20:00:00").unix
TROMSOE = Site("Tromsø", 18.96, 69.65, 30)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("twilight", list(TWILIGHT))
@pytest.mark.parametrize("name", ["palomar", "rubin", "hanle"])
def test_twilights_are_those_of_astroplan_to_a_minute(name: str, twilight: str, location) -> None:
    from astroplan import Observer

    observer = Observer(location(SITES[name]))
    time = Time(NOON, format="unix")
    found = window(SITES[name], NOON, None, Limits(twilight=twilight))
    if observer.sun_altaz(time).alt < TWILIGHT[twilight] * u.deg:
        assert found.start == NOON
    else:
        evening = getattr(observer, f"twilight_evening_{twilight}")(time, "next", n_grid_points=150)
        assert abs(found.start - evening.unix) < 60
    morning = getattr(observer, f"twilight_morning_{twilight}")(
        Time(found.start + 60, format="unix"), "next", n_grid_points=150)
    assert abs(found.end - morning.unix) < 60


def test_at_night_only_the_rest_of_it_is_left() -> None:
    tonight = window(SITES["palomar"], NOON, None, Limits())
    later = tonight.start + 3600
    rest = window(SITES["palomar"], later, None, Limits())
    assert rest.start == later
    assert abs(rest.end - tonight.end) < 1


def test_with_hours_the_window_is_what_was_asked_for_and_only_darkness_counts() -> None:
    found = window(SITES["palomar"], NOON, 48, Limits())
    nights = darkness(SITES["palomar"], NOON, NOON + 48 * 3600, Limits())
    assert (found.end - found.start) / 3600 == pytest.approx(48)
    assert len(nights) == 2
    assert found.dark == pytest.approx(sum(b - a for a, b in nights))


def test_in_polar_summer_there_is_no_night_and_the_reason_is_given() -> None:
    found = window(TROMSOE, Time("2024-06-20T12:00:00").unix, None, Limits())
    assert found.dark == 0
    assert "the Sun at Tromsø stays above -18 deg" in found.reason
    assert "no dark time" in window(TROMSOE, Time("2024-06-20T12:00:00").unix, 5, Limits()).reason


def test_in_polar_winter_the_night_lasts_a_day_at_most() -> None:
    pole = Site("South Pole", 0, -90, 2835)
    found = window(pole, Time("2024-06-20T12:00:00").unix, None, Limits())
    assert found.dark == pytest.approx(86400)


@pytest.mark.parametrize("hours", [0, -1, 1e6, float("nan"), float("inf")])
def test_hours_that_make_no_window_are_refused(hours: float) -> None:
    with pytest.raises(SkyMapError, match="hours"):
        window(TROMSOE, NOON, hours, Limits())
