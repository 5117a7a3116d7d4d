"""The table of handlers: choosing those that want a notice, and the jobs that call them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from . import batches, discovery, jobs
from .conf import settings
from .errors import NoticeError, SchemaUnavailable
from .ledger.jobs import Draft
from .notice import Notice
from .seldom import Seldom
from .streams.gcn import CIRCULARS
from .streams.issued import age
from .streams.registry import Registration, registrations
from .streams.subject import identify

log = logging.getLogger(__name__)
_now_and_then = Seldom(log)

SLOW = 1.0
"""Seconds after which a ``where`` is too slow: the listener waits for it."""


@dataclass(frozen=True)
class Choice:
    """A handler that gets a notice, or the reason why that could not be found out.

    Parameters
    ----------
    registration : Registration
        The handler.
    error : str, optional
        Why nobody can tell whether it wants the notice.
    open : bool
        Whether its ``where`` is to be asked again when the job is retried.
    """

    registration: Registration
    error: str | None = None
    open: bool = False


def load() -> dict[str, Registration]:
    """Import every handler there is; return them by name. The second call does nothing.

    Raises
    ------
    HandlerError
        If one cannot be imported or is declared wrongly.
    """
    return _load()


@lru_cache(maxsize=1)
def _load() -> dict[str, Registration]:
    discovery.discover()
    for registration in registrations.values():
        jobs.handlers.add(registration.name)
        jobs.register(jobs.Callee(
            registration.name, batches.calling(registration, wants), registration.queue,
            registration.retries, registration.backoff, registration.time_limit,
            tells=registration.tells))
    return registrations


def table() -> dict[str, Registration]:
    """Return every handler by name, loading them first."""
    return load()


def topics() -> set[str]:
    """Return the Kafka topics that handlers ask for."""
    return {topic for registration in table().values() for topic in registration.topics}


def bulk_topics() -> set[str]:
    """Return the topics of high volume: those that only handlers with ``batch`` ask for.

    What no handler wants of them is not kept.
    """
    return set(_bulk())


@lru_cache(maxsize=1)
def _bulk() -> frozenset[str]:
    usual = {topic for registration in table().values() if registration.batch is None
             for topic in registration.topics}
    return frozenset(topics() - usual)


def is_bulk(topic: str) -> bool:
    """Tell whether a topic is one of high volume."""
    return topic in _bulk()


@lru_cache(maxsize=4096)
def _interested(topic: str) -> tuple[Registration, ...]:
    # Those with topics of their own are asked only about these; the others about all.
    return tuple(
        r for r in table().values()
        if topic in r.topics or not r.topics or topic == "voevent")


def choose(notice: Notice) -> list[Choice]:
    """Return the handlers that want a notice, never raising for what is in it.

    A handler whose wish cannot be found out, because the notice cannot be read or
    because its ``where`` fails, is returned with the reason: that job is dead, and
    can be retried when the reason is gone. What is not the whole message nobody gets.
    """
    chosen: list[Choice] = []
    if notice.incomplete:
        return chosen
    for registration in _interested(notice.topic):
        again = registration.where is not None
        try:
            if wants(registration, notice):
                chosen.append(Choice(registration))
        except (NoticeError, SchemaUnavailable) as e:
            # Of a notice that nobody can read one dead job is enough.
            if registration.batch or isinstance(e, SchemaUnavailable) or not any(
                    choice.error == str(e) for choice in chosen):
                chosen.append(Choice(registration, str(e), again))
        # A predicate is a person's code: whatever it raises is its handler's error.
        except Exception as e:
            problem = f"its where= failed with {type(e).__name__}: {e}"
            _now_and_then(logging.WARNING, f"where {registration.name}", "%s: %s",
                          registration.name, problem)
            chosen.append(Choice(registration, problem, again))
    return chosen


def wants(registration: Registration, notice: Notice) -> bool:
    """Tell whether a handler wants a notice.

    Raises
    ------
    NoticeError
        If the notice cannot be read well enough to tell.
    SchemaUnavailable
        If what is needed to read it cannot be fetched now.
    Exception
        Whatever the handler's ``where`` raises.
    """
    stream = registration.stream
    if not stream.wants(registration.keys, notice) or _too_old(registration, notice):
        return False
    if registration.where is None:
        return True
    alert = stream.alert(notice)
    began = time.perf_counter()
    try:
        return bool(registration.where(alert))
    finally:
        if (taken := time.perf_counter() - began) > SLOW:
            _now_and_then(
                logging.WARNING, f"slow {registration.name}", "the where= of %s took %.1f s, in "
                "which its listener read nothing; do slow things in the handler",
                registration.name, taken)


def _too_old(registration: Registration, notice: Notice) -> bool:
    # Who replays something old wants it handled.
    if registration.max_age is None or notice.replay is not None or notice.source == "replay":
        return False
    if age(notice) <= registration.max_age:
        return False
    # Circulars are sent again after years. Anything else that is old, but was sent just now,
    # may have its time from a clock that is wrong.
    doubtful = notice.sent is not None and not notice.topic.startswith(CIRCULARS) and (
        notice.received - notice.sent).total_seconds() <= registration.max_age
    _now_and_then(
        logging.WARNING if doubtful else logging.INFO,
        f"{'doubtful' if doubtful else 'old'} {registration.name}",
        "a notice of %s is only kept: it was issued %.0f s before it came%s, and %s has "
        "max_age=%g", notice.topic, age(notice),
        ", says its sender, though it was sent just now" if doubtful else "",
        registration.name, registration.max_age)
    return True


def priority(notice: Notice) -> int:
    """Return 0 for a live notice, 1 for one that was old when it arrived.

    What is older than the setting `old_after` comes from a backfill, or waited while we were away.
    """
    waited = (notice.received - notice.sent).total_seconds() if notice.sent else 0.0
    return int(max(age(notice), waited) > settings().old_after)


def drafts(notice: Notice, root: int, choices: Iterable[Choice]) -> list[Draft]:
    """Return the jobs of a kept notice; ``root`` is the first notice with its bytes."""
    made = []
    who = identify(notice)
    # What only says again what was handled, in other bytes, is the same thing.
    thing = f"{who.identifier}:{who.version}" if who.version else str(root)
    for choice in choices:
        registration = choice.registration
        serial = who.subject if registration.queue == "events" else None
        args: tuple[int | str, ...] = ()
        if choice.open:
            args = (batches.OPEN, root)
        elif registration.batch is not None:
            args = (root,)
        made.append(Draft(
            registration.name, registration.queue, root, args, f"{thing}:{registration.name}",
            serial, error=choice.error, priority=priority(notice)))
    return made


def forget() -> None:
    """Forget what was loaded, so that a test can load other handlers."""
    _load.cache_clear()
    _interested.cache_clear()
    _bulk.cache_clear()
