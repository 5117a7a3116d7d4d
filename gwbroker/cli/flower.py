"""``gwbroker flower``: Celery's monitoring console, where the settings say."""

from __future__ import annotations

import os

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def flower(ctx: click.Context, args: tuple[str, ...]) -> None:
    """Start Flower, Celery's monitoring console.

    It listens where flower_address and flower_port of the settings say. All of
    Flower's options are taken.
    """
    from celery.bin.celery import celery

    from . import celery_context

    command = celery.commands["flower"]
    if "--help" in args or "-h" in args:
        click.echo(f"{flower.help}\n")
        command.main(["--help"], prog_name="gwbroker flower")

    from ..conf import settings

    os.environ.setdefault("FLOWER_ADDRESS", settings().flower_address)
    os.environ.setdefault("FLOWER_PORT", str(settings().flower_port or 5555))
    celery_context(ctx.find_root())
    with command.make_context("flower", list(args), parent=ctx.find_root()) as inner:
        command.invoke(inner)
