"""``gwbroker skymap combine``: the map of one source that several maps are of."""

from __future__ import annotations

from typing import Any

import click

from ..options import json_option, load_map


@click.command()
@click.argument("files", metavar="A B [C...]", nargs=-1, required=True)
@click.option("-o", "--out", required=True, metavar="OUT",
              help="Where to write: .fits, .fits.gz, .parquet or .json.")
@click.option("--distances", type=click.Choice(["joint", "first", "none"]), default="joint",
              show_default=True,
              help="All distances together, those of the first map that has them, or none.")
@click.option("--force", is_flag=True,
              help="Also maps that nearly exclude each other: overlap below 0.001.")
@json_option
def combine(
    files: tuple[str, ...], out: str, distances: str, force: bool, json_: bool,
) -> None:
    """Write the map of one source that all the maps A, B... are of to OUT.

    It is the product of their probabilities, made to sum to one; distances are marginalised
    anew. Maps that exclude each other are refused.
    """
    from ...skymap.combine import combine as combined
    from ...skymap.files import save
    from ...skymap.overlap import APART
    from ...skymap.summary import summarize
    from ..options import provenance
    from ..output import area, as_json

    if len(files) < 2:
        raise click.UsageError("give two maps or more")
    if files.count("-") > 1:
        raise click.UsageError("only one of the maps can be on the standard input")
    maps = [load_map(file) for file in files]
    found = combined(maps, distances, files, least=0 if force else APART)  # type: ignore[arg-type]
    save(found.skymap, out, provenance("combine", *files))
    facts: dict[str, Any] = {
        "out": out, "overlap": found.overlap, **summarize(found.skymap).as_dict(),
        "inputs": [{"file": file, **summarize(each).as_dict()}
                   for file, each in zip(files, maps, strict=True)],
    }
    if json_:
        as_json(facts)
        return
    for row in (*facts["inputs"], {"file": out, **facts}):
        mean, std = row["distmean"], row["diststd"]
        far = "" if mean is None else f", {mean:,.0f} ± {std:,.0f} Mpc"
        click.echo(f"{click.format_filename(row['file'])}: 90 % in {area(row['area_90'])}{far}")
    click.echo(f"overlap {found.overlap:.4g}")
