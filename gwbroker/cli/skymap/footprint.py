"""``gwbroker skymap footprint``: the probability within a region."""

from __future__ import annotations

import click

from ..options import RA, json_option, load_map, map_argument


@click.command()
@map_argument
@click.argument("moc", metavar="MOC", required=False)
@click.option("--cone", type=(RA, float, float), metavar="RA DEC RADIUS",
              help="A circle instead of a file, degrees.")
@json_option
def footprint(
    file: str, moc: str | None, cone: tuple[float, float, float] | None, json_: bool,
) -> None:
    """Tell how much of the probability of the map in FILE is within a region.

    MOC is a file with the region, as FITS, JSON or ASCII: an instrument's field of view, what was
    observed, or what `gwbroker skymap moc` wrote.
    """
    if (moc is None) == (cone is None):
        raise click.UsageError("Give either a MOC file or --cone RA DEC RADIUS.")
    from ...skymap.footprint import probability
    from ...skymap.moc import Moc
    from ..output import area, as_json

    skymap = load_map(file)
    region = Moc.read(moc) if moc is not None else Moc.from_cone(*cone) if cone else Moc.empty()
    inside = probability(skymap, region)
    if json_:
        as_json({"probability": inside, "area": region.area, "cells": len(region.uniq)})
        return
    click.echo(f"{inside:.4%} of the probability is in {area(region.area)}.")
