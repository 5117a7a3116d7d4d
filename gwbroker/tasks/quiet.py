"""Quiet: alerts come in bursts, and what is not urgent waits until one is over."""

from __future__ import annotations

from .. import running
from ..ledger import jobs as rows
from ..ledger.engine import read

QUIET = 5.0
"""Seconds without an alert's job on the queue after which others may start."""

PAUSE = 60.0
"""Most seconds until a job that was put off looks again."""

LONGEST = 600.0
"""Seconds after which a job begins that alerts have kept from it."""

ENRICHMENT = frozenset({
    "gwbroker.tasks.annotations.annotate", "gwbroker.tasks.annotations.plot_volume",
    "gwbroker.tasks.plans.plan", "gwbroker.tasks.coincidences.illustrate"})
"""The tasks that are not urgent. Their jobs are no less so than those of an old message, yet
those come first: of a thousand that are replayed, only maps that stand at the end get more.
"""


def later(queue: str = "openmp") -> bool:
    """Put the running job off if alerts come just now; return whether it was.

    A job cannot be interrupted, so that one which has just begun would hold up the next alert
    of a burst. The same job waits, each time for half of its age, so that a thousand of them
    cost little; one that has waited for `LONGEST` begins, also if alerts never cease. Outside
    of a job nothing is put off.

    Parameters
    ----------
    queue : str
        Which one the alerts are on.
    """
    claim = running.current()
    if claim is None or running.is_alone():
        return False
    with read() as connection:
        waited = rows.age(connection, claim.id)
        if waited > LONGEST or not (rows.awaited(connection, queue, ENRICHMENT)
                                    or rows.busy(connection, queue, QUIET, ENRICHMENT)):
            return False
    running.put_off(min(max(QUIET, waited / 2), PAUSE))
    return True
