"""``gwbroker ledger``: the ledger's schema."""

from __future__ import annotations

import click

from .output import as_json


@click.group()
def ledger() -> None:
    """Look after the ledger."""


@ledger.command()
def upgrade() -> None:
    """Bring the ledger's schema up to date; does nothing if it is."""
    from ..ledger import engine, schema

    before = engine.version()
    schema.upgrade()
    after = engine.version()
    click.echo(f"The ledger is at schema {after}." if before == after
               else f"The ledger went from schema {before or 'none'} to {after}.")


@ledger.command()
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def version(json_: bool) -> None:
    """Show the schema of the ledger and the one that this gwbroker needs."""
    from ..ledger import engine

    found = engine.version()
    if json_:
        as_json({"ledger": found, "needed": engine.VERSION})
    else:
        click.echo(f"The ledger has schema {found or 'none'}, this gwbroker needs "
                   f"{engine.VERSION}.")
    if found not in (None, engine.VERSION):
        raise SystemExit(1)
