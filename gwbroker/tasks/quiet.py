"""Quiet: alerts come in bursts, and what is not urgent waits until one is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import running
from ..jobs import outbox
from ..ledger import jobs as rows
from ..ledger.engine import read

QUIET = 5.0
"""Seconds without an alert's job on the queue after which others may start."""


ENRICHMENT = frozenset({
    "gwbroker.tasks.annotations.annotate", "gwbroker.tasks.annotations.plot_volume",
    "gwbroker.tasks.plans.plan", "gwbroker.tasks.coincidences.illustrate"})
"""The tasks that are not urgent. Their jobs are no less so than those of an old message, yet
those come first: of a thousand that are replayed, only maps that stand at the end get more.
"""


def alert_waits(queue: str = "openmp") -> bool:
    """Tell whether anything but enrichment waits on a queue."""
    with read() as connection:
        return rows.awaited(connection, queue, ENRICHMENT)


def later(task: Callable[..., Any], *args: Any, queue: str = "openmp") -> bool:
    """Put the running job off if alerts come just now; return whether it was.

    A job cannot be interrupted, so that one which has just begun would hold up the next alert
    of a burst. Called outside of a job it puts nothing off.

    Parameters
    ----------
    task : callable
        The task that runs, to be called again in a while.
    *args
        With what.
    queue : str
        Which one.
    """
    claim = running.current()
    if claim is None:
        return False
    with read() as connection:
        if not (rows.awaited(connection, queue, ENRICHMENT)
                or rows.busy(connection, queue, QUIET, ENRICHMENT)):
            return False
    with outbox() as box:
        box.submit(task, *args, notice=claim.notice.id if claim.notice else None,
                   delay=QUIET, urgent=False, key=f"{task.__name__}:after:{claim.id}")
    return True
