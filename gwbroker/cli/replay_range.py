"""What ``gwbroker replay`` does with notices that were here before: choosing them, telling."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from .output import as_json, as_table, short

if TYPE_CHECKING:
    from ..ledger.ranges import Range
    from ..replays import Again, Replay

SHOWN = 50
"""Most lines of a plan that are written for people."""

EVERY = 3.0
"""Seconds between two words on how far it is."""


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A day or a time, UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """Read one; a day is its beginning."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a day nor a time, as 2026-11-01 or "
                      "2026-11-01T12:30:00Z", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
            click.echo(f"{value} has no zone; taken as {moment:%Y-%m-%d %H:%M:%S} UTC.", err=True)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail(f"{value!r} is not between the years 1 and 9999 in UTC", param, ctx)


class Offsets(click.ParamType):  # type: ignore[type-arg]
    """Offsets as FIRST:END, either of which may be left out."""

    name = "offsets"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int | None, int | None]:
        """Read them; END is not included."""
        if isinstance(value, tuple):
            return value
        first, colon, end = value.partition(":")
        if not colon or not all(part.isdecimal() or not part for part in (first, end)):
            self.fail(f"{value!r} is not FIRST:END, as 100:200, 100: or :200", param, ctx)
        if any(len(part) > 18 for part in (first, end)):
            self.fail(f"{value!r} is more than any offset", param, ctx)
        return (int(first) if first else None, int(end) if end else None)


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    source: str | None
    topics: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    partition: int | None
    offsets: tuple[int | None, int | None] | None
    last: int | None
    kafka: bool
    handlers: tuple[str, ...]
    label: str | None
    tell: bool
    dry_run: bool
    here: bool
    wait: float | None
    json: bool

    def range(self) -> Range:
        """Return it as a range of notices.

        Raises
        ------
        click.UsageError
            If it makes no sense.
        """
        from ..ledger.ranges import Range
        from ..replays import source_named

        if self.since and self.until and self.since >= self.until:
            raise click.UsageError(
                f"--from {self.since:%Y-%m-%dT%H:%M:%SZ} is not before "
                f"--to {self.until:%Y-%m-%dT%H:%M:%SZ}, so nothing is between them.")
        first, end = self.offsets or (None, None)
        if self.offsets is not None and (len(self.topics) != 1 or self.partition is None):
            raise click.UsageError("--offsets needs one --topic and its --partition.")
        if first is not None and end is not None and first >= end:
            raise click.UsageError(f"--offsets {first}:{end} is empty: END is not included.")
        if self.partition is not None and len(self.topics) != 1:
            raise click.UsageError("--partition needs one --topic.")
        source = None if self.source is None else source_named(self.source)
        return Range(source, self.topics, self.since, self.until, self.partition, first, end,
                     self.last)


def replay_range(asked: Asked) -> None:
    """Replay notices from the ledger or from Kafka."""
    from ..replays import Replay, described, gently

    chosen = asked.range()
    replay = Replay(asked.label, asked.handlers, asked.tell)
    with _opened(asked, chosen) as (number, pages):
        if asked.dry_run:
            _show_plan(asked, replay, pages)
            return
        click.echo(f"Replay {replay.label}: {number} notices{described(chosen)}.", err=True)
        done, told = 0, time.monotonic()
        try:
            for page in gently(pages):
                replay.submit(page)
                done += len(page)
                if time.monotonic() - told > EVERY:
                    told = time.monotonic()
                    click.echo(f"{done} of {number} notices", err=True)
        except KeyboardInterrupt:
            click.echo(f"\nStopped after {done} of {number} notices, whose jobs will run. Go on "
                       f"with the same command and --label {replay.label}.", err=True)
            raise
    if asked.here:
        _run_here(replay.label, 60.0 if asked.wait is None else asked.wait)
    elif asked.wait:
        _wait_for(replay.label, asked.wait)
    _tell(asked, replay.label, done)


@contextmanager
def _opened(asked: Asked, chosen: Range) -> Iterator[tuple[int, Iterator[list[Again]]]]:
    from .. import replays

    if not asked.kafka:
        yield replays.from_ledger(chosen)
        return
    from dataclasses import replace

    from ..conf import settings
    from ..errors import ReplayError
    from ..listeners.kafka import topics
    from ..listeners.kafka_rewind import rewind

    known = settings().kafka
    source = chosen.source or (f"kafka.{next(iter(known))}" if len(known) == 1 else None)
    cluster = known.get((source or "").removeprefix("kafka."))
    if source is None or cluster is None:
        raise ReplayError(
            "--kafka reads a Kafka cluster of the settings: name it with --source "
            f"({', '.join(f'kafka.{name}' for name in known) or 'none is configured'})")
    if not chosen.topics:
        chosen = replace(chosen, topics=tuple(sorted(topics(cluster))))
    with rewind(source, cluster, chosen, skip_missing=not asked.topics) as found:
        if not found.number:
            raise ReplayError(f"Kafka has no message{replays.described(chosen)}")
        yield found.number, (replays.look_up(page) for page in found.pages())


def _show_plan(asked: Asked, replay: Replay, pages: Iterator[list[Again]]) -> None:
    planned, notices = [], 0
    for page in pages:
        notices += len(page)
        planned += replay.plan(page)
    if asked.json:
        as_json({"label": None, "dry_run": True, "notices": notices,
                 "calls": [asdict(call) for call in planned]})
        return
    as_table("", ("notice", "topic", "offset", "handler", "would"), [
        (call.notice or "new", call.topic, call.offset, call.handler, short(call.what))
        for call in planned[:SHOWN]], "No handler wants any of them.")
    if len(planned) > SHOWN:
        click.echo(f"... and {len(planned) - SHOWN} more; --json shows all.")
    click.echo(f"{notices} notices, {len(planned)} calls. Nothing was changed.")


def _run_here(label: str, wait: float) -> None:
    import importlib

    from .. import jobs
    from ..app import MODULES
    from ..ledger.engine import read
    from ..ledger.ranges import left

    for module in MODULES:
        importlib.import_module(module)
    deadline = time.monotonic() + wait
    before = None
    while True:
        with read() as connection:
            found = left(connection, label)
        if not found:
            return
        if found != before:
            before, deadline = found, time.monotonic() + wait
        elif time.monotonic() > deadline:
            return
        else:
            time.sleep(0.1)
        now = time.time()
        for job in found:
            if job.due <= now and job.state != "running":
                jobs.run(job.id)


def _wait_for(label: str, wait: float) -> None:
    from ..ledger import jobs as rows
    from ..ledger.engine import read

    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        with read() as connection:
            if not rows.unfinished(connection, replay=label):
                return
        time.sleep(0.2)


def _tell(asked: Asked, label: str, notices: int) -> None:
    from ..ledger.engine import read
    from ..ledger.ranges import tally

    with read() as connection:
        found = tally(connection, label)
    dead = sum(states.get("dead", 0) for states in found.values())
    left = sum(n for states in found.values() for state, n in states.items()
               if state not in ("done", "dead"))
    if asked.json:
        as_json({"label": label, "dry_run": False, "notices": notices, "jobs": found})
    else:
        as_table("", ("handler", "jobs"), [
            (handler, ", ".join(f"{n} {state}" for state, n in sorted(states.items())))
            for handler, states in found.items()], "No handler wants any of them.")
        click.echo(f"{notices} notices replayed as {label}; see `gwbroker jobs --replay {label}`.")
    if left and (asked.here or asked.wait):
        click.echo(f"{left} jobs are not finished: they wait for a worker, for earlier jobs about "
                   "the same source (`gwbroker jobs`), or for their next try.", err=True)
    if dead:
        raise SystemExit(1)
