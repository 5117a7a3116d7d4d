"""``gwbroker handlers``: what is called for which messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from .output import as_json, as_table


@click.group(invoke_without_command=True)
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
@click.pass_context
def handlers(ctx: click.Context, json_: bool) -> None:
    """List the handlers, built-in ones and yours, with their streams, queues and options."""
    if ctx.invoked_subcommand:
        return
    from .. import dispatch

    found = sorted(dispatch.load().values(), key=lambda r: r.name)
    rows: list[dict[str, Any]] = [{
        "name": r.name, "stream": r.stream.name,
        "wants": [str(getattr(key, "name", key)) for key in r.keys], "queue": r.queue,
        "retries": r.retries, "backoff": r.backoff, "time_limit": r.time_limit,
        "where": r.where is not None, "max_age": r.max_age, "tells": r.tells, "batch": r.batch,
        "topics": sorted(r.topics), "origin": r.origin,
    } for r in found]
    if json_:
        as_json(rows)
        return
    as_table("", ("name", "stream", "wants", "queue", "options"), [
        (row["name"], row["stream"], _wants(row["wants"]), row["queue"],
         f"retries={row['retries']} backoff={row['backoff']:g} time_limit={row['time_limit']:g}"
         + _further(row)) for row in rows], "No handler is installed.")


def _further(row: dict[str, Any]) -> str:
    found = [f"{name}={row[name]:.15g}" for name in ("max_age", "batch") if row[name] is not None]
    return "".join(f" {each}" for each in [
        *found, *(name for name in ("where", "tells") if row[name])])


def _wants(keys: list[str]) -> str:
    if len(keys) > 4:
        return ", ".join(keys[:3]) + f" and {len(keys) - 3} more (--json)"
    return ", ".join(keys) or "all"


@handlers.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("."),
              show_default=True, help="Where to make the package.")
def new(name: str, folder: Path) -> None:
    """Write a working plugin package called NAME, with a test."""
    from ..plugin import write

    package = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    if not package or not package[0].isalpha():
        raise click.BadParameter("use letters, digits, dashes and underscores, a letter first",
                                 param_hint="NAME")
    target = folder / name
    if target.exists():
        raise click.ClickException(f"{target} exists already; choose another name or folder")
    for path in write(target, name, package):
        click.echo(path)
    click.echo(f"""
Try it:
    cd {target}
    pip install --editable .
    gwbroker handlers          # it is in the list
    python -m pytest           # its test passes""")
