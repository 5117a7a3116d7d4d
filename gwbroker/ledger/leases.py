"""Leases in the ledger: who runs a listener now, until when, and how often it failed."""

from __future__ import annotations

import os
import random
import socket
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from .engine import clock, read, write
from .models import leases
from .storable import storable

LENGTH = 5.0
"""Seconds for which a lease is valid after its last renewal."""

HEALTHY = 30.0
"""Seconds after which a run that then fails is not part of a series of failures."""

PAUSE_MIN, PAUSE_MAX = 1.0, 60.0

FORGIVEN = 4
"""Losses in a row that cost no pause: hosts and workers are killed for many reasons, and a
listener that kills its own process is slowed down soon enough."""


@dataclass(frozen=True)
class Refused:
    """Why a lease was not given, and how long to wait before asking again."""

    reason: str
    wait: float


def pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: 1 s, doubling to 60 s."""
    longest = min(PAUSE_MAX, PAUSE_MIN * 2.0 ** min(failures - 1, 10))
    return max(PAUSE_MIN, longest * random.uniform(0.75, 1.0)) if failures > 0 else 0.0


def acquire(name: str, holder: str) -> Refused | None:
    """Take a lease; return None when it was given.

    A lease that ran out without being released counts as a failure, so that a
    listener which kills its process comes back with growing pauses too.
    """
    with write(durable=False) as connection:
        _create(connection, name)
        row = connection.execute(
            select(leases, clock_column(connection)).where(leases.c.name == name)
            .with_for_update()).mappings().one()
        now = float(row["now"])
        # An end far in the future means that the clock was set back since.
        held = row["holder"] and now < row["until"] < now + 2 * LENGTH
        if held and row["holder"] != holder:
            return Refused(f"{row['holder']} holds it", row["until"] - now)
        failures, not_before = row["failures"], row["not_before"]
        if row["holder"] and row["holder"] != holder:
            short = row["until"] - LENGTH - (row["started"] or 0) < HEALTHY
            failures = failures + 1 if short else 1
            # The first losses cost no pause beyond the lease itself.
            not_before = row["until"] + pause(failures - FORGIVEN)
            connection.execute(update(leases).where(leases.c.name == name).values(
                holder=None, failures=failures, not_before=not_before, state="lost",
                error="its process disappeared without a word"))
        if now < not_before < now + 2 * PAUSE_MAX:
            return Refused(f"it failed {failures} times in a row", not_before - now)
        connection.execute(update(leases).where(leases.c.name == name).values(
            holder=holder, host=socket.gethostname(), pid=os.getpid(), started=now,
            until=now + LENGTH, state="running", failures=failures))
    return None


def clock_column(connection: Connection) -> Any:
    """Return the time now as a column named ``now``."""
    from sqlalchemy import literal

    now = clock(connection)
    return (literal(now) if isinstance(now, float) else now).label("now")


def _create(connection: Connection, name: str) -> None:
    if connection.execute(select(leases.c.name).where(leases.c.name == name)).first():
        return
    try:
        with connection.begin_nested():
            connection.execute(insert(leases).values(
                name=name, until=0.0, failures=0, not_before=0.0))
    except IntegrityError:
        # Another host made it in this instant, which is as good.
        return


def renew(name: str, holder: str) -> bool:
    """Extend a lease; return whether we still hold it."""
    with write(durable=False) as connection:
        now = clock(connection)
        return connection.execute(
            update(leases).where(leases.c.name == name, leases.c.holder == holder)
            .values(until=now + LENGTH)).rowcount == 1


def release(name: str, holder: str, error: str | None = None) -> float:
    """Give a lease back; return the seconds before which it will not be given again.

    ``error`` is why the run failed; None if it was asked to stop.
    """
    with write(durable=False) as connection:
        row = connection.execute(
            select(leases, clock_column(connection))
            .where(leases.c.name == name, leases.c.holder == holder)).mappings().first()
        if row is None:
            return 0.0
        now = float(row["now"])
        failures = 0
        if error is not None:
            long = now - (row["started"] or now) > HEALTHY
            failures = 1 if long else row["failures"] + 1
        wait = pause(failures)
        connection.execute(update(leases).where(leases.c.name == name).values(
            holder=None, until=now, failures=failures, not_before=now + wait,
            state="failed" if error else "stopped", error=storable(error)))
        return wait


def healthy(name: str, holder: str) -> None:
    """Note that a run works, so that its earlier failures no longer count."""
    with write(durable=False) as connection:
        connection.execute(update(leases).where(
            leases.c.name == name, leases.c.holder == holder,
            or_(leases.c.failures > 0, leases.c.error.is_not(None)),
        ).values(failures=0, error=case((leases.c.state == "running", None),
                                        else_=leases.c.error)))


def say(name: str, holder: str, state: str, error: str | None) -> None:
    """Note how a running listener fares, for `gwbroker doctor`."""
    with write(durable=False) as connection:
        connection.execute(update(leases).where(
            leases.c.name == name, leases.c.holder == holder).values(
                state=state, error=storable(error)))


def touch(name: str) -> None:
    """Note that something ran now, for `gwbroker doctor`; nobody holds such a row."""
    with write(durable=False) as connection:
        _create(connection, name)
        connection.execute(update(leases).where(leases.c.name == name).values(
            started=clock(connection), state="ran"))


def listing() -> list[dict[str, Any]]:
    """Return every lease as a plain dictionary, with ``held`` and its age."""
    with read() as connection:
        rows = connection.execute(
            select(leases, clock_column(connection)).order_by(leases.c.name)).mappings().all()
    return [{**row, "held": bool(row["holder"]) and row["until"] > float(row["now"])}
            for row in rows]


def seconds_since(moment: float) -> float:
    """Return how long ago a time of the ledger was."""
    return max(0.0, time.time() - moment)
