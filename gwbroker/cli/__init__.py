"""The command line: Celery's own with ours added; one command per file, imported when called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from .. import __version__
from ..errors import GWBrokerError

OURS = {
    "up": "Run everything on this machine until Ctrl-C.",
    "demo": "Show the whole broker at work on sample alerts.",
    "worker": "Run a worker: general by default, -Q openmp, -Q events.",
    "flower": "Start Flower, Celery's monitoring console.",
    "replay": "Put recorded messages through the broker.",
    "streams": "List the topics: messages, lag, age, problems.",
    "notices": "List the messages that arrived.",
    "jobs": "List the calls of handlers and tasks; retry dead ones.",
    "events": "List the events and their products.",
    "handlers": "List the handlers; write a new one.",
    "skymap": "Ask a sky map in a file: areas, overlap, pictures, plan.",
    "coincidence": "How likely two events belong together by chance.",
    "catalogue": "The galaxies that sky maps are matched with.",
    "config": "Show the settings in force and where each came from.",
    "doctor": "Check that everything works; exit code for monitoring.",
    "ledger": "Check, prune, export, back up, migrate the ledger.",
    "condor": "Run the broker on an HTCondor pool.",
}
"""Our commands, each in the file of its name."""

CELERY = {
    "beat": "Start Beat, which starts listeners and sweeps the ledger.",
    "inspect": "Ask running workers: active, registered, stats...",
    "control": "Tell running workers: shutdown, pool_restart...",
    "status": "List the workers that answer.",
    "call": "Call a Celery task by name.",
    "events": "(Celery's event monitor is `gwbroker celery-events`.)",
    "celery-events": "Watch Celery's task events.",
    "purge": "Delete all messages on the wire (the ledger sends jobs again).",
    "list": "List the wire's bindings.",
    "report": "Show information for bug reports.",
    "shell": "Start a Python shell with the app.",
    "multi": "Start several workers.",
    "result": "Show a task's result.",
    "graph": "Draw the worker's steps.",
    "logtool": "Read worker logs.",
    "amqp": "AMQP shell (not for Redis).",
    "migrate": "Move messages between wires.",
    "upgrade": "Upgrade Celery settings.",
}
del CELERY["events"]  # ours shows astronomical events


class Commands(click.Group):
    """A group that imports a command only when it is called, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name."""
        return [*OURS, *CELERY]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return a command."""
        if name in OURS:
            module = importlib.import_module(f"{__name__}.{name}")
            command: click.Command = getattr(module, name)
            return command
        if name in CELERY:
            return _celery_command(ctx, name)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str],
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, suggesting what was meant by an unknown one."""
        if args and args[0] not in OURS and args[0] not in CELERY:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3)
            meant = f" Did you mean {' or '.join(close)}?" if close else ""
            ctx.fail(f"There is no command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both families of commands, from their short helps alone."""
        for title, family in (("Commands", OURS), ("Celery's commands", CELERY)):
            with formatter.section(title):
                formatter.write_dl(list(family.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Call a command; an error of ours becomes one sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except GWBrokerError as e:
            from .output import say

            say(f"Error: {e}", err=True)
            ctx.exit(e.exit_code)


def celery_context(ctx: click.Context, quiet: bool = False) -> None:
    """Give a context what Celery's own commands expect in it."""
    from celery.bin.base import CLIContext

    from ..app import app

    ctx.obj = CLIContext(app=app, no_color=not sys.stdout.isatty(),
                         workdir=None, quiet=quiet)


def _celery_command(ctx: click.Context, name: str) -> click.Command:
    from celery.bin.celery import celery

    celery_context(ctx.find_root(), quiet=name == "beat")
    command: click.Command = celery.commands[name.removeprefix("celery-")]
    if name == "beat":
        # Like a worker it says what it does, unless told otherwise.
        ctx.default_map = {**(ctx.default_map or {}), "beat": {"loglevel": "INFO"}}
    return command


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `gwbroker demo`. The docs are in docs/ and on the project's page.",
)
@click.version_option(__version__, prog_name="gwbroker", message="%(prog)s %(version)s")
def gwbroker() -> None:
    """gwbroker: listens to astronomy's alert streams, keeps every message, calls your handlers."""


def main() -> None:
    """Run the command line."""
    gwbroker.main(prog_name="gwbroker")
