"""``gwbroker skymap info``: the few numbers of a map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from ..options import json_option, load_map, map_argument

if TYPE_CHECKING:
    from ...skymap.multiorder import SkyMap


@click.command()
@map_argument
@click.option("--level", "levels", type=float, multiple=True, metavar="P",
              help="Area and volume at this level, too, from 0 to 1; may be repeated.")
@json_option
def info(file: str, levels: tuple[float, ...], json_: bool) -> None:
    """Tell areas, volume, position, distance and making of the map in FILE.

    FILE is FITS, flat or multi-order, compressed by gzip or not, Parquet, or JSON that has a map
    in base64, as an alert; - is the standard input.
    """
    from ...errors import SkyMapError
    from ...skymap.summary import summarize
    from ..output import as_json

    for level in levels:
        if not 0 <= level <= 1:
            raise SkyMapError("--level", f"{level:g} is not a probability from 0 to 1")
    skymap = load_map(file)
    facts: dict[str, Any] = summarize(skymap).as_dict()
    order = ("area_50", "area_90", "volume_90", *facts)
    facts |= _regions(skymap, dict.fromkeys((0.9, *levels)))
    facts = {name: facts[name] for name in dict.fromkeys((*order, *facts))}
    if json_:
        as_json(facts)
        return
    for name, text in (*_described(facts, levels),
                       *((k, str(v)) for k, v in skymap.meta.items())):
        click.echo(f"{name:>16}  {text}")
    for number, line in enumerate(skymap.history):
        click.echo(f"{'' if number else 'history':>16}  {line}".rstrip())


def _regions(skymap: SkyMap, levels: Iterable[float]) -> dict[str, float | None]:
    """Return areas and volumes at some levels, by names as area_90."""
    import math

    from ...skymap.regions import credible_areas
    from ...skymap.volume import Volume

    space = Volume(skymap) if skymap.has_distance else None
    found: dict[str, float | None] = {}
    for level in levels:
        volume = float(space.credible_volumes(level)) if space else math.inf
        found[f"area_{_percent(level)}"] = float(credible_areas(skymap, level))
        # Not within any volume, if the distances of too many cells are unknown.
        found[f"volume_{_percent(level)}"] = volume if math.isfinite(volume) else None
    return found


def _percent(level: float) -> str:
    return f"{100 * level:.10g}"


def _described(facts: dict[str, Any], levels: tuple[float, ...]) -> list[tuple[str, str]]:
    """Return names and values as people read them."""
    from ..output import area

    asked = [_percent(level) for level in levels]
    areas = [f"area_{p}" for p in dict.fromkeys(("50", "90", *asked))]
    volumes = [f"volume_{p}" for p in dict.fromkeys(("90", *asked))]
    mean = facts["distmean"]
    side = 58.6 / 2 ** facts["max_level"]
    unit, scale = ("°", 1.0) if side >= 1 else ("′", 60.0) if side >= 1 / 60 else ("″", 3600.0)
    return [
        *((f"{name[5:]} % area", area(facts[name])) for name in areas),
        *((f"{name[7:]} % volume", _volume(facts[name])) for name in volumes),
        ("most probable", f"RA {facts['ra']:.4f}°, Dec {facts['dec']:+.4f}°"),
        ("distance",
         "unknown" if mean is None else f"{_number(mean)} ± {_number(facts['diststd'])} Mpc"),
        ("cells", f"{facts['cells']:,}"),
        ("deepest level", f"{facts['max_level']}, cells {side * scale:.3g}{unit} wide"),
    ]


def _volume(value: float | None) -> str:
    return "unknown" if value is None else f"{_number(value)} Mpc³"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
