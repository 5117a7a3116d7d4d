"""Faults: each disturbs one thing, waits as long as it likes, and mends it again.

A fault is a function of the stage, a source of chance of its own, and ``wait``, which sleeps
but comes back early when the run ends. It returns what it hit, or None if there was nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import psycopg

from .stage import WORKERS, Stage

Wait = Callable[[float], object]
Work = Callable[[Stage, Random, Wait], str | None]


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Parameters
    ----------
    resource : str
        Faults of one resource do not happen at the same time; empty: nothing is excluded.
    hits : tuple of str
        Handlers that may wait until it is over; empty: all.
    """

    name: str
    weight: float
    work: Work
    resource: str = ""
    hits: tuple[str, ...] = ()


KINDS: list[Kind] = []
SERIAL = ("chaos.events",)


def _kind(
    name: str, weight: float, resource: str = "", hits: tuple[str, ...] = (),
) -> Callable[[Work], Work]:
    def add(work: Work) -> Work:
        KINDS.append(Kind(name, weight, work, resource, hits))
        return work
    return add


def _signal(pid: int, number: signal.Signals) -> bool:
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
    return False


def _frozen(pids: list[int], seconds: float, wait: Wait) -> bool:
    hit = [pid for pid in pids if _signal(pid, signal.SIGSTOP)]
    try:
        wait(seconds)
    finally:
        for pid in hit:
            _signal(pid, signal.SIGCONT)
    return bool(hit)


@_kind("kill worker", 8)
def kill_worker(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Kill the main process of a worker; its children die with it."""
    name = dice.choice(list(WORKERS))
    return name if _signal(stage.pid(name), signal.SIGKILL) else None


@_kind("kill child", 14)
def kill_child(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Kill one process that runs jobs or listens."""
    name = dice.choice(list(WORKERS))
    children = stage.family(name)[1:]
    return name if children and _signal(dice.choice(children), signal.SIGKILL) else None


@_kind("kill listener", 8)
def kill_listener(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Kill the process that holds the lease of a listener."""
    found = stage.listeners()
    if not found:
        return None
    name, pid = dice.choice(found)
    return name.removeprefix("gwbroker.listeners.") if _signal(pid, signal.SIGKILL) else None


@_kind("kill Beat", 4)
def kill_beat(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Kill Beat, without which nothing is swept and no listener starts."""
    return "beat-a" if _signal(stage.pid("beat-a"), signal.SIGKILL) else None


@_kind("pause process", 10)
def pause_process(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Stop any one process for moments."""
    name = dice.choice([*WORKERS, "beat-a"])
    family = stage.family(name)
    return name if family and _frozen([dice.choice(family)], dice.uniform(0.3, 5), wait) else None


@_kind("freeze child > 15 s", 7, "freeze child")
def freeze_child(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Stop one child so long that its job is given to another, then wake it up."""
    name = dice.choice(list(WORKERS))
    children = stage.family(name)[1:]
    if not children:
        return None
    return name if _frozen([dice.choice(children)], dice.uniform(16, 24), wait) else None


@_kind("freeze worker > 15 s", 4, "freeze worker")
def freeze_worker(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Stop a worker with all its children so long that others do its work, then wake it up."""
    name = dice.choice([n for n in WORKERS if n != "openmp-a"])
    return name if _frozen(stage.family(name), dice.uniform(16, 24), wait) else None


@_kind("freeze listener > 15 s", 5, "freeze listener")
def freeze_listener(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Stop a listener so long that a second copy starts elsewhere, then wake it up."""
    found = stage.listeners()
    if not found:
        return None
    name, pid = dice.choice(found)
    return name.removeprefix("gwbroker.listeners.") \
        if _frozen([pid], dice.uniform(16, 24), wait) else None


@_kind("flush Redis", 4, "redis")
def flush_redis(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Let Redis forget every message and lock."""
    stage.flush_redis()
    return "redis"


@_kind("restart Redis", 3, "redis")
def restart_redis(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Stop Redis, or kill it, and start it again, empty."""
    number = dice.choice([signal.SIGTERM, signal.SIGKILL])
    stage.redis.end(number)
    wait(dice.uniform(0, 4))
    stage.redis.start()
    return number.name


@_kind("restart Kafka", 2, "kafka")
def restart_kafka(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Stop Kafka in good order, and start it again."""
    stage.kafka.halt()
    wait(dice.uniform(0, 3))
    stage.kafka.start()
    return "kafka"


@_kind("kill Kafka", 1.5, "kafka")
def kill_kafka(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Kill Kafka, and start it again."""
    stage.kafka.kill()
    wait(dice.uniform(0, 3))
    stage.kafka.start()
    return "kafka"


@_kind("freeze Kafka", 2, "kafka")
def freeze_kafka(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Let Kafka answer nothing for a while, its connections open."""
    return "kafka" if _frozen([stage.kafka.pid], dice.uniform(1, 8), wait) else None


@_kind("restart PostgreSQL", 3, "postgresql")
def restart_postgresql(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Stop PostgreSQL fast, or at once as a crash does, and start it again."""
    number, mode = dice.choice([(signal.SIGINT, "fast"), (signal.SIGQUIT, "immediate")])
    stage.postgresql.end(number, 30)
    wait(dice.uniform(0, 4))
    stage.postgresql.launch(60)
    return mode


@_kind("kill PostgreSQL backend", 2, "postgresql")
def kill_backend(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Kill a process of PostgreSQL, upon which it drops everybody and recovers."""
    hit = _signal(stage.backend(dice), signal.SIGKILL)
    stage.postgresql.wait(60)
    return "backend" if hit else None


@_kind("terminate backends", 6, "postgresql")
def terminate_backends(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Let PostgreSQL end one connection, or all."""
    which = dice.choice(["one", "all"])
    limit = "" if which == "all" else "LIMIT 1"
    with stage.database() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE "
            "datname = 'ledger' AND pid <> pg_backend_pid() "
            f"ORDER BY random() {limit}) AS chosen")
    return which


@_kind("fill the ledger's disk", 2, "postgresql")
def fill_disk(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Leave the ledger no room for some seconds; start PostgreSQL again if it gave up."""
    if not stage.small_disk:
        return None
    place = stage.home / "disk"
    stage.enclosure.fill(place)
    try:
        wait(dice.uniform(3, 8))
    finally:
        stage.enclosure.empty(place)
    if not stage.postgresql.pid:
        stage.postgresql.end()
        stage.postgresql.launch(60)
        return "it gave up"
    stage.postgresql.wait(60)
    return "it went on"


@_kind("cut the network", 4, "cable")
def cut(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Cut host B off, for moments or until its leases have run out."""
    if not stage.enclosure.real:
        return None
    silently = dice.random() < 0.7
    stage.enclosure.cut(silently)
    try:
        wait(dice.choice([dice.uniform(1, 6), dice.uniform(14, 22)]))
    finally:
        stage.enclosure.mend()
    return "silently" if silently else "unreachable"


@_kind("step the clock", 4, "clock")
def step_clock(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Let the clock of host B jump by up to two hours, and jump back."""
    if stage.clock is None:
        return None
    seconds = dice.choice([-1, 1]) * dice.choice([7, 40, 600, 7200])
    stage.step_clock(seconds)
    try:
        wait(dice.uniform(8, 25))
    finally:
        stage.step_clock(0.0)
    return f"{seconds:+d} s"


@_kind("two Beats", 3, "beat-b")
def two_beats(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Let a second Beat run on the other host for a while."""
    stage.run("beat-b", "b", "beat", "--loglevel", "WARNING")
    try:
        wait(dice.uniform(8, 20))
    finally:
        stage.remove("beat-b")
    return "beat-b"


@_kind("one more serial worker", 2, "events-c", SERIAL)
def more_serial(stage: Stage, dice: Random, wait: Wait) -> str | None:
    """Let a further serial event worker run beside the two for a while."""
    stage.run("events-c", "a", "worker", "-Q", "events", "--hostname", "more@host-a")
    try:
        wait(dice.uniform(8, 20))
    finally:
        stage.remove("events-c")
    return "events-c"


def possible(stage: Stage) -> tuple[list[Kind], list[str]]:
    """Return the kinds that can happen here, and why others cannot."""
    left_out = {
        "cut the network": None if stage.enclosure.real else "no namespaces",
        "fill the ledger's disk": None if stage.small_disk else "no disk of our own",
        "step the clock": None if stage.clock else "libfaketime is not installed",
    }
    reasons = [f"{name}: {reason}" for name, reason in left_out.items() if reason]
    return [kind for kind in KINDS if not left_out.get(kind.name)], reasons


EXPECTED = (psycopg.Error, OSError)
"""What may go wrong while something is disturbed that another fault has hit as well."""
