"""``gwbroker catalogue list``: the catalogues that are here."""

from __future__ import annotations

import click

from ..output import as_json, as_table


@click.command("list")
@click.option("--folder", type=click.Path(file_okay=False),
              help="Where the catalogues are; by default below the home.")
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
def list(folder: str | None, json_: bool) -> None:
    """List the catalogues that are here."""
    from ...catalogues.catalogue import listing
    from .add import summary
    from .places import home

    found = [*listing(home(folder))]
    if json_:
        as_json([summary(each) for each in found])
        return
    as_table("", ("name", "format", "galaxies", "without distance", "file", "digest"), [
        (each.name, each.manifest["format"], f"{each.rows:,}",
         f"{each.manifest['without_distance']:,}", each.manifest["source"]["file"],
         each.digest[:12]) for each in found],
        "No catalogue yet; add one with `gwbroker catalogue add`.")
