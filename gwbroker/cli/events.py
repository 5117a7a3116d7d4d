"""``gwbroker events``: the bursts, mergers and neutrinos, and what was made for them."""

from __future__ import annotations

from typing import Any

import click

from .output import NUMBER, as_json, as_table, counted, say, when, with_times
from .output import area as text


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
    return text(value)


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
        say(f"{key:>12}  {value[key]}")
    say(f"{'identifiers':>12}  {', '.join(value['identifiers'])}")
    for key, fact in sorted(value["facts"].items()):
        for line in as_lines(key, fact):
            say(f"{key:>20}  {line}")
    for flag in value["flags"]:
        say(f"{'flag':>12}  notice {flag['notice']}: {flag['problem']}")
    for told in value["history"]:
        say(f"{'notice':>12}  {told['notice_id']} ({told['alert']}, {told['issued']})")
    for product in value["products"]:
        say(f"{'product':>12}  {product['kind']:14} {product['path']}")
    for product in value["products"]:
        if product["kind"] == "allsky" and product["facts"].get("alt"):
            say(f"{'in words':>12}  {product['facts']['alt']}")


def as_lines(key: str, fact: Any) -> list[str]:
    """Return a fact as lines for people: of tasks' tables, a line for each row."""
    try:
        if key == "coincidences":
            return [f"{c['name']}: {c['offset']:+.2f} s, "
                    + (f"{c['far']:.3g} Hz" if c["far"] is not None else "rate not known")
                    + (", withdrawn: " + c["withdrawn"] if c["withdrawn"] else
                       ", may be published" if c["publish"] else
                       ", not to be published: " + "; ".join(c["reasons"])) for c in fact]
        if key == "galaxies":
            return [f"{name}: {g['ranked']} ranked, best "
                    + ", ".join(str(b["name"]) for b in g["best"][:3])
                    for name, g in fact.items()]
        if key == "observability":
            return [f"{name}: {100 * o['probability']:.0f} % of the 90 % region, {o['start']} to "
                    f"{o['end']}{', ' + o['reason'] if o['reason'] else ''}"
                    for name, o in fact.items()]
        if key == "changes":
            return [f"since notice {fact['notice']}: moved {fact['moved']:.2g} deg, 90 % area "
                    f"{text(fact['area_90'][0])} before, {text(fact['area_90'][1])} now, "
                    f"overlap {fact['overlap']:.3g}"]
        if key == "plans":
            return [f"{name}: {counted(p['exposures'], 'exposure')}, {100 * p['covered']:.0f} %"
                    f"{', ' + p['reason'] if p['reason'] else ''}" for name, p in fact.items()]
    # A handler of one's own may have facts of these names.
    except (KeyError, TypeError, AttributeError, ValueError):
        pass
    return [str(fact)]
