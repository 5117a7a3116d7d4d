"""``gwbroker up``: everything on one machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import click

from ..supervisor import Supervisor


def start_all(
    supervisor: Supervisor, say: Callable[[str], object], flower: bool = True,
) -> None:
    """Start every process of the broker, the embedded Redis first if none is configured.

    Raises
    ------
    SupervisorError
        If Redis does not answer.
    """
    from ..conf import settings
    from ..embedded import redis
    from ..errors import SupervisorError
    from ..ledger.engine import check

    check()
    url = settings().redis_url
    if settings().broker_url is None:
        if redis.answers(url):
            raise SupervisorError(
                f"another `gwbroker up` runs with this home ({settings().home}); stop it, or "
                "set GWBROKER_HOME to another folder")
        socket = settings().redis_socket
        supervisor.add("redis", redis.command(socket, settings().home / "run"), stop_last=True)
    deadline = time.monotonic() + 15
    while not redis.answers(url):
        supervisor.check()
        if time.monotonic() > deadline:
            from ..conf import mask_url

            raise SupervisorError(f"Redis does not answer at {mask_url(url)}; is it running? "
                                  "See GWBROKER_BROKER_URL")
        time.sleep(0.05)
    os.environ["_GWBROKER_UP"] = "1"
    gwbroker = [sys.executable, "-m", "gwbroker"]
    supervisor.add("general", [*gwbroker, "worker"])
    supervisor.add("openmp", [*gwbroker, "worker", "-Q", "openmp"])
    supervisor.add("events", [*gwbroker, "worker", "-Q", "events"])
    supervisor.add("beat", [*gwbroker, "beat", "--loglevel", "WARNING"])
    if flower and settings().flower_port:
        supervisor.add("flower", [*gwbroker, "flower", "--logging=warning"])
        say(f"Flower: http://{settings().flower_address}:{settings().flower_port}")


@click.command()
@click.option("--flower/--no-flower", default=True, show_default=True,
              help="Whether to run Flower, Celery's monitoring console.")
def up(flower: bool) -> None:
    """Run everything on this machine until Ctrl-C.

    Starts an embedded Redis if none is configured, three workers (general, openmp,
    events), Beat and Flower; restarts what dies; writes all logs, each line with the
    name of its process.
    """
    from ..conf import settings

    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: asked.append(n))

    def write(line: str) -> None:
        print(line, flush=True)

    supervisor = Supervisor(write, colour=sys.stdout.isatty())
    try:
        start_all(supervisor, write, flower)
        sources = ", ".join(settings().sources) or "none yet: see `gwbroker config --describe`"
        write(f"gwbroker is up. Home: {settings().home}. Sources: {sources}. Ctrl-C stops all.")
        supervisor.watch(lambda: bool(asked))
        write("Stopping...")
    finally:
        supervisor.stop()
    write("Stopped.")
