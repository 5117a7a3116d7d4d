"""``gwbroker skymap plan``: which fields a telescope should observe, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options import json_option, load_map, map_argument
from ..output import as_json
from .observable import NOTHING, TWILIGHTS

if TYPE_CHECKING:
    from ...observing.telescopes import Telescope


@click.command()
@map_argument
@click.option("--telescope", metavar="NAME",
              help="ztf, decam, rubin, goto, goto-south, half-metre, or a .toml or .json file.")
@click.option("--site", metavar="NAME",
              help="As palomar, or 'LON LAT HEIGHT' (degrees east, degrees, m).")
@click.option("--fov", type=float, nargs=2, metavar="W H",
              help="Field of view, degrees.")
@click.option("--start", metavar="ISO", help="From when, as 2027-01-02T03:04:05Z; else now.")
@click.option("--end", metavar="ISO", help="Until when; else the end of the night.")
@click.option("--hours", type=float, help="For how long, instead of --end.")
@click.option("--exposure", type=float, help="Time per tile, s.")
@click.option("--airmass", type=float, help="The most.")
@click.option("--moon", type=float, help="Least distance from the Moon, degrees.")
@click.option("--twilight", type=TWILIGHTS, help="Which one has to be over.")
@click.option("--level", type=float, default=0.9, show_default=True,
              help="Credible level of the region to cover.")
@click.option("--fields", metavar="FILE", help="Table of the only fields allowed: ra, dec (deg).")
@click.option("--visits", type=click.IntRange(1, 100), default=1, show_default=True,
              help="Exposures of each field.")
@click.option("--gap", type=click.FloatRange(0), default=0.0, show_default=True,
              help="Least time between two of a field, minutes.")
@click.option("--filters", metavar="A,B", help="Of the first visit, the second...")
@click.option("-o", "--output", metavar="FILE", help="Write it here: .ecsv, .json or .txt.")
@json_option
@click.pass_context
def plan(
    ctx: click.Context, file: str, telescope: str | None, site: str | None,
    fov: tuple[float, float] | None, start: str | None, end: str | None, hours: float | None,
    exposure: float | None, airmass: float | None, moon: float | None, twilight: str | None,
    level: float, fields: str | None, visits: int, gap: float, filters: str | None,
    output: str | None, json_: bool,
) -> None:
    """Plan which fields a telescope should observe, and when.

    Tonight, unless told otherwise. If nothing can be observed, the reason is written and the exit
    code is 3.
    """
    from ...observing import field_list
    from ...observing.plan import plan as make
    from ...observing.planned import check_suffix
    from ...observing.schedule import Visits

    if output:
        check_suffix(output)
    instrument = _telescope(telescope, site, fov, {
        "exposure": exposure}, {"airmass": airmass, "moon": moon, "twilight": twilight})
    names = tuple(f.strip() for f in filters.split(",")) if filters else ("",)
    found = make(load_map(file), instrument, start, end=end, hours=hours, level=level,
                 fields=field_list.read(fields) if fields else None,
                 visits=Visits(visits, gap * 60, names))
    if output:
        found.write(output)
    if json_:
        as_json(found.to_dict())
    elif output:
        click.echo(f"{output}: {found.coverage}")
    else:
        click.echo(found.text(), nl=False)
    if found.reason:
        click.echo(found.reason, err=True)
        ctx.exit(NOTHING)


def _telescope(
    name: str | None, site: str | None, fov: tuple[float, float] | None,
    own: dict[str, float | None], limits: dict[str, float | str | None],
) -> Telescope:
    """Return the telescope that is named, with what the options change."""
    from dataclasses import replace

    from ...errors import SkyMapError
    from ...observing.sites import site as known_site
    from ...observing.telescope_file import field_of_view, telescope
    from ...observing.telescopes import Telescope

    if name is None and fov is None:
        raise SkyMapError("telescope", "which one? Give --telescope, or --fov and --site")
    view = field_of_view(fov) if fov else {}
    base = telescope(name) if name else Telescope("telescope", fov[0], fov[1])  # type: ignore[index]
    given = {k: v for k, v in own.items() if v is not None} | view
    new_limits = {k: v for k, v in limits.items() if v is not None}
    return replace(base, **given, site=known_site(site) if site else base.site,  # type: ignore[arg-type]
                   limits=replace(base.limits, **new_limits))  # type: ignore[arg-type]
