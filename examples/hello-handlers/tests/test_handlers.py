"""The decorator returns the function unchanged, so a test calls it directly."""

import pytest
from hello_handlers import handlers, sky

from gwbroker.errors import NoticeError


def test_a_position_is_read():
    assert handlers.position({"ra": 197.45, "dec": -23.38}) == (197.45, -23.38)


def test_an_impossible_position_is_refused_with_its_value():
    with pytest.raises(NoticeError, match=r"ra: .*400"):
        handlers.position({"ra": 400, "dec": 0})


def test_the_pole_stands_as_high_as_the_latitude():
    assert sky.altitude(90.0, 123.0, 35.0) == pytest.approx(35.0)
