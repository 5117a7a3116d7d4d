"""Sites, telescopes, catalogues and pairs of the settings: mistakes name the key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from gwbroker.conf import settings
from gwbroker.errors import ConfigError
from gwbroker.tasks import configured

pytestmark = pytest.mark.usefixtures("home")


def configure(environment: pytest.MonkeyPatch, **values: Any) -> None:
    for key, value in values.items():
        environment.setenv(f"GWBROKER_{key.upper()}",
                           value if isinstance(value, str) else json.dumps(value))
    settings.cache_clear()


def test_without_settings_there_is_nothing_but_the_known_pairs() -> None:
    assert configured.sites() == configured.telescopes() == configured.catalogues() == {}
    assert configured.pairs()[0].kinds == ("gw", "grb")
    configured.check()


def test_a_site_is_a_name_or_a_place(environment: pytest.MonkeyPatch) -> None:
    configure(environment, sites="Kitt Peak, -70.4 -24.6 2635")
    known, own = configured.sites().values()
    assert known.lat == pytest.approx(31.96, abs=0.02)
    assert (own.lon, own.lat, own.height) == (-70.4, -24.6, 2635)


def test_a_telescope_is_a_preset_with_what_is_different(environment: pytest.MonkeyPatch) -> None:
    configure(environment, telescopes={
        "ztf": {"preset": "ztf", "airmass": 1.8},
        "moved": {"preset": "half-metre", "site": [-70.4, -24.6, 2635], "fov": 2.0},
        "own": {"site": "paranal", "fov": [1.0, 0.5], "exposure": 90, "moon": 10}})
    made = configured.telescopes()
    assert list(made) == [t.name for t in made.values()] == ["ztf", "moved", "own"]
    assert (made["ztf"].width, made["ztf"].limits.airmass) == (7.32, 1.8)
    assert made["ztf"].limits.declination == (-31.0, 90.0)
    assert (made["moved"].radius, made["moved"].width, made["moved"].settle) == (1.0, 0.0, 5)
    assert (made["own"].height, made["own"].exposure, made["own"].limits.moon) == (0.5, 90, 10)


def test_a_pair_of_the_settings_comes_first(environment: pytest.MonkeyPatch) -> None:
    configure(environment, coincidences=[
        {"kinds": ["gw", "grb"], "window": [-50, 50], "rate_per_year": 365}])
    first, second, *_ = configured.pairs()
    assert (first.window, first.rate) == ((-50, 50), pytest.approx(1 / 86400))
    assert second.window == (-5, 1)


WRONG = [
    ({"sites": "atlantis"}, "sites", "atlantis"),
    ({"sites": "10 95"}, "sites", "95"),
    ({"telescopes": {"x": {"preset": "hubble"}}}, "telescopes.x", "hubble"),
    ({"telescopes": {"x": {"preset": "half-metre"}}}, "telescopes.x", "site"),
    ({"telescopes": {"x": {"fov": [0, 1], "site": "paranal"}}}, "telescopes.x", "width"),
    ({"telescopes": {"x": {"fov": [1, 1], "site": "paranal", "airmass": 0.5}}}, "telescopes.x",
     "airmass"),
    ({"telescopes": {"é": {"preset": "ztf", "exposure": float("nan")}}}, "telescopes.é",
     "exposure"),
    ({"coincidences": [{"kinds": ["gw", "frb"], "window": [5, -5]}]}, "coincidences", "window"),
    ({"coincidences": [{"kinds": ["gw", "frb"], "window": [-5, 5], "rate_per_year": -1}]},
     "coincidences", "rate"),
]


@pytest.mark.parametrize(("values", "key", "says"), WRONG, ids=lambda value: str(value)[:40])
def test_a_mistake_names_the_key_and_the_value(
    environment: pytest.MonkeyPatch, values: dict[str, Any], key: str, says: str,
) -> None:
    configure(environment, **values)
    with pytest.raises(ConfigError) as caught:
        configured.check()
    assert caught.value.key.startswith(key)
    assert says in str(caught.value)
    assert "GWBROKER_" in str(caught.value)


@pytest.mark.parametrize(("values", "says"), [
    ({"telescopes": {"x": {"fov": [1, 1]}}}, "site is missing"),
    ({"telescopes": {"x": {"fof": 1}}}, "fov"),
    ({"telescopes": {"x": {"fov": [1, 1], "site": "paranal", "twilight": "dusk"}}}, "nautical"),
    ({"coincidences": [{"kinds": ["gw"], "window": [0, 1]}]}, "kinds"),
    ({"coincidences": [{"kinds": ["gw", "frb"]}]}, "window"),
])
def test_settings_of_the_wrong_shape_stop_every_command(
    environment: pytest.MonkeyPatch, values: dict[str, Any], says: str,
) -> None:
    configure(environment, **values)
    with pytest.raises(ConfigError, match=says):
        settings()


def test_a_catalogue_that_is_not_there_is_named_with_the_remedy(
    environment: pytest.MonkeyPatch,
) -> None:
    configure(environment, catalogues="glade+")
    with pytest.raises(ConfigError, match="gwbroker catalogue add"):
        configured.catalogues()


def test_an_openmp_worker_with_a_wrong_telescope_does_not_start(sqlite: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gwbroker", "worker", "-Q", "openmp"], capture_output=True,
        text=True, timeout=60, check=False, env={**os.environ, "GWBROKER_SITES": "atlantis"})
    assert done.returncode == 2
    assert "atlantis" in done.stderr
    assert "Traceback" not in done.stderr
