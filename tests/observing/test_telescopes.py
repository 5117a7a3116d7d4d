"""Telescopes: presets, files, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.observing import Limits, Telescope
from gwbroker.observing.sites import SITES
from gwbroker.observing.telescope_file import telescope
from gwbroker.observing.telescopes import PRESETS


def test_the_known_telescopes_have_their_published_fields_of_view() -> None:
    assert PRESETS["ztf"].width * PRESETS["ztf"].height == pytest.approx(55, abs=1)
    assert np.pi * PRESETS["rubin"].radius ** 2 == pytest.approx(9.6, abs=0.1)
    assert np.pi * PRESETS["decam"].radius ** 2 == pytest.approx(3.0, abs=0.1)
    assert telescope(" ZTF ") is PRESETS["ztf"]


@pytest.mark.parametrize(("change", "named"), [
    ({"width": 0}, "width: 0"), ({"height": -1}, "height: -1"), ({"width": 61}, "width: 61"),
    ({"width": float("nan")}, "width"), ({"radius": 1}, "circle"), ({"exposure": 0}, "exposure"),
    ({"exposure": float("inf")}, "exposure"), ({"slew": 0}, "slew"), ({"settle": -1}, "settle"),
    ({"overhead": float("nan")}, "overhead"), ({"angle": 400}, "angle"),
])
def test_values_that_no_telescope_has_are_refused(change: dict[str, float], named: str) -> None:
    with pytest.raises(SkyMapError, match=named):
        Telescope(**{"name": "bad", "width": 1, "height": 1} | change)


@pytest.mark.parametrize("radius", [-1.0, 1e-9, 90.0, float("nan")])
def test_a_circle_has_a_sensible_radius(radius: float) -> None:
    with pytest.raises(SkyMapError, match="radius"):
        Telescope("bad", radius=radius)


def test_a_telescope_is_read_from_toml_and_from_json_alike(tmp_path: Path) -> None:
    toml = tmp_path / "ours.toml"
    toml.write_text('name = "Größe"\nfov = [2, 1.5]\nangle = 30\nsite = "calar alto"\n'
                    'airmass = 1.7\nmoon = 20\ntwilight = "nautical"\ndeclination = [-25, 90]\n'
                    'hour_angle = 5\nexposure = 120\nslew = 2\nsettle = 3\n', encoding="utf-8")
    expected = Telescope("Größe", 2, 1.5, angle=30, site=SITES["calar-alto"], exposure=120, slew=2,
                         settle=3, limits=Limits(1.7, 20, "nautical", (-25, 90), 5))
    assert telescope(str(toml)) == expected
    as_json = tmp_path / "ours.json"
    as_json.write_text(json.dumps({
        "name": "Größe", "fov": [2, 1.5], "angle": 30, "airmass": 1.7, "moon": 20,
        "twilight": "nautical", "declination": [-25, 90], "hour_angle": 5, "exposure": 120,
        "slew": 2, "settle": 3, "site": [-2.5462, 37.2236, 2168]}), encoding="utf-8")
    assert telescope(str(as_json)).limits == expected.limits
    assert telescope(str(as_json)).site.lat == 37.2236


def test_one_number_is_the_diameter_of_a_circle(tmp_path: Path) -> None:
    file = tmp_path / "round.json"
    file.write_text('{"fov": 3}')
    assert telescope(str(file)).radius == 1.5
    assert telescope(str(file)).name == "round"


@pytest.mark.parametrize(("text", "named"), [
    ("[1]", "not a table"), ("{", "is not JSON"), ('{"fov": [1, 2, 3]}', "fov"),
    ('{"fov": 0}', "column fov: 0 is not from"), ('{"fov": "wide"}', "fov"),
    ('{"fov": [0, 1]}', "width"),
    ('{"exposre": 1}', "exposre.*did you mean exposure"), ('{"exposure": "60"}', "exposure"),
    ('{"exposure": true}', "exposure"), ('{"fov": 1, "site": 5}', "site"),
    ('{"fov": 1, "site": "palomr"}', "did you mean"), ('{"fov": 1, "airmass": 0.5}', "airmass"),
    ('{"fov": 1, "twilight": 3}', "twilight"), ('{"fov": 1, "name": 3}', "name"),
    ('{"fov": 1, "declination": 3}', "declination"), ('{"fov": 1, "site": ["a", 1]}', "site"),
    ('{"fov": [true, 1]}', "fov"), ('{"fov": 1, "exposure": NaN}', "exposure: nan"),
    pytest.param('{"fov": 1, "exposure": 1' + 400 * "0" + "}", "exposure", id="huge"),
    pytest.param(100_000 * "[", "brackets too deep", id="deep"),
    pytest.param(1_000_001 * " ", "more than 1,000,000 bytes", id="long"),
])
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(SkyMapError, match=rf"bad\.json.*{named}"):
        telescope(str(file))


def test_what_is_no_telescope_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SkyMapError, match="did you mean decam"):
        telescope("decm")
    with pytest.raises(SkyMapError, match=r"ztf, decam.*\.toml or \.json"):
        telescope("hubble")
    with pytest.raises(SkyMapError, match="cannot be read"):
        telescope(str(tmp_path / "absent.toml"))
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SkyMapError, match=r"bad\.toml: is not UTF-8"):
        telescope(str(tmp_path / "bad.toml"))
    (tmp_path / "bad.toml").write_text("a = " + 10_000 * "[")
    with pytest.raises(SkyMapError, match=r"bad\.toml: has brackets too deep"):
        telescope(str(tmp_path / "bad.toml"))


@pytest.mark.parametrize("shape", [
    {"width": 4, "height": 2}, {"width": 4, "height": 2, "angle": 35}, {"radius": 2}])
def test_the_outline_is_the_edge_of_what_is_inside(shape: dict[str, float]) -> None:
    there = Telescope("t", **shape)
    north, east = there.outline()
    assert there.inside(0.999 * north, 0.999 * east, np.ones_like(north)).all()
    assert not there.inside(1.001 * north, 1.001 * east, np.ones_like(north)).any()
    assert np.degrees(np.arctan(np.hypot(north, east))).max() == pytest.approx(
        np.degrees(there.reach), rel=1e-6)
    # What is behind is not inside, though its projection is.
    assert not there.inside(0.0, 0.0, -1.0)


def test_the_position_angle_goes_from_north_to_east() -> None:
    tall = Telescope("t", 0.2, 4, angle=30)
    turn = np.radians(30)
    assert tall.inside(0.03 * np.cos(turn), 0.03 * np.sin(turn), 1)
    assert not tall.inside(0.03 * np.cos(turn), -0.03 * np.sin(turn), 1)
