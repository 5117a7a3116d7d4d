"""``gwbroker skymap unflatten``: a flat map in cells of several sizes."""

from __future__ import annotations

import click

from ..options import load_map, map_argument, out_argument


@click.command()
@map_argument
@out_argument
def unflatten(file: str, out: str) -> None:
    """Write the map in FILE to OUT in cells of several sizes: equal neighbours become one.

    Nothing is lost. OUT ends in .fits, .fits.gz, .parquet or .json, which decides the format.
    """
    from ...skymap import files
    from ...skymap.siblings import fewest
    from ..options import provenance

    # A flat map comes as few cells already; a multi-order one may not.
    skymap = fewest(load_map(file))
    files.save(skymap, out, provenance("unflatten", file))
    click.echo(f"{click.format_filename(out)}: {skymap.cells} cells, "
               f"the deepest of level {skymap.max_level}")
