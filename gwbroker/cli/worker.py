"""``gwbroker worker``: Celery's worker with what each role of ours implies."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence

import click

from ..process import cores

DEFAULT_QUEUES = "listeners,general"
"""In this order: a listener that has to start again goes before any backlog of jobs."""

SERIAL = ("openmp", "events")


def option(args: Sequence[str], *names: str) -> str | None:
    """Return the value of an option in a command line, None if it is not there."""
    for index, arg in enumerate(args):
        for name in names:
            if arg == name and index + 1 < len(args):
                return args[index + 1]
            if arg.startswith(name + "=") and name.startswith("--"):
                return arg.partition("=")[2]
            if len(name) == 2 and arg.startswith(name) and len(arg) > 2:
                return arg[2:].lstrip("=")
    return None


def complete(args: Sequence[str], sources: int, log_level: str) -> list[str]:
    """Return a worker's command line with what its queues imply added.

    Parameters
    ----------
    args : sequence of str
        What the user typed.
    sources : int
        How many listeners there are.
    log_level : str
        The log level of the settings.
    """
    queues = (option(args, "-Q", "--queues") or DEFAULT_QUEUES).split(",")
    result = list(args)
    if option(args, "-Q", "--queues") is None:
        result += ["--queues", DEFAULT_QUEUES]
    if option(args, "-c", "--concurrency", "--autoscale") is None:
        if any(queue in SERIAL for queue in queues):
            number = 1
        elif "listeners" in queues:
            # A listener keeps its process for ever; jobs must not starve for it.
            number = cores() + sources
        else:
            number = cores()
        result += ["--concurrency", str(number)]
    if any(queue in SERIAL for queue in queues) and "--disable-prefetch" not in args:
        # What this worker cannot start yet is for another one.
        result.append("--disable-prefetch")
    # Nothing here uses what workers tell each other; it costs a second at every start.
    result += [flag for flag in ("--without-mingle", "--without-gossip") if flag not in args]
    if option(args, "-n", "--hostname") is None:
        role = next((queue for queue in queues if queue in SERIAL),
                    "general" if "general" in queues else queues[0])
        result += ["--hostname", f"{role}@{socket.gethostname()}"]
    if option(args, "-l", "--loglevel") is None:
        result += ["--loglevel", log_level]
    return result


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def worker(ctx: click.Context, args: tuple[str, ...]) -> None:
    """Run a worker.

    Without -Q it serves `general` and `listeners`. `-Q openmp` runs one job at a
    time with all cores (OMP_NUM_THREADS); `-Q events` runs one job at a time.
    All of Celery's options are taken.
    """
    queues = option(args, "-Q", "--queues") or DEFAULT_QUEUES
    # Before anything numerical is imported, because OpenMP looks at it only once.
    if "openmp" in queues.split(","):
        os.environ["OMP_NUM_THREADS"] = str(cores())
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["_GWBROKER_QUEUES"] = queues

    from celery.bin.worker import worker as celery_worker

    from . import celery_context

    if "--help" in args or "-h" in args:
        click.echo(worker.help)
        celery_worker.main(["--help"], prog_name="gwbroker worker")

    from ..conf import settings
    from ..ledger.engine import check, dispose

    check()
    if "openmp" in queues.split(","):
        # A wrong site or telescope is told now, not by the first alert's jobs.
        from ..tasks import configured

        configured.check()
    # Children must not inherit a connection: SQLite's locks are the process's that took them.
    dispose()
    pool = option(args, "-P", "--pool") or "prefork"
    if pool not in ("prefork", "solo"):
        raise click.BadParameter(
            f"{pool} is not supported: leases and time limits are those of a process; "
            "use prefork or solo", param_hint="--pool")
    # `up` shows the logs of many processes; their banners would only be noise.
    celery_context(ctx.find_root(), quiet="_GWBROKER_UP" in os.environ)
    full = complete(args, len(settings().sources), settings().log_level)
    sys.argv = ["gwbroker", "worker", *full]
    with celery_worker.make_context("worker", full, parent=ctx.find_root()) as inner:
        celery_worker.invoke(inner)
