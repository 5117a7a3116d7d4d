"""``gwbroker skymap overlap``: how far two maps agree."""

from __future__ import annotations

from typing import Any

import click

from ..options import RA, json_option, load_map


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B", required=False)
@click.option("--ra", type=RA, metavar="DEG", help="Right ascension, instead of B.")
@click.option("--dec", type=float, metavar="DEG", help="Declination, instead of B.")
@json_option
def overlap(
    first: str, second: str | None, ra: float | None, dec: float | None, json_: bool,
) -> None:
    """Tell how far the maps in A and B agree, or a map and a known position.

    The overlap integral is 1 if either map is isotropic, more if they agree, and 0 if they
    exclude each other. A and B are files of any kind that is read; - is the standard input.
    """
    from ...skymap.overlap import overlap as overlap_of
    from ...skymap.overlap import overlap_at
    from ..output import as_json

    point = ra is not None and dec is not None
    if (second is None) != point or (ra is None) != (dec is None):
        raise click.UsageError("give a second map, or --ra and --dec")
    if second is not None:
        if first == second == "-":
            raise click.UsageError("only one of the maps can be on the standard input")
        found = overlap_of(load_map(first), load_map(second))
    else:
        assert ra is not None
        assert dec is not None
        found = float(overlap_at(load_map(first), ra, dec))
    if json_:
        facts: dict[str, Any] = {"overlap": found, "first": first, "second": second}
        as_json({**facts, "ra": ra, "dec": dec})
        return
    said = ("they exclude each other" if found == 0 else
            "one source is as likely as two" if abs(found - 1) < 0.005 else
            f"one source is {found:,.3g} times as likely as two" if found > 1 else
            f"two sources are {1 / found:,.3g} times as likely as one")
    click.echo(f"{found:.6g}: {said}, by position")
