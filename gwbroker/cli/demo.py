"""``gwbroker demo``: the whole broker at work on sample alerts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from ..embedded.kafka import MockKafka
    from ..embedded.vtp import VOEventServer
    from ..samples import Sample
    from ..supervisor import Supervisor


@click.command()
@click.option("--output", type=click.Path(path_type=Path, file_okay=False),
              default=Path("demo-output"), show_default=True, help="Where the products go.")
@click.option("--keep", is_flag=True, help="Stay up afterwards, until Ctrl-C.")
@click.option("--timeout", default=180.0, show_default=True,
              help="Seconds after which the demo gives up.")
@click.option("--verbose", is_flag=True, help="Show the logs of all processes.")
def demo(output: Path, keep: bool, timeout: float, verbose: bool) -> None:
    """Show the whole broker at work on sample alerts.

    Starts a Kafka cluster and a VOEvent TCP broker inside this process, and gwbroker in
    a temporary home; publishes the sample alerts; waits until every job has ended; shows
    what arrived, what became of it, and how long it took. Exit code 0 only if all of it
    came out as it should.
    """
    from rich.console import Console

    # Into a file or a pipe: nobody wants lines folded at 80 letters there.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    # Nothing of the user's own broker may leak in.
    for name in [n for n in os.environ if n.startswith("GWBROKER_")]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="gwbroker-demo-"))
    os.environ["GWBROKER_HOME"] = str(home)
    os.environ["GWBROKER_CONFIG"] = str(home / "gwbroker.toml")
    try:
        missing = _run(console, home, output, keep, timeout, verbose)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if missing:
        for reason in missing:
            console.print(f"[red]missing[/red]  {reason}")
        raise SystemExit(1)


def _run(
    console: Console, home: Path, output: Path, keep: bool, timeout: float, verbose: bool,
) -> list[str]:
    from ..embedded.kafka import MockKafka
    from ..embedded.vtp import VOEventServer
    from ..samples import galaxies, load
    from ..supervisor import Supervisor

    logs: deque[str] = deque(maxlen=4000)
    supervisor = Supervisor(lambda line: console.out(line) if verbose else logs.append(line))
    samples = load()
    with MockKafka() as kafka, VOEventServer(interval=15) as voevents:
        (home / "gwbroker.toml").write_text(
            # What the samples point to is not theirs: nothing is fetched.
            # And they are years old, yet shown as they would come tonight.
            f'fetch_hosts = []\nold_after = 1e12\nsites = ["paranal", "palomar"]\n'
            f'catalogues = ["{galaxies.NAME}"]\n'
            f'[kafka.demo]\nbootstrap_servers = "{kafka.bootstrap_servers}"\n'
            f'refresh = 1.0\noptions = {{ "fetch.wait.max.ms" = 50 }}\n'
            f'[vtp.demo]\naddress = "{voevents.host}:{voevents.port}"\n'
            f'[telescopes.DECam]\npreset = "decam"\n')
        try:
            _add_galaxies(console, home)
            _start(console, supervisor, voevents, timeout)
            started = time.monotonic()
            _publish(console, supervisor, samples, kafka, voevents)
            unfinished = _wait(console, supervisor, samples, timeout)
            seconds = time.monotonic() - started
            from .demo_report import copy_products, missing, show

            folder = copy_products(output)
            show(console, samples, folder, seconds)
            problems = unfinished + missing(samples)
            if problems and not verbose:
                console.print("[dim]The last log lines:[/dim]")
                console.out("\n".join(list(logs)[-40:]))
            if keep:
                console.print("Everything stays up. In another terminal try, for example:\n"
                              f"  GWBROKER_CONFIG={home}/gwbroker.toml GWBROKER_HOME={home} "
                              "gwbroker doctor\nCtrl-C stops it.")
                _stay(supervisor)
        finally:
            supervisor.stop()
    return problems


def _add_galaxies(console: Console, home: Path) -> None:
    from ..catalogues import add
    from ..samples import galaxies

    table = home / "galaxies.csv"
    galaxies.write(table)
    added, _ = add(table, home / "catalogues" / galaxies.NAME, "table", galaxies.NAME)
    console.print(f"[cyan]added[/cyan]  a catalogue of {added.rows:,} made-up galaxies")


def _start(
    console: Console, supervisor: Supervisor, voevents: VOEventServer, timeout: float,
) -> None:
    from ..errors import SupervisorError
    from ..ledger import leases
    from .up import start_all

    wanted = {"gwbroker.listeners.kafka.demo", "gwbroker.listeners.vtp.demo"}
    deadline = time.monotonic() + timeout
    with console.status("Starting Redis, Beat and three workers (general, openmp, events)..."):
        start_all(supervisor, lambda _: None, flower=False)
        while True:
            supervisor.check()
            ready = {row["name"] for row in leases.listing()
                     if row["held"] and row["state"] not in (None, "running", "not connected")}
            if wanted <= ready and voevents.subscribers:
                break
            if time.monotonic() > deadline:
                raise SupervisorError(f"the listeners did not start within {timeout:.0f} s; "
                                      "see `gwbroker demo --verbose`")
            time.sleep(0.05)
    console.print("[green]up[/green]  Redis, Beat, three workers; listening to a Kafka cluster "
                  "and a VOEvent TCP broker")


def _publish(
    console: Console, supervisor: Supervisor, samples: list[Sample], kafka: MockKafka,
    voevents: VOEventServer,
) -> None:
    for sample in samples:
        if sample.expect == "duplicate":
            # To be recognised as one it must come second.
            _arrived(supervisor, sample)
        if sample.topic == "gcn.circulars":
            # People write about an event that is known.
            _settled(supervisor)
        if sample.road == "kafka":
            kafka.publish(sample.topic, sample.payload())
        else:
            voevents.broadcast(sample.payload())
        road = sample.topic if sample.road == "kafka" else "VOEvent TCP"
        console.print(f"[cyan]sent[/cyan]  {sample.what} [dim]({road})[/dim]")
        supervisor.check()


def _arrived(supervisor: Supervisor, sample: Sample) -> None:
    import hashlib

    from ..ledger import notices
    from ..ledger.engine import read

    digest = hashlib.sha256(sample.payload()).hexdigest()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        supervisor.check()
        with read() as connection:
            if any(row["sha256"] == digest for row in notices.listing(connection)):
                return
        time.sleep(0.05)


def _settled(supervisor: Supervisor) -> None:
    from ..ledger import jobs
    from ..ledger.engine import read

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        supervisor.check()
        with read() as connection:
            waiting = jobs.counts(connection)
        if not set(waiting.get("events", {})) - {"dead"}:
            return
        time.sleep(0.05)


def _wait(
    console: Console, supervisor: Supervisor, samples: list[Sample], timeout: float,
) -> list[str]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ..ledger import jobs, notices
    from ..ledger.engine import read

    deadline = time.monotonic() + timeout
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        kept = progress.add_task("notices kept", total=len(samples))
        done = progress.add_task("jobs ended", total=None)
        while True:
            supervisor.check()
            with read() as connection:
                arrived = len(notices.listing(connection, limit=1000))
                states: list[str] = [j["state"] for j in jobs.listing(connection, limit=10_000)]
            ended = sum(state in ("done", "dead") for state in states)
            progress.update(kept, completed=arrived)
            progress.update(done, completed=ended, total=max(len(states), 1))
            if arrived >= len(samples) and ended == len(states):
                return []
            if time.monotonic() > deadline:
                return [f"after {timeout:.0f} s {arrived} of {len(samples)} notices had arrived "
                        f"and {ended} of {len(states)} jobs had ended"]
            time.sleep(0.1)


def _stay(supervisor: Supervisor) -> None:
    import signal

    asked: list[Any] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: asked.append(n))
    supervisor.watch(lambda: bool(asked))
