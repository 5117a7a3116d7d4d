"""``gwbroker coincidence far``: the joint false-alarm rate of two events."""

from __future__ import annotations

from pathlib import Path

import click

from ..options import json_option
from .shared import pairs_option


@click.command()
@click.option("--kinds", nargs=2, required=True, metavar="KIND KIND",
              help="gw, grb, subgrb, frb, neutrino, supernova, or of your own.")
@click.option("--far-gw", "--far-first", "far_gw", type=float, required=True, metavar="HZ",
              help="False-alarm rate of the gravitational waves (of the pair's first kind).")
@click.option("--far-ext", "--far-second", "far_ext", type=float, metavar="HZ",
              help="That of the other event, of a targeted search; without it, untargeted.")
@click.option("--far-gw-max", type=float, metavar="HZ",
              help="The largest --far-gw that the targeted search admits.")
@click.option("--far-ext-max", type=float, metavar="HZ",
              help="The largest --far-ext that the targeted search admits.")
@click.option("--overlap", type=float, metavar="X",
              help="Overlap of their maps, of `gwbroker skymap overlap`.")
@click.option("--group", metavar="GROUP", help="cbc (mergers) or burst; by default cbc.")
@click.option("--experiment", "--pipeline", "experiment", metavar="NAME",
              help="For sub-threshold bursts: fermi or swift; by default fermi.")
@click.option("--search", metavar="NAME",
              help="Whose threshold and trials to use: allsky, bbh, earlywarning, ssm, burst.")
@pairs_option
@json_option
def far(
    kinds: tuple[str, str], far_gw: float, far_ext: float | None, far_gw_max: float | None,
    far_ext_max: float | None, overlap: float | None, group: str | None,
    experiment: str | None, search: str | None, pairs: Path | None, json_: bool,
) -> None:
    """Tell how often chance alone brings two such events together, in Hz."""
    from dataclasses import replace

    from ...coincidence.candidate import Candidate
    from ...coincidence.far import YEAR, check_far
    from ...coincidence.pairs import find
    from ...coincidence.search import judge
    from ...errors import CoincidenceError
    from ..output import as_json
    from .shared import table

    for name, value in (("--far-gw", far_gw), ("--far-ext", far_ext),
                        ("--far-gw-max", far_gw_max), ("--far-ext-max", far_ext_max)):
        if value is not None:
            check_far(name, value)
    if group is None and search is not None and search.strip().lower() == "burst":
        # Its window goes with its threshold.
        group = "burst"
    pair = find(*kinds, group, experiment, table(pairs))
    if far_gw_max is not None or far_ext_max is not None:
        most = (far_gw_max, far_ext_max) if pair.far_max is None else (
            pair.far_max[0] if far_gw_max is None else far_gw_max,
            pair.far_max[1] if far_ext_max is None else far_ext_max)
        if most[0] is None or most[1] is None:
            raise CoincidenceError(
                "far_max", f"of {pair.name} nothing is known; give --far-gw-max and --far-ext-max")
        pair = replace(pair, far_max=(most[0], most[1]), far_source="as given")
    if far_ext is not None and pair.far_max is None:
        raise CoincidenceError(
            "far_ext", f"there is no targeted search of {pair.name}; leave it out, or give"
            " --far-gw-max and --far-ext-max")
    names = pair.kinds
    found = judge(
        pair, Candidate(names[0], names[0], 0.0, far_gw, pair.group or group, search),
        Candidate(names[1], names[1], 0.0, far_ext, experiment=pair.experiment), overlap)
    facts = found.as_dict()
    if json_:
        # Which events they are, and when, is not asked here.
        as_json({k: v for k, v in facts.items()
                 if k not in ("first", "second", "offset", "in_window")})
        return
    low, high = pair.window
    rate = ("not known" if found.far is None else "infinite: the positions exclude each other"
            if facts["far"] is None else f"{found.far:.4g} Hz, {_how_often(found.far * YEAR)}")
    click.echo(f"joint false-alarm rate {rate}")
    click.echo(f"window {facts['window_of']} in [{low:g}, {high:g}] s ({pair.source})")
    click.echo("may be published" if found.decision.publish
               else f"not to be published: {'; '.join(found.decision.reasons)}")


def _how_often(per_year: float) -> str:
    """Return how often that is, as people say it."""
    if per_year == 0:
        return "never"
    years = 1 / per_year
    # In full, because nobody reads powers of ten as years: down to a digit before the point.
    long = f"{years:,.0f}" if years < 1e6 else f"{years:.3g}"
    return (f"once in {long if years >= 100 else f'{years:.3g}'} years" if years >= 1
            else f"once in {years * 365:.3g} days")
