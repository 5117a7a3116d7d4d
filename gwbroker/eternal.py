"""A task that runs for ever, once, and comes back.

celery-eternal starts such a task every second unless a lock in Redis says that it
runs. That lock never expires, so a killed task never starts again; and a flushed
Redis forgets it, so a second copy starts. Here the lock in Redis only saves
messages, and expires; what decides is a lease, which the running task renews and
which is kept where Redis cannot lose it.
"""

from __future__ import annotations

import logging
import mmap
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from celery.bootsteps import StartStopStep
from celery_eternal import EternalTask
from kombu.exceptions import OperationalError as WireError
from redis.exceptions import RedisError

from .errors import LedgerError, LedgerUnavailable
from .seldom import Seldom

log = logging.getLogger(__name__)
_now_and_then = Seldom(log)

RENEW = 1.0
"""Seconds between renewals of a lease."""

# One byte that a worker shares with the children it forks: 1 when it stops.
_stopping = mmap.mmap(-1, 1)


class RefusedLike(Protocol):
    """Why a lease was not given."""

    reason: str
    wait: float


class Leases(Protocol):
    """Where leases are kept; `gwbroker.ledger.leases` is one."""

    LENGTH: float

    def acquire(self, name: str, holder: str) -> RefusedLike | None:
        """Take a lease, or say why not."""

    def renew(self, name: str, holder: str) -> bool:
        """Extend it; false if somebody else has it."""

    def release(self, name: str, holder: str, error: str | None = None) -> float:
        """Give it back; return the seconds to pause."""

    def healthy(self, name: str, holder: str) -> None:
        """Forget earlier failures."""


class StopStep(StartStopStep):  # type: ignore[misc]
    """Tell the eternal tasks of a worker that it stops; needs no Redis."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Nothing has been stopped yet."""
        _stopping[0] = 0

    def stop(self, worker: Any) -> None:
        """Set the flag that the tasks look at."""
        _stopping[0] = 1


class Guard(threading.Thread):
    """Renews the lease of one running task, and notices when it has to stop."""

    def __init__(self, task: LeasedTask, holder: str) -> None:
        super().__init__(name=f"lease of {task.name}", daemon=True)
        self.task = task
        self.holder = holder
        self.stop_reason: str | None = None
        self._end = threading.Event()
        self._valid_until = time.monotonic() + task.leases.LENGTH
        self._began = time.monotonic()
        self._told_healthy = False
        self._asking = False

    @property
    def must_stop(self) -> bool:
        """Whether the task has to end now."""
        if self.stop_reason is None:
            if _stopping[0]:
                self.stop_reason = "the worker stops"
            elif time.monotonic() > self._valid_until and not self._asking:
                self.stop_reason = "its lease ran out"
        return self.stop_reason is not None

    def run(self) -> None:
        """Renew until the end."""
        # On its own, because a Redis that hangs must not keep us from renewing.
        threading.Thread(target=self._keep_wire, name=f"lock of {self.task.name}",
                         daemon=True).start()
        while not self._end.wait(RENEW):
            self._asking = True
            try:
                self._renew()
            finally:
                self._asking = False
            if self.must_stop:
                return

    def _keep_wire(self) -> None:
        # The lock is still that of the message; killed now, the task would wait for its end.
        while True:
            self._lock_wire()
            if self._end.wait(RENEW) or self.stop_reason is not None:
                return

    def finish(self) -> None:
        """Stop renewing."""
        self._end.set()
        self.join(timeout=5)

    def _renew(self) -> None:
        asked = time.monotonic()
        try:
            held = self.task.leases.renew(self.task.name, self.holder)
            if held and not self._told_healthy and asked - self._began > self.task.healthy_after:
                self.task.leases.healthy(self.task.name, self.holder)
                self._told_healthy = True
        except LedgerUnavailable as e:
            _now_and_then(logging.WARNING, f"renew {self.task.name}",
                          "%s: cannot renew its lease: %s", self.task.name, e)
            # It goes on: without the ledger nobody can keep or acknowledge anything, so a
            # second copy does no harm, and the first answer tells whose the lease is.
            self._valid_until = time.monotonic() + self.task.leases.LENGTH
            return
        if held:
            self._valid_until = asked + self.task.leases.LENGTH
        elif self.stop_reason is None:
            self.stop_reason = "another copy has its lease"

    def _lock_wire(self) -> None:
        try:
            self.task.lock_wire(self.holder, self.task.leases.LENGTH)
            if self.task.asked_to_abort(self.holder):
                self.stop_reason = self.stop_reason or "it was aborted"
        except (RedisError, WireError, OSError):
            # Without Redis the task goes on: its lease is not there.
            return


class LeasedTask(EternalTask):  # type: ignore[misc]
    """An eternal task with a lease: exactly one copy, back within seconds.

    Subclasses set ``leases``. The function is bound, and looks at
    ``self.is_aborted()`` often; an early return or an exception is a failure, after
    which it comes back with growing pauses (1 s to 60 s).
    """

    abstract = True
    leases: ClassVar[Any]
    # A message may be lost with the worker that took it; the next goes out after this (s).
    lock_expiry = 5
    healthy_after = 30.0
    _guard: Guard | None = None

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Put the task on Beat's schedule, once a second, and the stop step into workers."""
        app.add_periodic_task(1.0, cls, name=cls.name, queue="listeners",
                              # Longer, because the clocks of two hosts may differ.
                              expires=60)
        app.steps["worker"].add(StopStep)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run once, under the lease."""
        holder = self.request.id or f"direct-{time.time_ns()}"
        try:
            refused = self.leases.acquire(self.name, holder)
        except LedgerError as e:
            # Beat sends it again in a second.
            _now_and_then(logging.ERROR, f"acquire {self.name}", "%s does not start: %s",
                          self.name, e)
            return None
        if refused is not None:
            log.debug("%s does not start: %s", self.name, refused.reason)
            self._wire(lambda: self.lock_wire(holder, max(refused.wait, 0.2), only_mine=True))
            return None
        guard = self._guard = Guard(self, holder)
        error: str | None = None
        try:
            guard.start()
            log.info("%s starts", self.name)
            return self.run(*args, **kwargs)
        except Exception as e:
            error = f"{type(e).__name__}: {e}"
            raise
        finally:
            guard.finish()
            self._guard = None
            if error is None and not guard.must_stop:
                error = "it returned although nobody had asked it to"
            self._release(holder, error, guard.stop_reason)

    def _release(self, holder: str, error: str | None, reason: str | None) -> None:
        wait = 0.0
        try:
            wait = self.leases.release(self.name, holder, error)
        except LedgerUnavailable as e:
            log.warning("%s: cannot release its lease, it will run out: %s", self.name, e)
        if error:
            log.error("%s failed, next try in %.0f s: %s", self.name, wait, error)
        else:
            log.info("%s stopped: %s", self.name, reason)
        if wait:
            self._wire(lambda: self.lock_wire(holder, wait))
        else:
            self._wire(lambda: self.singleton_backend.redis.delete(self._lock))

    def _wire(self, call: Callable[[], object]) -> None:
        try:
            call()
        except (RedisError, WireError, OSError) as e:
            log.debug("%s: Redis is away: %s", self.name, e)

    @property
    def _lock(self) -> str:
        return str(self.generate_lock(self.name, [], {}))

    def lock_wire(self, holder: str, seconds: float, only_mine: bool = False) -> None:
        """Keep Beat from sending this task for some seconds."""
        redis = self.singleton_backend.redis
        if not only_mine or redis.get(self._lock) in (holder, holder.encode(), None):
            redis.set(self._lock, holder, px=int(seconds * 1000))

    def asked_to_abort(self, holder: str) -> bool:
        """Tell whether somebody aborted it by Celery's means."""
        return bool(EternalTask.is_aborted(self, task_id=holder))

    def is_aborted(self, **kwargs: Any) -> bool:
        """Tell whether the task has to end; cheap, to be asked often."""
        guard = self._guard
        return guard.must_stop if guard is not None else bool(_stopping[0])

    def on_success(self, *args: Any, **kwargs: Any) -> None:
        """Leave the lock alone: `__call__` has seen to it."""

    def on_failure(self, *args: Any, **kwargs: Any) -> None:
        """Leave the lock alone: `__call__` has seen to it."""
