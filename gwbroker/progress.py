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
class _Speaker:
    """A job, and the message of Celery's that brought it to which process."""

    claim: Claim
    task: str | None
    hostname: str | None


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
    _teller.tell(claim, (done, total, note))


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
        self._speaker: _Speaker | None = None
        self._said: tuple[Any, Any, Any] = (None, None, "")
        self._pid = 0

    def tell(self, claim: Claim, said: tuple[Any, Any, Any]) -> None:
        """Leave a message; what costs time, as finding out what it says, is the thread's."""
        with self._lock:
            if self._speaker is None or self._speaker.claim is not claim:
                request = current_task.request if current_task else None
                self._speaker = _Speaker(claim, getattr(request, "id", None),
                                         getattr(request, "hostname", None))
            self._said = said
            if self._pid != os.getpid():
                # Threads do not survive a fork.
                self._news = threading.Event()
                try:
                    threading.Thread(target=self._loop, name="job progress", daemon=True).start()
                except (RuntimeError, MemoryError) as e:
                    log.info("job %d: its progress cannot be told: %s", claim.id, e)
                    return
                self._pid = os.getpid()
        if not self._news.is_set():
            self._news.set()

    def _loop(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            with self._lock:
                speaker, said = self._speaker, self._said
            if speaker is not None and running.current() is speaker.claim:
                try:
                    _pass_on(speaker, said)
                # Whatever it is, also a MemoryError of the job beside us: the next may pass.
                except Exception as e:
                    log.info("job %d: its progress could not be told: %s", speaker.claim.id, e)
            threading.Event().wait(PAUSE)


def _pass_on(speaker: _Speaker, said: tuple[Any, Any, Any]) -> None:
    claim = speaker.claim
    done, total, note = said
    values = {"done": _finite(done), "total": _finite(total),
              "note": storable(str(note)[:LONGEST]) or ""}
    with write(durable=False) as connection:
        rows.tell(connection, claim.id, claim.claimant, values)
    if speaker.task is None:
        return
    with app.events.default_dispatcher(hostname=speaker.hostname) as dispatcher:
        dispatcher.send(EVENT, uuid=speaker.task, name=claim.handler,
                        result=rows.how_far(values), retry=False)


_teller = _Teller()
