"""Keeper: tells the ledger, all the time, that a running job is alive."""

from __future__ import annotations

import logging
import os
import threading

from .ledger import jobs as rows
from .ledger.engine import write
from .ledger.jobs import Claim

log = logging.getLogger(__name__)


class Keeper:
    """Gives signs of life for the job that this process runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claim: Claim | None = None
        self._pid = 0
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self.lost = False

    def watch(self, claim: Claim) -> None:
        """Begin."""
        with self._lock:
            self._claim, self.lost = claim, False
            alive = self._thread is not None and self._thread.is_alive()
            if self._pid != os.getpid() or not alive:
                self._pid = os.getpid()
                self._wake = threading.Event()
                self._thread = threading.Thread(target=self._loop, name="job lease", daemon=True)
                self._thread.start()

    def forget(self) -> None:
        """End."""
        with self._lock:
            self._claim = None

    def _loop(self) -> None:
        while not self._wake.wait(rows.LEASE / 4):
            claim = self._claim
            if claim is None:
                continue
            try:
                with write(durable=False) as connection:
                    alive = rows.renew(connection, claim.id, claim.claimant)
            # Whatever it is, also a MemoryError of the job beside us: this thread has to live,
            # or every later job of this process would be taken for dead.
            except Exception as e:
                log.warning("job %d: no sign of life could be given: %s", claim.id, e)
                continue
            if not alive and self._claim is claim:
                self.lost = True
                log.error("job %d: it was given to another worker meanwhile", claim.id)
