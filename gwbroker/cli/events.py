"""``gwbroker events``: the bursts, mergers and neutrinos, and what was made for them."""

from __future__ import annotations

from typing import Any

import click

from .output import NUMBER, as_json, as_table, when, with_times


@click.group(invoke_without_command=True)
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
@click.option("-n", "--limit", type=NUMBER, default=100, show_default=True,
              help="Show the newest N.")
@click.option("--kind", help="Only one kind: gw, grb, xray, neutrino, supernova, frb...")
@click.pass_context
def events(ctx: click.Context, json_: bool, limit: int, kind: str | None) -> None:
    """List the events, the newest last."""
    if ctx.invoked_subcommand:
        return
    from ..ledger import events as rows
    from ..ledger.engine import read

    with read() as connection:
        found = rows.listing(connection, limit=limit, kind=kind)
    if json_:
        as_json([for_json(row) for row in found])
        return
    as_table("", ("id", "name", "kind", "role", "state", "t0 (UTC)", "notices", "90 %", "flags"), [
        (row["id"], row["name"], row["kind"], row["role"], row["state"], when(row["t0"]),
         len(row["notices"]), area(row), len(row["flags"]) or "") for row in found],
        "No event yet.")


def for_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return an event as programs read it: times in ISO 8601, products with whole paths."""
    from ..products import folder

    return {
        **with_times(row, ("t0", "created", "updated")),
        "products": [{**with_times(p, ("made",)), "path": str(folder() / p["path"])}
                     for p in row["products"]],
    }


def area(row: dict[str, Any]) -> str:
    """Return an event's 90 % credible area as people read it."""
    value = row["facts"].get("area_90")
    if value is None:
        return ""
    # A small one in the unit of the eyepiece.
    unit, scale = ("deg²", 1.0) if value >= 1 else ("arcmin²", 3600.0) if value >= 1 / 3600 \
        else ("arcsec²", 3600.0**2)
    return f"{value * scale:,.0f} {unit}" if value * scale >= 10 else f"{value * scale:.1f} {unit}"


@events.command()
@click.argument("name")
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def show(name: str, json_: bool) -> None:
    """Show one event whole: NAME is its number, name or identifier."""
    from ..errors import NotFound
    from ..ledger import events as rows
    from ..ledger.engine import read

    with read() as connection:
        number = rows.search(connection, name)
        if number is None:
            raise NotFound("event", name)
        row = rows.listing(connection, number=number)[0]
        history = rows.history(connection, number)
    value = for_json(row)
    value["history"] = [with_times(h, ("issued",)) for h in history]
    if json_:
        as_json(value)
        return
    for key in ("id", "name", "kind", "role", "state", "t0"):
        click.echo(f"{key:>12}  {value[key]}")
    click.echo(f"{'identifiers':>12}  {', '.join(value['identifiers'])}")
    for key, fact in sorted(value["facts"].items()):
        click.echo(f"{key:>20}  {fact}")
    for flag in value["flags"]:
        click.echo(f"{'flag':>12}  notice {flag['notice']}: {flag['problem']}")
    for told in value["history"]:
        click.echo(f"{'notice':>12}  {told['notice_id']} ({told['alert']}, {told['issued']})")
    for product in value["products"]:
        click.echo(f"{'product':>12}  {product['kind']:8} {product['path']}")
