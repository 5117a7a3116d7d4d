"""Configured: the sites, telescopes, catalogues and pairs of the settings, ready for use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..conf import PREFIX, TelescopeTable, origins, settings
from ..errors import CoincidenceError, ConfigError, SkyMapError

if TYPE_CHECKING:
    from ..catalogues.catalogue import Catalogue
    from ..coincidence.pairs import Pair
    from ..observing.sites import Site
    from ..observing.telescopes import Telescope


def check() -> None:
    """Make everything once, so that a mistake is told when a worker starts.

    A catalogue that is gone is told by the jobs that want it: alerts need none.

    Raises
    ------
    ConfigError
        With the key, where it stands, and what is wrong.
    """
    sites()
    telescopes()
    pairs()


def sites() -> dict[str, Site]:
    """Return the configured sites by their names in the settings.

    Raises
    ------
    ConfigError
        If one is not known.
    """
    if not settings().sites:
        return {}
    from ..observing.sites import site

    try:
        return {name: site(name) for name in settings().sites}
    except SkyMapError as e:
        raise _wrong("sites", e) from e


def telescopes() -> dict[str, Telescope]:
    """Return the configured telescopes by name.

    Raises
    ------
    ConfigError
        If a value makes no sense, or a preset is not known.
    """
    made = {}
    for name, table in settings().telescopes.items():
        try:
            made[name] = _telescope(name, table)
        except SkyMapError as e:
            raise _wrong(f"telescopes.{name}", e) from e
    return made


def _telescope(name: str, table: TelescopeTable) -> Telescope:
    from ..observing.telescope_file import LIMITS, from_mapping
    from ..observing.telescope_file import telescope as known

    values: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in table.model_dump(exclude={"preset"}).items() if value is not None}
    if table.preset is None:
        return from_mapping({"name": name, **values}, f"telescopes.{name}")
    preset = known(table.preset)
    # What the table says, of a telescope with the preset's field, which one must have.
    field = {"radius": preset.radius} if preset.radius else {"fov": [preset.width, preset.height]}
    said = from_mapping({"name": name, **({} if "fov" in values else field), **values},
                        f"telescopes.{name}")
    limits = replace(preset.limits, **{k: getattr(said.limits, k) for k in LIMITS if k in values})
    own = {key: getattr(said, key) for key in values if key not in (*LIMITS, "fov", "site")}
    if "fov" in values:
        own |= {"width": said.width, "height": said.height, "radius": said.radius}
    made = replace(preset, name=name, site=said.site or preset.site, limits=limits, **own)
    if made.site is None:
        raise SkyMapError(f"telescopes.{name}", "the preset has none; say where it stands",
                          "site")
    return made


def catalogues() -> dict[str, Catalogue]:
    """Return the configured catalogues of galaxies by their names in the settings.

    Raises
    ------
    ConfigError
        If one is not there.
    """
    return {name: catalogue(name) for name in settings().catalogues}


def catalogue(name: str) -> Catalogue:
    """Return one of the configured catalogues by its name in the settings.

    Raises
    ------
    ConfigError
        If it is not there.
    """
    from ..catalogues.catalogue import Catalogue

    try:
        return Catalogue.open(place(name))
    except SkyMapError as e:
        raise _wrong("catalogues", e) from e


def place(name: str) -> Path:
    """Return the folder of a catalogue that is given by its name or folder."""
    path = Path(name).expanduser()
    return path if len(path.parts) > 1 else settings().home / "catalogues" / name


def pairs() -> tuple[Pair, ...]:
    """Return the pairs of kinds that are compared: the configured ones, then the known ones.

    Raises
    ------
    ConfigError
        If a pair of the settings makes no sense.
    """
    from ..coincidence.far import YEAR
    from ..coincidence.pairs import Pair
    from ..coincidence.table import PAIRS

    made = []
    for table in settings().coincidences:
        rate = None if table.rate_per_year is None else table.rate_per_year / YEAR
        try:
            made.append(Pair(
                table.kinds, table.window, table.source, table.group, table.experiment,
                rate, table.source, table.far_max, table.source))
        except CoincidenceError as e:
            raise _wrong(f"coincidences, {' and '.join(table.kinds)}", e) from e
    return (*made, *PAIRS)


def _wrong(key: str, error: SkyMapError | CoincidenceError) -> ConfigError:
    top = key.partition(".")[0].partition(",")[0]
    origin = next((where for name, where in origins().items() if name.startswith(top)),
                  f"environment {PREFIX}{top.upper()}")
    return ConfigError(key, origin, str(error), "See `gwbroker config --describe`")
