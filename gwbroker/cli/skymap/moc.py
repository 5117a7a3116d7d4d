"""``gwbroker skymap moc``: the region of a credible level."""

from __future__ import annotations

import click

from ..options import json_option, load_map, map_argument, out_argument


@click.command()
@map_argument
@out_argument
@click.option("--level", type=float, default=0.9, show_default=True, metavar="P",
              help="Probability of the region, from 0 to 1.")
@json_option
def moc(file: str, out: str, level: float, json_: bool) -> None:
    """Write the region of the map in FILE that holds a probability to OUT.

    The form goes by the suffix of OUT: .fits, .json or .txt, all three as the IVOA's standard for
    MOCs (2.0) has them; Aladin, TOPCAT and mocpy read them. Its cells are whole, so that it holds
    at least the probability.
    """
    from ...skymap.footprint import probability
    from ...skymap.moc import Moc
    from ..output import area, as_json, counted

    skymap = load_map(file)
    region = Moc.of_level(skymap, level)
    region.write(out)
    facts = {"level": level, "probability": probability(skymap, region), "area": region.area,
             "cells": len(region.uniq), "max_level": region.max_level, "file": out}
    if json_:
        as_json(facts)
        return
    click.echo(f"{out}: {area(region.area)} in {counted(len(region.uniq), 'cell')}, with "
               f"{facts['probability']:.4%} of the probability.")
