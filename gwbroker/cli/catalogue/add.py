"""``gwbroker catalogue add``: a file of galaxies becomes a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..output import as_json, counted

if TYPE_CHECKING:
    from ...catalogues.catalogue import Catalogue

FORMATS = ("glade+", "ned-lvs", "table")
"""What can be added; the same as `catalogues.layouts.FORMATS`, which --help does not wait for."""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table",
              show_default=True, help="What the file is; table: CSV, ECSV, FITS or Parquet.")
@click.option("--name", help="What to call it; by default as the file.")
@click.option("--column", "columns", metavar="WHAT=COLUMN", multiple=True,
              help="Where the file has it, as ra=RAJ2000; may be repeated.")
@click.option("--ra-unit", type=click.Choice(("deg", "hour")),
              help="Unit of the right ascension, if the file does not say it rightly.")
@click.option("--folder", type=click.Path(file_okay=False),
              help="Where the catalogues are; by default below the home.")
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def add(
    file: str, format_: str, name: str | None, columns: tuple[str, ...], ra_unit: str | None,
    folder: str | None, json_: bool,
) -> None:
    """Read GLADE+, NED-LVS or a table of your own and keep its galaxies.

    The file is read in pieces; until all is done, a catalogue of the same name stays as it is.
    """
    from ...catalogues.add import add as make
    from .places import check_name, home
    from .progress import progress

    name = name or Path(file).name.partition(".")[0]
    place = home(folder) / check_name(name)
    with progress(name) as tell:
        made, new = make(file, place, format_, name, columns=_named(columns), ra_unit=ra_unit,
                         progress=tell)
    if json_:
        as_json({**summary(made), "new": new})
        return
    _say(made, new)


def _say(made: Catalogue, new: bool) -> None:
    about = made.manifest
    if not new:
        click.echo(f"{made.name} was already made of this file in this way: nothing to do.")
    galaxies = counted(made.rows, "galaxy", "galaxies")
    click.echo(f"{made.name}: {galaxies} from {counted(about['source']['rows'], 'row')}, "
               f"in {counted(len(made.partitions), 'file')} in {made.folder}")
    if about["without_distance"]:
        have = "has" if about["without_distance"] == 1 else "have"
        click.echo(f"  {about['without_distance']:,} of them {have} no distance: of use only for "
                   "maps without distances")
    for each in about["left_out"]:
        click.echo(f"  left out: {counted(each['rows'], 'row')}, {each['column']} "
                   f"{each['reason']} (first: {each['first']})")


def summary(catalogue: Catalogue) -> dict[str, Any]:
    """Return what ``--json`` says of a catalogue."""
    about = catalogue.manifest
    return {"name": catalogue.name, "format": about["format"], "galaxies": catalogue.rows,
            "without_distance": about["without_distance"], "left_out": about["left_out"],
            "source": about["source"], "digest": catalogue.digest, "level": catalogue.level,
            "partitions": len(catalogue.partitions), "band": about["band"] or None,
            "folder": str(catalogue.folder), "versions": about["versions"]}


def _named(columns: tuple[str, ...]) -> dict[str, str]:
    """Return the columns that the user names."""
    found = {}
    for each in columns:
        what, is_there, column = each.partition("=")
        if not is_there or not what or not column:
            raise click.UsageError(f"--column {each}: write it as ra=RAJ2000")
        found[what] = column
    return found
