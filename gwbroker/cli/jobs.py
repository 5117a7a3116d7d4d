"""``gwbroker jobs``: the calls of handlers and tasks."""

from __future__ import annotations

import click

from .output import NUMBER, as_json, as_table, say, short, when, with_times

TIMES = ("created", "due", "sent", "started", "finished", "lease_until")
STATES = ("pending", "sent", "running", "waiting", "done", "dead")
CHUNK = 500
"""Most jobs that get another life in one transaction, which others must wait for."""


@click.group(invoke_without_command=True)
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
@click.option("-n", "--limit", type=NUMBER, default=100, show_default=True,
              help="Show the newest N.")
@click.option("--state", type=click.Choice(STATES), help="Only those in one state.")
@click.option("--notice", type=NUMBER, help="Only those of one notice.")
@click.option("--handler", help="Only those of one handler or task.")
@click.option("--replay", metavar="LABEL", help="Only those of one replay.")
@click.pass_context
def jobs(
    ctx: click.Context, json_: bool, limit: int, state: str | None, notice: int | None,
    handler: str | None, replay: str | None,
) -> None:
    """List the calls of handlers and tasks, the newest last."""
    if ctx.invoked_subcommand:
        return
    from ..ledger import jobs as rows
    from ..ledger.engine import read

    with read() as connection:
        found = rows.listing(connection, state=state, notice=notice, handler=handler,
                             replay=replay, limit=limit)
    if json_:
        as_json([with_times(row, TIMES) for row in found])
        return
    as_table("", ("id", "state", "handler", "queue", "notice", "tries", "created (UTC)",
                  "progress or error"), [
        (row["id"], row["state"], row["handler"], row["queue"], row["notice"], row["attempts"],
         when(row["created"]), short(rows.how_far(row["progress"]) or row["error"]))
        for row in found],
        f"No job is {state}." if state else
        f"There is no replay {replay}, or it gave no jobs." if replay else "No job yet.")


@jobs.command()
@click.argument("number", type=NUMBER)
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def show(number: int, json_: bool) -> None:
    """Show one job whole, with its traceback."""
    from ..errors import NotFound
    from ..ledger import jobs as rows
    from ..ledger.engine import read

    with read() as connection:
        found = rows.listing(connection, numbers=[number])
    if not found:
        raise NotFound("job", number)
    row = with_times(found[0], TIMES)
    if json_:
        as_json(row)
        return
    for name, value in row.items():
        if name != "traceback" and value is not None:
            shown = rows.how_far(value) if name == "progress" else value
            say(f"{name:>12}  {shown}")
    if row["traceback"]:
        say("\n" + row["traceback"])


def _dead(numbers: tuple[int, ...], all_dead: bool, handler: str | None) -> list[tuple[int, ...]]:
    """Return the jobs that are meant, some at a time."""
    if bool(numbers) == all_dead:
        raise click.UsageError("Name the jobs, or use --all-dead.")
    if handler and not all_dead:
        raise click.UsageError("--handler goes with --all-dead.")
    from ..ledger import jobs as rows
    from ..ledger.engine import read

    if all_dead:
        with read() as connection:
            numbers = tuple(row["id"] for row in rows.listing(
                connection, state="dead", handler=handler, limit=100_000))
    return [numbers[n:n + CHUNK] for n in range(0, len(numbers), CHUNK)]


def _tell(parts: list[tuple[int, ...]], one: str, many: str) -> None:
    number = sum(map(len, parts))
    click.echo(one if number == 1 else many.format(number) if number else "No job is dead.")


_NUMBERS = click.argument("numbers", metavar="ID...", type=NUMBER, nargs=-1)
_ALL = click.option("--all-dead", is_flag=True, help="Every dead job.")
_HANDLER = click.option("--handler", help="With --all-dead: only those of one handler.")


@jobs.command()
@_NUMBERS
@_ALL
@_HANDLER
def retry(numbers: tuple[int, ...], all_dead: bool, handler: str | None) -> None:
    """Give dead jobs another life."""
    parts = _dead(numbers, all_dead, handler)
    if parts:
        from .. import jobs as durable

        for part in parts:
            durable.retry(part)
    _tell(parts, "1 job will run again.", "{} jobs will run again.")


@jobs.command()
@_NUMBERS
@_ALL
@_HANDLER
def dismiss(numbers: tuple[int, ...], all_dead: bool, handler: str | None) -> None:
    """Give dead jobs up: doctor names them no more, and their notices can be pruned.

    What was wrong stays in them; they are done, and cannot be retried.
    """
    parts = _dead(numbers, all_dead, handler)
    if parts:
        from ..ledger import jobs as rows
        from ..ledger.engine import write

        for part in parts:
            with write() as connection:
                rows.dismiss(connection, part)
    _tell(parts, "1 job is dismissed.", "{} jobs are dismissed.")
