"""``gwbroker condor``: the broker on an HTCondor pool, as one cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import as_json, as_table

if TYPE_CHECKING:
    from ..condor.description import Plan
    from ..condor.errors import NoDeployment
    from ..condor.pool import QueuedProcess

EPILOG = """\b
Exit codes:
  0  done; for q: every process runs
  1  HTCondor refused; for q: a process is idle, held or stopping
  2  wrong usage, setting or submit description
  3  nothing of this home is in the queue
  4  HTCondor is not installed here, or does not answer
"""

LEAVABLE = ("general", "openmp", "events", "beat", "flower")

STOPPED_WITHIN = 180.0
"""Seconds that ``rm --wait`` waits: HTCondor kills after one minute, and needs some itself."""

cluster_option = click.option(
    "--cluster", type=click.IntRange(min=1), metavar="N",
    help="Only this cluster; by default everything of this home.")


@click.group(epilog=EPILOG)
def condor() -> None:
    """Run the broker on an HTCondor pool.

    All processes are submitted as one cluster; HTCondor starts them again when they stop,
    until they are removed. The commands find them by the broker's home.
    """


@condor.command(epilog=EPILOG)
@click.option("--general-workers", type=click.IntRange(min=0), default=1, show_default=True,
              metavar="N", help="General workers; with two, losing a host stops no listener.")
@click.option("--openmp-workers", type=click.IntRange(min=0), default=1, show_default=True,
              metavar="N", help="OpenMP workers.")
@click.option("--openmp-cpus", type=click.IntRange(min=1), metavar="N",
              help="Cores, and OpenMP threads, of each OpenMP worker [default: its file's].")
@click.option("--without", multiple=True, type=click.Choice(LEAVABLE),
              help="Leave a process out, because it runs elsewhere; may be repeated.")
@click.option("--log-dir", type=click.Path(path_type=Path, file_okay=False),
              help="Folder of the logs [default: log/condor in the broker's home].")
@click.option("--append", "extra", multiple=True, metavar="LINE",
              help="A further line for the description, such as "
                   "'accounting_group = ligo.prod.o4'; may be repeated.")
@click.option("--files", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="Your own copy of the folder etc/htcondor.")
@click.option("--executable", type=click.Path(path_type=Path, dir_okay=False),
              help="The gwbroker to run [default: this one].")
@click.option("--force", is_flag=True, help="Submit even if this home's processes are running.")
@click.option("--dry-run", is_flag=True, help="Print the submit description, submit nothing.")
def submit(
    general_workers: int, openmp_workers: int, openmp_cpus: int | None, without: tuple[str, ...],
    log_dir: Path | None, extra: tuple[str, ...], files: Path | None, executable: Path | None,
    force: bool, dry_run: bool,
) -> None:
    """Submit all processes as one cluster.

    The settings in force travel as the file GWBROKER_CONFIG and the GWBROKER_* variables, so
    home, configuration and installation must be visible to all hosts under the same paths.
    """
    import os

    from ..condor import description, pool, record, secrets
    from ..condor.errors import CondorError
    from ..conf import config_file, settings

    secrets.refuse_exposed(os.environ)
    home = settings().home
    _check_shared()
    plan = description.Plan(
        executable=_absolute(executable or _this_program()), home=home,
        log_dir=_absolute(log_dir or home / "log" / "condor"), general_workers=general_workers,
        openmp_workers=openmp_workers, openmp_cpus=openmp_cpus, without=without,
        extra=tuple(_one_command(line) for line in extra))
    directory = files or description.folder()
    text = description.describe(plan, directory)
    if dry_run:
        click.echo(text, nl=False)
        return
    ours = pool.queue(pool.constraint(home))
    if ours and not force:
        raise CondorError(
            f"{_clusters(ours)} of this home is in the queue already ({_count(ours)})."
            " Remove it with `gwbroker condor rm --wait`, or use --force for a second one")
    _make_folder(plan)
    environment = {**os.environ, "GWBROKER_HOME": str(home)}
    if file := config_file():
        environment["GWBROKER_CONFIG"] = str(_absolute(file))
    cluster = pool.submit(text, environment)
    record.save(home, record.Record(cluster, str(plan.log_dir)))
    number = len(description.processes(plan, directory))
    click.echo(f"Submitted {number} process{'es' if number != 1 else ''} as cluster {cluster};"
               f" logs in {plan.log_dir}. See `gwbroker condor q`.")


@condor.command(epilog=EPILOG)
@cluster_option
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
@click.pass_context
def q(ctx: click.Context, cluster: int | None, json_: bool) -> None:
    """Show the processes in HTCondor's queue."""
    from dataclasses import asdict

    from ..condor import pool

    found = pool.queue(_condition(cluster))
    if json_:
        as_json([asdict(process) for process in found])
    if not found and not json_:
        raise _nothing()
    if not json_:
        as_table("", ("id", "process", "state", "for", "starts", "cpus", "host", "reason"), [
            (f"{p.cluster}.{p.proc}", p.name, p.state, _duration(p.since), p.starts, p.cpus,
             p.host, p.reason) for p in found], "")
    ctx.exit(3 if not found else int(any(p.state != "running" for p in found)))


@condor.command(epilog=EPILOG)
@cluster_option
@click.option("--wait", is_flag=True, help="Return only when all processes have stopped.")
def rm(cluster: int | None, wait: bool) -> None:
    """Stop all processes and remove them from the queue.

    Each gets SIGTERM and a minute to finish the jobs in hand; the rest is in the ledger.
    """
    from ..condor import pool
    from ..condor.errors import CondorError

    _act("rm", cluster, "Removed", or_nothing=wait)
    if wait and not pool.wait_until_gone(_condition(cluster), STOPPED_WITHIN):
        raise CondorError(
            f"some processes have not stopped within {STOPPED_WITHIN:g} s;"
            " see `gwbroker condor q`")


@condor.command(epilog=EPILOG)
@cluster_option
def hold(cluster: int | None) -> None:
    """Stop all processes and keep them in the queue until they are released."""
    _act("hold", cluster, "Held")


@condor.command(epilog=EPILOG)
@cluster_option
def release(cluster: int | None) -> None:
    """Start the held processes again."""
    _act("release", cluster, "Released")


def _act(verb: str, cluster: int | None, done: str, or_nothing: bool = False) -> None:
    """Do something to the processes of this home, having looked which it would change.

    The commands of HTCondor are of no help there: with nothing to do they exit now with 0,
    now with 1, and say that all jobs have been released also where none was held.
    """
    from ..condor import pool
    from ..condor.errors import CondorError

    condition = pool.affected(verb, _condition(cluster))
    found = pool.queue(condition)
    if found:
        pool.act(verb, condition)
        click.echo(f"{done} {_count(found)} of {_clusters(found)}.")
        return
    others = pool.queue(_condition(cluster))
    if not others:
        raise _nothing()
    if not or_nothing:
        states = ", ".join(sorted({p.state for p in others}))
        verb = {"rm": "remove"}.get(verb, verb)
        raise CondorError(f"nothing to {verb}: {_clusters(others)} is {states}")


def _condition(cluster: int | None) -> str:
    from ..condor import pool
    from ..conf import settings

    return pool.constraint(settings().home, cluster)


def _nothing() -> NoDeployment:
    from ..condor import record
    from ..condor.errors import NoDeployment
    from ..conf import settings

    home = settings().home
    last = record.load(home)
    before = "nothing was submitted from it" if last is None else (
        f"the last was cluster {last.cluster}, submitted on {last.host} at {last.submitted}")
    return NoDeployment(f"nothing of {home} is in this access point's queue; {before}")


def _check_shared() -> None:
    """Refuse, or warn of, settings that work on one host only."""
    from ..conf import config_file, settings
    from ..errors import ConfigError

    if settings().broker_url is None:
        raise ConfigError(
            "broker_url", str(config_file() or "the settings"), "is not set",
            "On HTCondor no process starts the embedded Redis; name one that all hosts reach")
    if settings().ledger_url.startswith("sqlite"):
        click.echo("Warning: the ledger is SQLite, which serves one host only. Set database_url"
                   " to a PostgreSQL server unless the pool is this machine.", err=True)


def _one_command(line: str) -> str:
    if "\n" in line or "=" not in line or line.lstrip().lower().startswith("queue"):
        raise click.UsageError(f"--append takes one line `key = value`, not {line!r}.")
    return line


def _make_folder(plan: Plan) -> None:
    from ..condor.errors import CondorError

    try:
        plan.log_dir.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise CondorError(f"the log folder {plan.log_dir} cannot be made: {e.strerror}") from None


def _this_program() -> Path:
    import sysconfig

    from ..condor.errors import CondorError

    program = Path(sysconfig.get_path("scripts")) / "gwbroker"
    if not program.is_file():
        raise CondorError(f"{program} does not exist; say --executable")
    return program


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _clusters(found: tuple[QueuedProcess, ...]) -> str:
    numbers = sorted({p.cluster for p in found})
    return f"cluster{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _count(found: tuple[QueuedProcess, ...]) -> str:
    return f"{len(found)} process{'es' if len(found) != 1 else ''}"


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    return (f"{days} d " if days else "") + f"{hours}:{rest // 60:02}:{rest % 60:02}"
