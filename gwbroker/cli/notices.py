"""``gwbroker notices``: the messages that arrived."""

from __future__ import annotations

import sys
from typing import Any

import click

from .output import NUMBER, as_json, as_table, when, with_times


@click.group(invoke_without_command=True)
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
@click.option("-n", "--limit", type=NUMBER, default=100, show_default=True,
              help="Show the newest N.")
@click.option("--topic", help="Only those of one topic.")
@click.option("--source", help="Only those of one source, as kafka.gcn.")
@click.pass_context
def notices(
    ctx: click.Context, json_: bool, limit: int, topic: str | None, source: str | None,
) -> None:
    """List the messages that arrived, the newest last."""
    if ctx.invoked_subcommand:
        return
    from ..ledger import notices as rows
    from ..ledger.engine import read

    with read() as connection:
        found = rows.listing(connection, limit=limit, topic=topic, source=source)
    if json_:
        as_json([with_times(row, ("received", "sent")) for row in found])
        return
    as_table("", ("id", "received (UTC)", "source", "topic", "size", "SHA-256", ""), [
        (row["id"], when(row["received"]), row["source"], row["topic"], row["size"],
         row["sha256"][:12], _note(row)) for row in found],
        "No message has arrived yet. Is a worker running? See `gwbroker doctor`.")


def _note(row: dict[str, Any]) -> str:
    if row["duplicate_of"]:
        return f"duplicate of {row['duplicate_of']}"
    notes = [f"revision of {row['revision_of']}"] if row["revision_of"] else []
    return ", ".join(notes + ["archived"] * bool(row["archive"]))


@notices.command()
@click.argument("number", type=NUMBER)
def show(number: int) -> None:
    """Write one message's bytes, exactly as they arrived, also if they were archived."""
    from ..ledger import notices as rows
    from ..ledger.engine import read

    with read() as connection:
        notice = rows.load(connection, number)
    sys.stdout.buffer.write(notice.payload)
    sys.stdout.buffer.flush()
