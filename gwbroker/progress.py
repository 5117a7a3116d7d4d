"""Progress: how far the running job is, for ``gwbroker jobs`` and Flower; never its problem."""

from __future__ import annotations

import logging
import math
import os
import threading
from dataclasses import dataclass
from typing import Any

from celery import current_task

from . import running
from .app import app
from .ledger import jobs as rows
from .ledger.engine import write
from .ledger.jobs import Claim
from .ledger.storable import storable

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two messages of one process, whatever its job says in between."""

LONGEST = 200
EVENT = "task-progress"
"""What Celery's events call it; Flower shows the state as PROGRESS, the text as result."""


@dataclass(frozen=True)
class _Message:
    claim: Claim
    task: str | None
    hostname: str | None
    values: dict[str, Any]


def progress(done: float, total: float | None = None, note: str = "") -> None:
    """Say how far the running job is; it is shown by ``gwbroker jobs`` and by Flower.

    Say it as often as you like: it only leaves the message for a thread, which passes on the
    newest one at most once a second. What goes wrong there is logged and hurts no job.
    Outside of a job nothing happens.

    Parameters
    ----------
    done : float
        How much is done.
    total : float, optional
        Of how much.
    note : str
        What is being done now, in a few words.
    """
    claim = running.current()
    if claim is None:
        return
    request = current_task.request if current_task else None
    values = {"done": _finite(done), "total": _finite(total),
              "note": storable(str(note)[:LONGEST]) or ""}
    _teller.tell(_Message(claim, getattr(request, "id", None),
                          getattr(request, "hostname", None), values))


def _finite(value: float | None) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    # None, an array, a number of a thousand digits: it is not shown, and no job's problem.
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


class _Teller:
    """A thread that passes on the newest message, and waits before it passes on another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._message: _Message | None = None
        self._pid = 0

    def tell(self, message: _Message) -> None:
        """Leave a message."""
        with self._lock:
            self._message = message
            if self._pid != os.getpid():
                # Threads do not survive a fork.
                self._news = threading.Event()
                try:
                    threading.Thread(target=self._loop, name="job progress", daemon=True).start()
                except (RuntimeError, MemoryError) as e:
                    log.info("job %d: its progress cannot be told: %s", message.claim.id, e)
                    return
                self._pid = os.getpid()
        self._news.set()

    def _loop(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            with self._lock:
                message = self._message
            if message is not None and running.current() is message.claim:
                try:
                    _pass_on(message)
                # Whatever it is, also a MemoryError of the job beside us: the next may pass.
                except Exception as e:
                    log.info("job %d: its progress could not be told: %s", message.claim.id, e)
            threading.Event().wait(PAUSE)


def _pass_on(message: _Message) -> None:
    claim = message.claim
    with write(durable=False) as connection:
        rows.tell(connection, claim.id, claim.claimant, message.values)
    if message.task is None:
        return
    with app.events.default_dispatcher(hostname=message.hostname) as dispatcher:
        dispatcher.send(EVENT, uuid=message.task, name=claim.handler,
                        result=rows.how_far(message.values), retry=False)


_teller = _Teller()
