"""``gwbroker skymap level``: the credible level at a position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options import RA, json_option, load_map, map_argument

if TYPE_CHECKING:
    from ...skymap.multiorder import SkyMap


@click.command()
@map_argument
@click.option("--ra", type=RA, required=True, metavar="DEG", help="Right ascension.")
@click.option("--dec", type=float, required=True, metavar="DEG", help="Declination.")
@click.option("--distance", type=float, metavar="MPC",
              help="Luminosity distance: the level in three dimensions.")
@json_option
def level(file: str, ra: float, dec: float, distance: float | None, json_: bool) -> None:
    """Tell the probability of the smallest region of the map in FILE that reaches a position.

    0.9 means: on the edge of the 90 % region; the smaller, the better the agreement.
    """
    from dataclasses import asdict

    from ...skymap.distances import along
    from ..output import as_json

    skymap = load_map(file)
    sight = along(skymap, ra, dec)
    found = _level(file, skymap, ra, dec, distance, sight is not None)
    if json_:
        as_json({"credible_level": found, "distance": asdict(sight) if sight else None})
        return
    region = "region" if distance is None else "volume"
    click.echo("The map does not know how far away a source there is; ask without --distance."
               if found is None else
               f"{found:.6g}: the smallest {region} with it holds {found:.4%} of the probability.")
    if sight is not None:
        click.echo(f"If it is there, then at {sight.median:.4g} Mpc ({sight.lower:.4g} to "
                   f"{sight.upper:.4g} with 90 %).")


def _level(
    file: str, skymap: SkyMap, ra: float, dec: float, distance: float | None, known: bool,
) -> float | None:
    """Return the level; None in space where there is probability, but no distance is known."""
    from ...errors import SkyMapError
    from ...skymap.regions import credible_level_at
    from ...skymap.volume import Volume

    if distance is None:
        return float(credible_level_at(skymap, ra, dec))
    if not 0 < distance < float("inf"):
        raise SkyMapError("distance", f"{distance:g} is not a number of Mpc, more than 0")
    if not skymap.has_distance:
        raise SkyMapError(file, "the map has no distances; ask without --distance", "DISTMU")
    cell = int(skymap.find(ra, dec))
    if not known and skymap.prob[cell] > 0:
        return None
    return float(Volume(skymap).levels(cell, distance))
