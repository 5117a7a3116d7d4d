"""Calls: one job run, from its claim to its outcome."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Connection

from .callees import Callee, callee, callees, handlers
from .conf import settings
from .errors import JobMemoryExceeded, JobTimeout, LedgerUnavailable, NoticeError
from .ledger import jobs as rows
from .ledger.engine import write
from .ledger.jobs import Claim, Sendable
from .running import Running, Send, watched

log = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds after its time limit at which a job that will not stop is killed."""

TELLING = "+tell"
"""How the label of a replay ends that is to tell people."""

NOT_TOLD = "not called: a replay tells nobody"


@dataclass(frozen=True)
class Outcome:
    """How a call ended: without a problem, or with one that may be final."""

    problem: str | None = None
    trace: str | None = None
    final: bool = True
    note: str | None = None


def run(number: int, send: Send) -> None:
    """Run a job if it is there to be run.

    Parameters
    ----------
    number : int
        The job's number.
    send : callable
        Called with the jobs that the ledger has as sent because of this one.

    Raises
    ------
    LedgerUnavailable
        If the ledger could not be asked; the sweep sends the job again.
    """
    claimant = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
    raised: list[Sendable] = []
    with write(durable=False) as connection:
        claim = rows.claim(connection, number, claimant)
        if claim is None:
            raised = rows.clear_the_way(connection, number)
    if claim is None:
        log.debug("job %d is not there to be run", number)
        send(raised)
        return
    with watched(claim, send) as running:
        outcome = _call(claim)
    with _undisturbed():
        send(_settle(running, outcome))


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


def _call(claim: Claim) -> Outcome:
    try:
        known = callee(claim.handler)
        if known.tells and claim.replay is not None and not claim.replay.endswith(TELLING):
            return Outcome(note=NOT_TOLD)
        if claim.args or claim.notice is None or claim.handler not in handlers:
            known.function(*claim.args)
        else:
            known.function(claim.notice)
    except NoticeError as e:
        return Outcome(str(e), traceback.format_exc(limit=-8))
    except SoftTimeLimitExceeded:
        error: Exception = JobTimeout(callees[claim.handler].time_limit)
        return Outcome(str(error), traceback.format_exc(limit=-8), final=False)
    except MemoryError as e:
        error = JobMemoryExceeded(
            f"it asked for more memory than a job may have ({settings().max_memory >> 20} MiB, "
            f"max_memory in the settings): {e}")
        return Outcome(str(error), traceback.format_exc(limit=-8), final=False)
    except KeyboardInterrupt:
        raise
    # One bad handler hurts nobody: whatever it raises, also SystemExit, is its job's error.
    except BaseException as e:
        return Outcome(f"{type(e).__name__}: {e}", traceback.format_exc(limit=-20), final=False)
    return Outcome()


def _settle(running: Running, outcome: Outcome) -> list[Sendable]:
    claim = running.claim
    if running.done and outcome.problem is not None:
        log.error("job %d (%s) failed after its transaction, which stands: %s\n%s", claim.id,
                  claim.handler, outcome.problem, outcome.trace)
    deadline = time.monotonic() + GRACE * 0.8
    while True:
        try:
            return _write_outcome(running, outcome)
        except LedgerUnavailable as e:
            if time.monotonic() > deadline:
                raise
            log.warning("job %d: its outcome cannot be written yet: %s", claim.id, e)
            time.sleep(0.5)


def _write_outcome(running: Running, outcome: Outcome) -> list[Sendable]:
    claim = running.claim
    if running.done and claim.serial is None:
        return []
    # What this loses in a power cut is only that the job ran: it runs again.
    with write(durable=False) as connection:
        if running.done:
            ours = True
        elif outcome.problem is None:
            ours = rows.finish(connection, claim.id, claim.claimant, outcome.note)
        else:
            ours = fail(connection, claim.id, claim.claimant, claim.handler, claim.attempts,
                        outcome)
        if not ours:
            log.error("job %d: its outcome came too late, another worker has it", claim.id)
            return []
        return rows.successor(connection, claim.serial)


def fail(
    connection: Connection, number: int, claimant: str | None, name: str, attempts: int,
    outcome: Outcome,
) -> bool:
    """Note that a job failed, for now or for good; false if it was no longer its claimant's."""
    known = callees.get(name) or Callee(name, run)
    problem, trace = outcome.problem or "", outcome.trace
    if outcome.final or attempts > known.retries:
        log.error("job %d (%s) is dead after %d attempts: %s", number, name, attempts, problem)
        return rows.bury(connection, number, claimant, problem, trace)
    delay = known.pause(attempts)
    log.warning("job %d (%s) failed, attempt %d of %d, next in %.1f s: %s", number, name,
                attempts, known.retries + 1, delay, problem)
    return rows.retry_later(connection, number, claimant, delay, problem, trace)
