"""``gwbroker streams``: what each topic brings, and how far its listeners are."""

from __future__ import annotations

import time

import click

from .output import as_json, as_table, short, with_times


@click.command()
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
@click.option("--all", "all_", is_flag=True, help="Also topics that are not there yet.")
def streams(json_: bool, all_: bool) -> None:
    """List the topics of every source: messages kept and seen, lag, age, problems.

    The lag is how many messages wait in Kafka; the counts are a few seconds old.
    """
    from ..health import stream_states

    found = stream_states()
    if json_:
        now = time.time()
        as_json([{**with_times(row.as_dict(), ("last",)),
                  "age": None if row.last is None else round(max(0.0, now - row.last), 1)}
                 for row in found])
        return
    missing = sum(row.state == "missing" for row in found)
    shown = [row for row in found if all_ or row.state != "missing"]
    as_table("", ("source", "topic", "state", "kept", "seen", "lag", "last", "problem"), [
        (row.source, row.topic, row.state, row.kept, row.seen, row.lag, _age(row.last),
         short(row.problem)) for row in shown], "No message has come yet.")
    if missing and not all_:
        click.echo(f"{missing} more {'topics are' if missing > 1 else 'topic is'} waited for "
                   "(--all).")


def _age(moment: float | None) -> str:
    from ..health import ago

    return "" if moment is None else ago(moment)
