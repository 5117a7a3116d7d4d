"""``gwbroker coincidence windows``: the time windows and where they come from."""

from __future__ import annotations

from pathlib import Path

import click

from ..options import json_option
from .shared import pairs_option


@click.command()
@pairs_option
@json_option
def windows(pairs: Path | None, json_: bool) -> None:
    """List the pairs of kinds: window, rate of the second kind, and their sources."""
    from ...coincidence.far import YEAR
    from ..output import as_json, as_table
    from .shared import table

    found = table(pairs)
    if json_:
        as_json([pair.as_dict() for pair in found])
        return
    as_table("", ("pair", "window (s)", "per year", "source"), [
        (pair.name, "[{:g}, {:g}]".format(*pair.window),
         "" if pair.rate is None else f"{pair.rate * YEAR:g}", pair.source)
        for pair in found], "No pair.")
    click.echo("The window is that of the time of the first kind minus that of the second.")
