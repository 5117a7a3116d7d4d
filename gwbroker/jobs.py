"""Durable calls over Celery: submit, claim, retry, bury.

The ledger remembers every call until it is done or dead. What goes over Redis is
only a job's number; it may be lost there, or arrive twice.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import OperationalError as WireError
from redis.exceptions import RedisError
from sqlalchemy import Connection

from .app import app
from .callees import Callee, add, callee, callees, handlers, name_of
from .conf import settings
from .errors import (
    HandlerError,
    JobMemoryExceeded,
    JobTimeout,
    LedgerUnavailable,
    NoticeError,
)
from .keeper import Keeper
from .ledger import jobs as rows
from .ledger.engine import read, write
from .ledger.jobs import Claim, Draft, Sendable
from .notice import Notice
from .streams.registry import check_options

__all__ = [
    "Callee", "Outbox", "callee", "callees", "current_notice", "handlers", "name_of", "outbox",
    "register", "retry", "run", "send", "stay_here", "submit", "sweep", "task",
]

log = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds after its time limit at which a job that will not stop is killed."""

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
             soft_time_limit=callee.time_limit, time_limit=callee.time_limit + GRACE)


def task(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that makes a function a durable task and returns it unchanged.

    Parameters
    ----------
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``name``, as for handlers.

    Raises
    ------
    HandlerError
        For an unknown option or a bad value.
    """

    def decorate(function: Function) -> Function:
        name = options.get("name") or f"{function.__module__}.{function.__name__}"
        known = ("queue", "retries", "backoff", "time_limit", "name")
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
    ) -> None:
        """Submit a call of a task with JSON values; see `submit`."""
        name = function if isinstance(function, str) else name_of(function)
        self.add([Draft(name, callee(name).queue, notice, args, key, serial, delay)])


@contextmanager
def outbox(durable: bool = True) -> Iterator[Outbox]:
    """Open a transaction in which jobs are submitted along with other changes.

    Raises
    ------
    LedgerUnavailable
        If it could not be committed; then nothing was submitted.
    """
    with write(durable) as connection:
        box = Outbox(connection)
        yield box
    send(box.sendable)


def submit(
    function: Callable[..., Any] | str, *args: Any, key: str | None = None,
    serial: str | None = None, notice: int | None = None, delay: float = 0.0,
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

    Raises
    ------
    LedgerUnavailable
        If it could not be remembered.
    """
    with outbox() as box:
        box.submit(function, *args, key=key, serial=serial, notice=notice, delay=delay)


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
        routing_key=job.queue, retry=False, **message.properties)


_wire = _Wire()


def stay_here() -> None:
    """Send no job to workers from this process, which runs them itself."""
    _wire.cut()


def limits(name: str) -> dict[str, float]:
    """Return the time limits that go with a message to Celery."""
    known = callees.get(name)
    if known is None:
        return {}
    return {"soft_time_limit": known.time_limit, "time_limit": known.time_limit + GRACE}


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


_keeper = Keeper()


def run(number: int) -> None:
    """Run a job if it is there to be run; called by Celery, harmless to call twice.

    Raises
    ------
    LedgerUnavailable
        If the ledger could not be asked; the sweep sends the job again.
    """
    claimant = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    with write(durable=False) as connection:
        claim = rows.claim(connection, number, claimant)
    if claim is None:
        log.debug("job %d is not there to be run", number)
        return
    global _running
    _keeper.watch(claim)
    _running = claim
    try:
        problem, trace, final = _call(claim)
    finally:
        _running = None
        _keeper.forget()
    with _undisturbed():
        _settle(claim, problem, trace, final)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Take no notice of the time limit any more: what was done is to be written down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


_running: Claim | None = None


def current_notice() -> Notice:
    """Return the notice that the running job was submitted for.

    Raises
    ------
    LookupError
        If no job runs here, or it is about no notice.
    """
    if _running is None or _running.notice is None:
        raise LookupError("no job about a notice runs in this process")
    return _running.notice


def _call(claim: Claim) -> tuple[str | None, str | None, bool]:
    """Call the function; return what went wrong, its traceback, whether a retry is in vain."""
    try:
        known = callee(claim.handler)
        if claim.args or claim.notice is None or claim.handler not in handlers:
            known.function(*claim.args)
        else:
            known.function(claim.notice)
    except NoticeError as e:
        return str(e), traceback.format_exc(limit=-8), True
    except SoftTimeLimitExceeded:
        error: Exception = JobTimeout(callees[claim.handler].time_limit)
        return str(error), traceback.format_exc(limit=-8), False
    except MemoryError as e:
        error = JobMemoryExceeded(
            f"it asked for more memory than a job may have ({settings().max_memory >> 20} MiB, "
            f"max_memory in the settings): {e}")
        return str(error), traceback.format_exc(limit=-8), False
    except KeyboardInterrupt:
        raise
    # One bad handler hurts nobody: whatever it raises, also SystemExit, is its job's error.
    except BaseException as e:
        return f"{type(e).__name__}: {e}", traceback.format_exc(limit=-20), False
    return None, None, True


def _settle(claim: Claim, problem: str | None, trace: str | None, final: bool) -> None:
    deadline = time.monotonic() + GRACE * 0.8
    while True:
        try:
            sendable = _write_outcome(claim, problem, trace, final)
            break
        except LedgerUnavailable as e:
            if time.monotonic() > deadline:
                raise
            log.warning("job %d: its outcome cannot be written yet: %s", claim.id, e)
            time.sleep(0.5)
    send(sendable)


def _write_outcome(
    claim: Claim, problem: str | None, trace: str | None, final: bool,
) -> list[Sendable]:
    # What this loses in a power cut is only that the job ran: it runs again.
    with write(durable=False) as connection:
        if problem is None:
            ours = rows.finish(connection, claim.id, claim.claimant)
        else:
            ours = _fail(connection, claim.id, claim.claimant, claim.handler, claim.attempts,
                         problem, trace, final)
        if not ours:
            log.error("job %d: its outcome came too late, another worker has it", claim.id)
            return []
        return rows.successor(connection, claim.serial)


def _fail(
    connection: Connection, number: int, claimant: str | None, name: str, attempts: int,
    problem: str, trace: str | None, final: bool,
) -> bool:
    known = callees.get(name) or Callee(name, run)
    if final or attempts > known.retries:
        log.error("job %d (%s) is dead after %d attempts: %s", number, name, attempts, problem)
        return rows.bury(connection, number, claimant, problem, trace)
    delay = known.pause(attempts)
    log.warning("job %d (%s) failed, attempt %d of %d, next in %.1f s: %s", number, name,
                attempts, known.retries + 1, delay, problem)
    return rows.retry_later(connection, number, claimant, delay, problem, trace)


def sweep(empty_queues: Sequence[str]) -> int:
    """Send every job that should have started and has not; return how many.

    Parameters
    ----------
    empty_queues : sequence of str
        Queues that Redis says are empty: what was sent to them and has not started is lost.
    """
    with read() as connection:
        overdue = rows.overdue(connection)
        waiting = (rows.due(connection) + rows.lost(connection, empty_queues)
                   + rows.unblocked(connection))
    if not overdue and not waiting:
        return 0
    with write(durable=False) as connection:
        for orphan in rows.orphans(connection) if overdue else ():
            _fail(connection, orphan["id"], orphan["claimant"], orphan["handler"],
                  orphan["attempts"], "the process that ran it disappeared: killed, out of "
                  "memory, or far past its time limit", None, False)
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
