"""``gwbroker skymap crossmatch``: galaxies ranked, or candidates scored, against a map."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..options import load_map
from ..output import as_json, as_table, counted

if TYPE_CHECKING:
    from ...catalogues.candidates import Candidates
    from ...catalogues.crossmatch import Ranking
    from ...catalogues.tables import Table
    from ...skymap.multiorder import SkyMap

KNOWN = 0.999
"""If less of the probability has a distance, people are told."""

SHOWN = 20
"""Most rows that people see; files and JSON have all."""


@click.command()
@click.argument("map_", metavar="MAP")
@click.option("--catalogue", metavar="NAME|FOLDER", help="Rank the galaxies of this catalogue.")
@click.option("--candidates", metavar="FILE|-",
              help="Score the candidates in a table, or in lines of JSON; - is standard input.")
@click.option("--level", type=float, default=0.9, show_default=True,
              help="Rank those in this credible region; 1: all.")
@click.option("--rank", type=click.Choice(("luminosity", "mass", "probability")),
              help="Rank by probability times this; by default luminosity, if there is any.")
@click.option("--top", type=click.IntRange(1), default=1000, show_default=True, metavar="N",
              help="Rank the best N.")
@click.option("--trials", type=click.IntRange(1), metavar="N",
              help="Of how many candidates these are; by default as many as there are.")
@click.option("--max-distance", type=float, metavar="MPC",
              help="How far away unrelated candidates may be.")
@click.option("--ra-unit", type=click.Choice(("deg", "hour")),
              help="Of the candidates' right ascensions, if the file does not say.")
@click.option("-o", "--output", type=click.Path(dir_okay=False),
              help="Write a table: .ecsv, .csv, .parquet or .json.")
@click.option("--folder", type=click.Path(file_okay=False),
              help="Where the catalogues are; by default below the home.")
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def crossmatch(
    map_: str, catalogue: str | None, candidates: str | None, level: float, rank: str | None,
    top: int, trials: int | None, max_distance: float | None, ra_unit: str | None,
    output: str | None, folder: str | None, json_: bool,
) -> None:
    """Rank the galaxies of a catalogue, or score candidates, against the sky map in MAP.

    With --catalogue: the galaxies in the credible volume, ranked by the probability there times
    their luminosity or mass. With --candidates: how deep in the map each one is, and how
    probable that is by chance. Lines of JSON from standard input are answered one by one, unless
    -o or --json asks for all of them.
    """
    if (catalogue is None) == (candidates is None):
        raise click.UsageError("Give either --catalogue or --candidates.")
    if map_ == candidates == "-":
        raise click.UsageError("Map and candidates cannot both come from standard input.")
    from ...catalogues.tables import check_suffix

    if output:
        check_suffix(output)
    skymap = load_map(map_)
    if catalogue is not None:
        found = _rank(skymap, catalogue, folder, level, rank, top)
        table = found.table
        said = _ranked(found)
    else:
        assert candidates is not None
        if candidates == "-" and not output and not json_:
            _stream(skymap, trials, max_distance, ra_unit)
            return
        from ...catalogues.scorer import score

        table = score(skymap, _read(candidates, ra_unit), trials=trials,
                      max_distance=max_distance)
        said = _scored(table)
    if output:
        table.write(output)
    if json_:
        as_json(table.as_dict())
        return
    for line in said:
        click.echo(line)
    if output:
        click.echo(f"{counted(len(table), 'row')} in {output}")
    else:
        _show(table, "score" if catalogue is not None else "chance")


def _rank(
    skymap: SkyMap, name: str, folder: str | None, level: float, rank: str | None, top: int,
) -> Ranking:
    from ...catalogues.catalogue import Catalogue
    from ...catalogues.crossmatch import crossmatch as match
    from ...catalogues.crossmatch import ranks
    from ..catalogue.places import find
    from ..catalogue.progress import progress

    galaxies = Catalogue.open(find(name, folder))
    with progress(galaxies.name) as tell:
        return match(skymap, galaxies, level=level, rank=rank or ranks(galaxies)[0], top=top,
                     progress=lambda done: tell("matching", done))


def _ranked(found: Ranking) -> list[str]:
    """Say what a ranking is."""
    about = found.table.provenance
    region = "volume" if about["dimensions"] == 3 else "area"
    inside = counted(found.inside, "galaxy", "galaxies")
    lines = [f"{inside} of {about['catalogue']} in the {about['level']:.4g} "
             f"credible {region}; ranked {found.ranked:,} by "
             + ("probability" if about["rank"] == "probability" else
                f"probability times {about['rank']}")]
    if about["dimensions"] == 2:
        lines.append("The map has no distances: this is about the sky alone.")
    elif about["distance_known"] < KNOWN:
        lines.append(f"Of {1 - about['distance_known']:.1%} of the probability the map does not "
                     "know the distance; galaxies there are not ranked.")
    if found.ranked < found.inside:
        lines.append(f"Not ranked for want of a {about['rank']}: "
                     f"{found.inside - found.ranked:,}.")
    if found.without_distance:
        lines.append("Not ranked for want of a distance: "
                     f"{found.without_distance:,} in the area.")
    if found.completeness is not None:
        lines.append(f"Their light is {found.completeness:.0%} of that of an average volume of "
                     "this size.")
    return lines


def _scored(table: Table) -> list[str]:
    """Say what scores are."""
    about = table.provenance
    lines = [f"{counted(len(table), 'candidate')}, {counted(about['trials'], 'trial')}. "
             "credible_level: near 1 is far out. chance: near 0 is no coincidence."]
    if about["dimensions"] == 2:
        lines.append("The map has no distances: this is about the sky alone.")
    else:
        lines.append(f"Chances in space are within {about['max_distance']:,.0f} Mpc.")
    return lines


def _show(table: Table, order: str) -> None:
    import numpy as np

    columns = [c for c in ("rank", "name", "ra", "dec", "distance", "credible_level",
                           "credible_level_3d", "chance", "chance_trials", "score", "cumulative")
               if c in table.columns]
    rows = table.rows()
    if order == "chance":
        rows = [rows[i] for i in np.argsort(table.columns["chance"], kind="stable")]
    as_table("", columns, [[_cell(row[c]) for c in columns] for row in rows[:SHOWN]],
             "None is there.")
    if len(rows) > SHOWN:
        click.echo(f"and {len(rows) - SHOWN:,} more; all of them with -o or --json")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.3f}"
    return "" if value is None else str(value)


def _read(source: str, ra_unit: str | None) -> Candidates:
    from ...catalogues.candidates import Candidates
    from ...catalogues.lines import lines
    from ...errors import SkyMapError

    if source == "-":
        return Candidates.from_lines(lines(sys.stdin.buffer), "standard input", ra_unit)
    found = Candidates.read(source, ra_unit)
    if not len(found):
        raise SkyMapError(source, "has no rows")
    return found


def _stream(
    skymap: SkyMap, trials: int | None, max_distance: float | None, ra_unit: str | None,
) -> None:
    """Answer each line as it comes; a bad one is answered by its error, and the next is read."""
    import json

    from ...catalogues.candidates import Candidates
    from ...catalogues.lines import lines
    from ...catalogues.scorer import Scorer
    from ...errors import SkyMapError

    scorer = Scorer(skymap, max_distance)
    good = bad = 0
    for number, line in enumerate(lines(sys.stdin.buffer), 1):
        if not line.strip():
            continue
        try:
            one = Candidates.from_line(line, f"line {number}", ra_unit)
            good += 1
            answer = scorer.score(one, trials or good).rows()[0]
        except SkyMapError as e:
            answer, bad = {"error": str(e)}, bad + 1
        click.echo(json.dumps(answer, ensure_ascii=False))
        sys.stdout.flush()
    if bad:
        click.echo(f"{counted(bad, 'line')} could not be scored.", err=True)
        sys.exit(1)
