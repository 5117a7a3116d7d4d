"""Durable calls over Celery: submit, run, retry.

The ledger remembers every call until it is done or dead. What goes over Redis is
only a job's number; it may be lost there, or arrive twice.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from kombu.exceptions import OperationalError as WireError
from redis.exceptions import RedisError
from sqlalchemy import Connection

from . import calls, running
from .app import app
from .callees import Callee, add, callee, callees, handlers, name_of
from .errors import HandlerError, LedgerUnavailable
from .ledger import jobs as rows
from .ledger.engine import read, write
from .ledger.jobs import Draft, Sendable
from .process import cores as threads
from .progress import progress
from .running import current_notice, idempotency_key, transaction
from .streams.registry import check_options

__all__ = [
    "Callee", "Outbox", "callee", "callees", "current_notice", "handlers", "idempotency_key",
    "name_of", "outbox", "progress", "register", "retry", "run", "send", "stay_here", "submit",
    "sweep", "task", "threads", "transaction",
]

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


def register(callee: Callee) -> None:
    """Make a function callable by jobs, and visible to Celery under its name.

    Raises
    ------
    HandlerError
        If the name is taken by another function.
    """
    add(callee)
    app.task(run, name=callee.name, shared=False, ignore_result=True,
             soft_time_limit=callee.time_limit,
             time_limit=callee.time_limit + calls.GRACE)


def task(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that makes a function a durable task and returns it unchanged.

    Parameters
    ----------
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``tells``, ``name``, as for
        handlers.

    Raises
    ------
    HandlerError
        For an unknown option or a bad value.
    """

    def decorate(function: Function) -> Function:
        name = options.get("name") or f"{function.__module__}.{function.__name__}"
        known = ("queue", "retries", "backoff", "time_limit", "tells", "name")
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise HandlerError(name, f"unknown option {', '.join(unknown)}",
                               f"Accepted: {', '.join(known)}")
        check_options(name, options)
        register(Callee(name, function, **{k: v for k, v in options.items() if k != "name"}))
        return function

    return decorate


class Outbox:
    """Jobs written in a transaction, to be sent once it is committed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sendable: list[Sendable] = []

    def add(self, drafts: Sequence[Draft]) -> list[Sendable]:
        """Write drafts; those that can start now are sent after the commit."""
        added = rows.add(self.connection, drafts)
        self.sendable.extend(added)
        return added

    def submit(
        self, function: Callable[..., Any] | str, *args: Any, key: str | None = None,
        serial: str | None = None, notice: int | None = None, delay: float = 0.0,
        urgent: bool = True,
    ) -> None:
        """Submit a call of a task with JSON values; see `submit`."""
        name = function if isinstance(function, str) else name_of(function)
        # What an old message sets off is as little urgent, and belongs to the same replay.
        by = running.current()
        priority, replay = (by.priority, by.replay) if by is not None else (0, None)
        priority = priority if urgent else 1
        self.add([Draft(name, callee(name).queue, notice, args, running.with_label(key, replay),
                        serial, delay, priority=priority, replay=replay)])


@contextmanager
def outbox(durable: bool = True) -> Iterator[Outbox]:
    """Open a transaction in which jobs are submitted along with other changes.

    Inside `transaction` it is that one.

    Raises
    ------
    LedgerUnavailable
        If it could not be committed; then nothing was submitted.
    """
    within = running.joined()
    if within is not None and within.connection is not None:
        box = Outbox(within.connection)
        yield box
        within.sendable.extend(box.sendable)
        return
    with write(durable) as connection:
        box = Outbox(connection)
        yield box
    send(box.sendable)


def submit(
    function: Callable[..., Any] | str, *args: Any, key: str | None = None,
    serial: str | None = None, notice: int | None = None, delay: float = 0.0,
    urgent: bool = True,
) -> None:
    """Submit a call of a task; it is remembered until it is done or dead.

    Parameters
    ----------
    function : callable or str
        A function made a task by `task`, or its name.
    *args
        JSON values: ids and paths, never contents.
    key : str, optional
        A second submission with the same key adds nothing.
    serial : str, optional
        Jobs with the same value run one at a time, in the order of submission.
    notice : int, optional
        The notice that it is about.
    delay : float
        Seconds before which it does not start.
    urgent : bool
        If not, it starts when nothing live waits on its queue, and a second later at the
        soonest: enrichment, after people were told.

    Raises
    ------
    LedgerUnavailable
        If it could not be remembered.
    """
    with outbox() as box:
        box.submit(function, *args, key=key, serial=serial, notice=notice, delay=delay,
                   urgent=urgent)


class _Wire:
    """Sends job numbers to Celery, and stays quiet for a while when Redis is away."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def cut(self) -> None:
        """Send nothing from this process any more."""
        self._silent_until = float("inf")

    def send(self, sendable: Iterable[Sendable]) -> list[int]:
        """Send jobs; return the numbers of those that could not be."""
        left = list(sendable)
        if not left or time.monotonic() < self._silent_until:
            return [s.id for s in left]
        try:
            with app.producer_or_acquire() as producer:
                while left:
                    job = left[0]
                    _publish(producer, job)
                    left.pop(0)
        except (WireError, RedisError, OSError) as e:
            self._silent_until = time.monotonic() + 2.0
            log.warning("Redis is away, %d jobs stay in the ledger until it is back: %s",
                        len(left), e)
        return [s.id for s in left]


def _publish(producer: Any, job: Sendable) -> None:
    # What `app.send_task` does, less what we do not need: routing, declaring the queue,
    # signals and events take two thirds of its time.
    message = app.amqp.create_task_message(
        str(uuid.uuid4()), job.handler, (job.id,), {}, ignore_result=True,
        argsrepr=f"({job.id},)", kwargsrepr="{}", **limits(job.handler))
    producer.publish(
        message.body, headers=message.headers, serializer="json", exchange="",
        routing_key=job.queue, retry=False, priority=job.priority, **message.properties)


_wire = _Wire()


def stay_here() -> None:
    """Send no job to workers from this process, which runs them itself."""
    _wire.cut()


def limits(name: str) -> dict[str, float]:
    """Return the time limits that go with a message to Celery."""
    known = callees.get(name)
    if known is None:
        return {}
    return {"soft_time_limit": known.time_limit, "time_limit": known.time_limit + calls.GRACE}


def send(sendable: Iterable[Sendable]) -> None:
    """Send jobs that the ledger has as sent; if Redis is away the sweep does it later."""
    failed = _wire.send(sendable)
    if failed:
        try:
            with write(durable=False) as connection:
                rows.unsent(connection, failed)
        except LedgerUnavailable:
            # They stay marked as sent; the sweep finds that they never arrived.
            log.warning("jobs %s were not sent and could not be marked so", failed[:5])


def run(number: int) -> None:
    """Run a job if it is there to be run; called by Celery, harmless to call twice.

    Raises
    ------
    LedgerUnavailable
        If the ledger could not be asked; the sweep sends the job again.
    """
    calls.run(number, send)


_DISAPPEARED = calls.Outcome(
    "the process that ran it disappeared: killed, out of memory, or far past its time limit",
    final=False)


def sweep(empty: Sequence[str], empty_old: Sequence[str] = ()) -> int:
    """Send every job that should have started and has not; return how many.

    Parameters
    ----------
    empty, empty_old : sequence of str
        Queues on which, as Redis says, nothing live and nothing old waits: what was sent to
        them and has not started is lost.
    """
    with read() as connection:
        overdue = rows.overdue(connection)
        waiting = (rows.due(connection) + rows.next_old(connection)
                   + rows.lost(connection, empty, empty_old) + rows.unblocked(connection))
    if not overdue and not waiting:
        return 0
    with write(durable=False) as connection:
        for orphan in rows.orphans(connection) if overdue else ():
            calls.fail(connection, orphan["id"], orphan["claimant"], orphan["handler"],
                       orphan["attempts"], _DISAPPEARED)
        sendable = rows.mark_sent(connection, waiting)
    send(sendable)
    return len(sendable)


def retry(numbers: Sequence[int]) -> None:
    """Give dead jobs another life.

    Raises
    ------
    NotFound
        If one of them is not there, or not dead.
    """
    with write() as connection:
        sendable = rows.revive(connection, numbers)
    send(sendable)
