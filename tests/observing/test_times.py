"""Times: with a zone, in years for which the Moon is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from astropy.time import Time

from gwbroker.errors import SkyMapError
from gwbroker.observing.times import DAY, UNIX_EPOCH, iso, seconds, terrestrial


@pytest.mark.parametrize("value", [
    "2024-03-01T12:00:00Z", "2024-03-01T13:00:00+01:00", datetime(2024, 3, 1, 12, tzinfo=UTC),
    datetime(2024, 3, 1, 17, 30, tzinfo=timezone(timedelta(hours=5.5))), 1709294400.0,
])
def test_one_moment_may_be_written_in_many_ways(value: object) -> None:
    assert seconds(value) == 1709294400.0
    assert iso(1709294400.4) == "2024-03-01T12:00:00Z"


@pytest.mark.parametrize("value", ["2024-03-01T12:00:00", "2024-03-01", datetime(2024, 3, 1)])
def test_a_time_without_a_zone_is_refused_with_the_remedy(value: object) -> None:
    with pytest.raises(SkyMapError, match=r"has no zone; for UTC write 2024-03-01T.*Z"):
        seconds(value)


@pytest.mark.parametrize("value", ["tonight", "", "2024-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(SkyMapError, match="is not a time"):
        seconds(value)


@pytest.mark.parametrize("value", ["1950-01-01T00:00:00Z", "2150-01-01T00:00:00Z",
                                   float("nan"), float("inf")])
def test_a_time_for_which_sun_and_moon_are_not_known_is_refused(value: object) -> None:
    with pytest.raises(SkyMapError, match="1973 to 2098"):
        seconds(value)


def test_now_is_the_default() -> None:
    assert abs(seconds(None) - datetime.now(UTC).timestamp()) < 5


def test_terrestrial_time_agrees_with_astropy() -> None:
    moments = np.array([datetime(y, 7, 2, tzinfo=UTC).timestamp() for y in (1975, 1999, 2020)])
    tt = Time(moments, format="unix").tt
    theirs = (tt.jd1 - UNIX_EPOCH) + tt.jd2
    assert np.abs(terrestrial(moments) - theirs).max() * DAY < 1e-3
