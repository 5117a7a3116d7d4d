"""``gwbroker doctor``: is everything well?"""

from __future__ import annotations

import click

from .output import as_json, visible

MARKS = {0: ("ok", "green"), 1: ("warn", "yellow"), 2: ("CRIT", "red")}


@click.command()
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def doctor(json_: bool) -> None:
    """Check settings, ledger, Redis, workers, listeners, streams and dead jobs.

    One line each. Exit code 0: all is well; 1: a warning; 2: critical, as monitoring
    plugins have it.
    """
    from .. import health
    from ..errors import GWBrokerError

    try:
        found = health.examine()
    except GWBrokerError as e:
        found = [health.Finding("settings", health.Level.CRITICAL, str(e))]
    worst = max(f.level for f in found)
    if json_:
        as_json({"state": worst.name.lower(), "checks": [
            {"check": f.check, "level": f.level.name.lower(), "text": f.text} for f in found]})
    else:
        width = max(len(f.check) for f in found)
        for finding in found:
            mark, colour = MARKS[finding.level]
            click.echo(f"{click.style(f'{mark:<4}', fg=colour)}  {finding.check:<{width}}  "
                       # A line each, whatever stands in it.
                       f"{' '.join(visible(finding.text).splitlines())}")
    raise SystemExit(int(worst))
