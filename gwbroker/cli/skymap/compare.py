"""``gwbroker skymap compare``: what changed from one revision to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options import json_option, load_map

if TYPE_CHECKING:
    from ...skymap.compare import Comparison


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@json_option
def compare(old: str, new: str, json_: bool) -> None:
    """Tell what changed from the map in OLD to the one in NEW.

    Areas, volume and distance of both, their overlap, how far the position moved, and how much
    of the one's 90 % region the other one still believes in.
    """
    from ...skymap.compare import compare as compared
    from ..output import as_json, as_table

    found = compared(load_map(old), load_map(new))
    if json_:
        as_json(found.as_dict())
        return
    as_table("", ["", "old", "new"], _rows(found), "")
    mean = "" if found.moved_mean is None else f", the mean direction {found.moved_mean:.3g}°"
    click.echo(f"\nThe most probable position moved {found.moved:.3g}°{mean}.")
    click.echo(f"The new map gives the old 90 % region {found.old_90_under_new:.1%}, the old map "
               f"gives the new one {found.new_90_under_old:.1%}.")
    click.echo(f"The overlap is {found.overlap:.4g} (1: no more than by chance).")


def _rows(found: Comparison) -> list[tuple[str, ...]]:
    from ..output import area

    sides = (found.old, found.new)
    volumes = (found.old_volume_90, found.new_volume_90)

    return [
        ("50 % area", *(area(each.area_50) for each in sides)),
        ("90 % area", *(area(each.area_90) for each in sides)),
        ("90 % volume", *("unknown" if v is None else f"{v:,.4g} Mpc³" for v in volumes)),
        ("most probable", *(f"{each.ra:.4f} {each.dec:+.4f}" for each in sides)),
        ("distance", *("unknown" if each.distmean is None else
                       f"{each.distmean:,.4g} ± {each.diststd:,.3g} Mpc" for each in sides)),
        ("cells", *(f"{each.cells:,}" for each in sides)),
    ]
