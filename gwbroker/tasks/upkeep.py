"""Upkeep of the ledger, by Beat: sending again what was lost, forgetting old heartbeats."""

from __future__ import annotations

import logging
import time

from celery_singleton import Singleton
from redis.exceptions import RedisError

from .. import jobs
from ..app import app
from ..conf import settings
from ..errors import LedgerError
from ..ledger import leases
from ..ledger import notices as rows
from ..ledger.engine import write
from ..seldom import Seldom
from ..streams import gcn
from ..streams.registry import QUEUES
from ..wire import PRIORITIES, place

SWEEP = "gwbroker.tasks.upkeep.sweep"
log = logging.getLogger(__name__)
_now_and_then = Seldom(log)


class Periodic(Singleton):  # type: ignore[misc]
    """A short task on a schedule, of which no second one waits on the wire."""

    abstract = True
    lock_expiry = 10
    ignore_result = True


@app.task(base=Periodic, name=SWEEP)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Send every job that should have started and has not."""
    try:
        sent = jobs.sweep(*(empty_queues(priority) for priority in PRIORITIES))
        leases.touch(SWEEP)
    except LedgerError as e:
        # It comes again in a second, and a traceback each time would fill the disk.
        _now_and_then(logging.ERROR, "sweep", "the ledger is not swept: %s", e)
        return
    if sent:
        log.info("swept: %d jobs sent", sent)


def empty_queues(priority: int) -> list[str]:
    """Return the queues on which no such message waits; none if Redis cannot be asked."""
    try:
        client = sweep.singleton_backend.redis
        return [queue for queue in QUEUES if not client.llen(place(queue, priority))]
    except (RedisError, OSError) as e:
        log.warning("Redis cannot be asked how long its queues are: %s", e)
        return []


@app.task(base=Periodic, name="gwbroker.tasks.upkeep.forget_heartbeats")  # type: ignore[untyped-decorator]
def forget_heartbeats() -> None:
    """Delete heartbeats, which say nothing but that they came, after a while."""
    try:
        with write(durable=False) as connection:
            gone = rows.prune(connection, gcn.HEARTBEAT, time.time() - settings().keep_heartbeats)
    except LedgerError as e:
        _now_and_then(logging.WARNING, "heartbeats", "old heartbeats stay for now: %s", e)
        return
    if gone:
        log.debug("forgot %d heartbeats", gone)


app.add_periodic_task(1.0, sweep, name="sweep", queue="listeners",
                      # Longer than it waits, because the clocks of two hosts may differ.
                      expires=60)
app.add_periodic_task(60.0, forget_heartbeats, name="forget heartbeats", queue="listeners",
                      expires=60)
