"""Sites: known by many names, refused with a hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gwbroker.errors import SkyMapError
from gwbroker.observing.sites import OTHER_NAMES, SITES, Site, site


@pytest.mark.parametrize("name", ["palomar", " Palomar ", "ZTF", "Palomar Observatory"])
def test_a_site_is_known_by_its_names_in_any_case(name: str) -> None:
    assert site(name) == SITES["palomar"]


@pytest.mark.parametrize("name", ["Kitt Peak", "kitt_peak", "kitt-peak", "KPNO"])
def test_spaces_and_underscores_do_not_matter(name: str) -> None:
    assert site(name) is SITES["kitt-peak"]


def test_the_guide_lists_every_site() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "plan.rst").read_text()
    listed = page.partition("Ours are\n")[2].partition(".\n")[0]
    assert re.split(r",\s+", listed.strip()) == list(SITES)


def test_no_name_means_two_places() -> None:
    assert not set(SITES) & set(OTHER_NAMES)
    assert len({s.name for s in SITES.values()}) == len(SITES)


def test_every_known_site_is_on_land_and_in_its_hemisphere() -> None:
    south = {"ctio", "la-silla", "las-campanas", "mount-john", "paranal", "rubin",
             "siding-spring", "sutherland"}
    assert {key for key, s in SITES.items() if s.lat < 0} == south
    assert all(300 < s.height < 5000 for s in SITES.values())


def test_an_unknown_site_is_refused_with_names_that_are_close() -> None:
    with pytest.raises(SkyMapError, match="'palomr'; did you mean palomar"):
        site("palomr")
    with pytest.raises(SkyMapError, match="LON LAT HEIGHT"):
        site("Ångström høj")


@pytest.mark.parametrize(("text", "expected"), [
    ("-70.4 -24.6 2635", (-70.4, -24.6, 2635)), ("10,50", (10, 50, 0)),
])
def test_a_place_of_ones_own_is_three_numbers(text: str, expected: tuple[float, ...]) -> None:
    found = site(text)
    assert (found.lon, found.lat, found.height) == expected


@pytest.mark.parametrize("text", ["0 91 0", "400 0 0", "0 0 99999", "nan 0 0", "0 inf 0"])
def test_a_place_that_is_not_on_earth_is_refused(text: str) -> None:
    with pytest.raises(SkyMapError, match=r"is not (from|a number)"):
        site(text)


def test_a_site_can_be_made_with_any_name() -> None:
    assert Site("Großschwabhausen", 11.48, 50.93, 367).name == "Großschwabhausen"
