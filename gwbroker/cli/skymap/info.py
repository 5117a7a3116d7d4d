"""``gwbroker skymap info``: the few numbers of a map."""

from __future__ import annotations

from typing import Any

import click

from ..options import json_option, load_map, map_argument


@click.command()
@map_argument
@json_option
def info(file: str, json_: bool) -> None:
    """Tell areas, volume, position, distance and making of the map in FILE.

    FILE is FITS, flat or multi-order, compressed by gzip or not, Parquet, or JSON that has a map
    in base64, as an alert; - is the standard input.
    """
    import math

    from ...skymap.summary import summarize
    from ...skymap.volume import Volume
    from ..output import as_json

    skymap = load_map(file)
    facts: dict[str, Any] = summarize(skymap).as_dict()
    volume = float(Volume(skymap).credible_volumes(0.9)) if skymap.has_distance else math.inf
    order = ("area_50", "area_90", "volume_90", *facts)
    # Not within any volume, if the distances of too many cells are unknown.
    facts["volume_90"] = volume if math.isfinite(volume) else None
    facts = {name: facts[name] for name in dict.fromkeys(order)}
    if json_:
        as_json(facts)
        return
    for name, text in (*_described(facts), *((k, str(v)) for k, v in skymap.meta.items())):
        click.echo(f"{name:>16}  {text}")
    for number, line in enumerate(skymap.history):
        click.echo(f"{'' if number else 'history':>16}  {line}".rstrip())


def _described(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values as people read them."""
    from ..output import area

    volume, mean = facts["volume_90"], facts["distmean"]
    side = 58.6 / 2 ** facts["max_level"]
    unit, scale = ("°", 1.0) if side >= 1 else ("′", 60.0) if side >= 1 / 60 else ("″", 3600.0)
    return [
        ("50 % area", area(facts["area_50"])),
        ("90 % area", area(facts["area_90"])),
        ("90 % volume", "unknown" if volume is None else f"{_number(volume)} Mpc³"),
        ("most probable", f"RA {facts['ra']:.4f}°, Dec {facts['dec']:+.4f}°"),
        ("distance",
         "unknown" if mean is None else f"{_number(mean)} ± {_number(facts['diststd'])} Mpc"),
        ("cells", f"{facts['cells']:,}"),
        ("deepest level", f"{facts['max_level']}, cells {side * scale:.3g}{unit} wide"),
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
