"""Running: the job that this process runs, as its function may ask for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from .errors import JobLost, NoJob
from .keeper import Keeper
from .ledger import jobs as rows
from .ledger.engine import write
from .ledger.jobs import Claim, Sendable
from .notice import Notice

Send = Callable[[list[Sendable]], None]


@dataclass
class Running:
    """The job that this process runs, and how far its own transaction is."""

    claim: Claim
    send: Send
    done: bool = False
    connection: Connection | None = None
    thread: int = 0
    sendable: list[Sendable] = field(default_factory=list)


_keeper = Keeper()
_running: Running | None = None
_alone = False


@contextmanager
def watched(claim: Claim, send: Send) -> Iterator[Running]:
    """Be the process that runs a job, and give signs of life for it, until the block ends."""
    global _running
    running = Running(claim, send)
    _keeper.watch(claim)
    _running = running
    try:
        yield running
    finally:
        _running = None
        _keeper.forget()


def current() -> Claim | None:
    """Return the job that this process runs; None outside of one."""
    return _running.claim if _running is not None else None


@contextmanager
def alone() -> Iterator[None]:
    """Say that this process runs every job itself, so that none needs to make room for another."""
    global _alone
    _alone = True
    try:
        yield
    finally:
        _alone = False


def is_alone() -> bool:
    """Tell whether this process runs every job itself."""
    return _alone


def joined() -> Running | None:
    """Return the running job if this thread is inside its `transaction`."""
    if _running is None or _running.connection is None:
        return None
    return _running if _running.thread == threading.get_ident() else None


def current_notice() -> Notice:
    """Return the notice that the running job was submitted for.

    Raises
    ------
    NoJob
        If no job runs here, or it is about no notice; a `LookupError`.
    """
    claim = current()
    if claim is None or claim.notice is None:
        raise NoJob("no job about a notice runs in this process")
    return claim.notice


def with_label(key: str | None, label: str | None) -> str | None:
    """Return a job's key as it is in a replay, where it must not be that of the live job."""
    return key if key is None or label is None else f"{key}:{label}"


def idempotency_key(replay: bool = True) -> str:
    """Return a text that names the effect of the running job, the same at each attempt.

    To be sent along with what reaches the outside, for a receiver that drops what it has
    seen: for a handler it is made of the notice and the handler's name, for a task it is the
    key with which it was submitted, or the job's number if it was submitted without one.

    Parameters
    ----------
    replay : bool
        Whether a replay gets another one than the live job; if not, the receiver drops what
        it was told when the notice came first.

    Raises
    ------
    NoJob
        If no job runs here.
    """
    claim = current()
    if claim is None:
        raise NoJob("idempotency_key() is for use inside a handler or task that a job calls")
    if claim.key is None:
        return f"{claim.handler}:job:{claim.id}"
    return claim.key if replay or claim.replay is None \
        else claim.key.removesuffix(f":{claim.replay}")


def put_off(delay: float) -> None:
    """Let the running job wait for so many seconds and begin anew; what it did so far is no try.

    The function that called it is to return at once: the job is not this process's any more.

    Raises
    ------
    NoJob
        If no job runs here, or it has ended.
    LedgerUnavailable
        If it could not be written.
    """
    running = _running
    if running is None or running.done:
        raise NoJob("put_off() is for use inside a task that a job calls")
    claim = running.claim
    with write(durable=False) as connection:
        ours = rows.put_off(connection, claim.id, claim.claimant, delay)
    # If another has it by now, that one sees to it.
    running.done = True
    _keeper.forget()
    if not ours:
        raise JobLost(claim.id)


@contextmanager
def transaction() -> Iterator[Connection]:
    """Open a transaction on the ledger that ends the running job, for use in a handler or task.

    What is written through the connection and the end of the job are committed as one, and
    only if the job is still ours: an effect in the ledger's database happens exactly once,
    whatever is killed, and also if this process sleeps and its job is given to another. After
    it the job is done, whatever the rest of the function does.

    Keep it short: on SQLite nobody else can write meanwhile. Inside it `submit` and `outbox`
    belong to the same transaction.

    Yields
    ------
    sqlalchemy.Connection
        To be used in this thread.

    Raises
    ------
    NoJob
        If no job runs here, or it has been ended by such a transaction.
    JobLost
        If the job was given to another worker; nothing is written.
    LedgerUnavailable
        If it could not be committed; then nothing was, and the job is tried again. If the
        connection broke during the commit, it may have been; then the job is not.
    """
    running = _running
    if running is None:
        raise NoJob("transaction() is for use inside a handler or task that a job calls")
    if running.done or running.connection is not None:
        raise NoJob("a job has one transaction(), and this one had it; "
                    "put what belongs together into it")
    claim = running.claim
    asleep = False
    try:
        # What a power cut takes back, it takes back with the end of the job, which runs again.
        with write(durable=False) as connection:
            # This also locks the row, so that nobody gives the job away meanwhile.
            if not rows.renew(connection, claim.id, claim.claimant):
                raise JobLost(claim.id)
            running.connection, running.thread = connection, threading.get_ident()
            yield connection
            if not rows.finish(connection, claim.id, claim.claimant):
                raise JobLost(claim.id)
            asleep = True
            _keeper.forget()
        running.done = True
    finally:
        running.connection = None
        if asleep and not running.done:
            _keeper.watch(claim)
    running.send(running.sendable)
