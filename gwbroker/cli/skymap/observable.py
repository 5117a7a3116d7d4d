"""``gwbroker skymap observable``: how much of a map a site can see tonight."""

from __future__ import annotations

import click

from ..options import json_option, load_map, map_argument
from ..output import area, as_json, as_table

NOTHING = 3
"""Exit code if nothing can be seen; the reason is written."""

TWILIGHTS = click.Choice(["astronomical", "nautical", "civil"])


@click.command()
@map_argument
@click.option("--site", required=True, metavar="NAME",
              help="As palomar, or 'LON LAT HEIGHT' (degrees east, degrees, m).")
@click.option("--time", metavar="ISO", help="From when, as 2027-01-02T03:04:05Z; else now.")
@click.option("--hours", type=float, help="For so long, instead of the next night.")
@click.option("--minutes", type=float, default=30.0, show_default=True,
              help="For how long without a break a place has to be visible.")
@click.option("--level", type=float, default=0.9, show_default=True,
              help="Credible level of the region.")
@click.option("--airmass", type=float, default=2.0, show_default=True, help="The most.")
@click.option("--moon", type=float, default=30.0, show_default=True,
              help="Least distance from the Moon, degrees.")
@click.option("--twilight", type=TWILIGHTS, default="astronomical", show_default=True,
              help="Which one has to be over.")
@json_option
@click.pass_context
def observable(
    ctx: click.Context, file: str, site: str, time: str | None, hours: float | None,
    minutes: float, level: float, airmass: float, moon: float, twilight: str, json_: bool,
) -> None:
    """Say how much of a map's credible region a site can see tonight.

    Tonight is the rest of this night, or the next one that begins within a day. If nothing can
    be seen, the reason is written and the exit code is 3.
    """
    from ...observing.limits import Limits
    from ...observing.observability import observable as ask

    found = ask(load_map(file), site, time, hours=hours, minutes=minutes, level=level,
                limits=Limits(airmass, moon, twilight))
    if json_:
        as_json(found.to_dict())
    else:
        click.echo(f"{found.site.name}: {found.start} to {found.end}, {found.dark:.1f} h dark,"
                   f" Moon {100 * found.moon_illumination:.0f} % lit")
        click.echo(f"{100 * found.probability:.1f} % of the probability of the"
                   f" {100 * found.level:g} % region and {100 * found.area:.1f} % of its"
                   f" {area(found.region)} for at least {found.minutes:g} min")
        if found.best:
            click.echo(f"most at {found.best}")
        as_table("", ("time", "visible", "Sun", "Moon"),
                 [(s.time, f"{100 * s.probability:.1f} %", f"{s.sun:.1f}", f"{s.moon:.1f}")
                  for s in found.steps], "")
    if found.reason:
        click.echo(found.reason, err=True)
        ctx.exit(NOTHING)
