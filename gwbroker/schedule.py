"""Beat's scheduler: keeps no file, and is brief while Redis is away."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery.beat import Scheduler, SchedulingError

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two lines about the same trouble."""


class QuietScheduler(Scheduler):  # type: ignore[misc]
    """Celery's scheduler in memory.

    Everything on our schedule is due every few seconds, so a file of last runs would only
    be something to be found damaged after a kill. Celery logs a traceback of a hundred
    lines for each entry that could not be sent, several times a second.
    """

    _said = 0.0
    _failed = 0

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a task; say once in a while if that does not work."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as e:
            self._failed += 1
            now = time.monotonic()
            if not self._said or now - self._said > EVERY:
                self._said = now
                log.error("%s; trying on, every second", e)
            return
        if self._failed:
            log.warning("Redis is back; %d tasks had not been sent", self._failed)
            self._failed, self._said = 0, 0.0
