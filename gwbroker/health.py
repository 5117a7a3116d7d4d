"""Health: what `gwbroker doctor` looks at, each check by itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .conf import mask_url, settings
from .errors import ConfigError, GWBrokerError
from .finding import Finding, Level
from .health_ledger import disk, ledger
from .streams import gcn
from .streams.registry import QUEUES

if TYPE_CHECKING:
    from .ledger.streams import StreamState

__all__ = ["Finding", "Level", "ago", "examine", "stream_states"]

DEAD_NAMED = 3
"""Most handlers and tasks with dead jobs that are named."""

SWEEP_LATE = 30.0
"""Seconds without a sweep of the ledger after which something is wrong."""


def examine() -> list[Finding]:
    """Return every finding; the worst level is the state of the broker."""
    found: list[Finding] = []
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _settings, _handlers, ledger, disk, _redis, _workers, _beat, _listeners, _groups,
        _topics, _streams, _jobs)
    for check in checks:
        name = check.__name__.strip("_")
        if check in _OF_LEDGER and any(
                f.check == "ledger" and f.level is Level.CRITICAL for f in found):
            continue
        try:
            found.extend(check())
        # Whatever a check trips over is what the user wants to hear from it.
        except Exception as e:
            text = str(e) if isinstance(e, GWBrokerError) else f"{type(e).__name__}: {e}"
            if not any(f.text == text for f in found):
                found.append(Finding(name, Level.CRITICAL, text))
            if name == "settings" or isinstance(e, ConfigError):
                return found
        if name == "ledger" and found[-1].level is Level.CRITICAL:
            found.append(Finding(
                "listeners", Level.CRITICAL, "they, Beat and all jobs wait for the ledger, and go "
                "on by themselves once it can be written; what they did last stands in it"))
    return found


def _settings() -> Iterator[Finding]:
    from .conf import config_file
    from .shown import exposed_secrets

    sources = ", ".join(settings().sources)
    file = config_file() or "no file"
    if sources:
        yield Finding("settings", Level.OK, f"read from {file}; sources: {sources}")
    else:
        yield Finding("settings", Level.WARNING,
                      f"read from {file}; no source is configured, so nothing can arrive: add a "
                      "[kafka.NAME] or [vtp.NAME] table")
    exposed = exposed_secrets()
    if exposed:
        yield Finding("secrets", Level.WARNING,
                      f"{file} holds {', '.join(exposed)} and can be read by others: run "
                      f"`chmod 600 {file}`")


def _handlers() -> Iterator[Finding]:
    from . import dispatch

    yield Finding("handlers", Level.OK, f"{len(dispatch.load())} handlers are installed here")


def _redis() -> Iterator[Finding]:
    from .embedded.redis import answers

    url = mask_url(settings().redis_url)
    if answers(settings().redis_url):
        yield Finding("redis", Level.OK, f"{url} answers")
    else:
        remedy = "check that it runs" if settings().broker_url else \
            "start `gwbroker up`, or set GWBROKER_BROKER_URL"
        yield Finding("redis", Level.CRITICAL, f"{url} does not answer: {remedy}")


def _workers() -> Iterator[Finding]:
    from .embedded.redis import answers

    if not answers(settings().redis_url):
        return
    from .app import app

    replies = app.control.inspect(timeout=1.5).active_queues() or {}
    serving: dict[str, list[str]] = {queue: [] for queue in QUEUES}
    for worker, queues in sorted(replies.items()):
        for queue in queues:
            serving.setdefault(queue["name"], []).append(worker)
    for queue in QUEUES:
        workers = serving[queue]
        if workers:
            yield Finding(f"worker {queue}", Level.OK, f"served by {', '.join(workers)}")
        else:
            command = "gwbroker worker" + (f" -Q {queue}" if queue in ("openmp", "events") else "")
            yield Finding(f"worker {queue}", Level.CRITICAL,
                          f"no worker serves this queue: start `{command}`")


def _beat() -> Iterator[Finding]:
    from .ledger import leases

    row = next((r for r in leases.listing() if r["name"] == "gwbroker.tasks.upkeep.sweep"), None)
    if row is None:
        yield Finding("beat", Level.CRITICAL, "it has never run: start `gwbroker beat`")
        return
    age = float(row["now"]) - row["started"]
    level = Level.CRITICAL if age > SWEEP_LATE else Level.OK
    remedy = ": is `gwbroker beat` running, and a worker that serves `listeners`?" if level else ""
    yield Finding("beat", level, f"the ledger was swept {ago(row['started'])}{remedy}")


def _listeners() -> Iterator[Finding]:
    from .ledger import leases

    rows = {row["name"]: row for row in leases.listing()}
    last = _last_messages()
    sources = _readers()
    for source in settings().sources:
        row = rows.get(f"gwbroker.listeners.{source}")
        latest = last.get(sources.get(source, source))
        heard = "no message yet" if latest is None else f"last message {ago(latest)}"
        if row is None:
            yield Finding(source, Level.CRITICAL,
                          "its listener has never run: start `gwbroker beat` and `gwbroker worker`")
        elif not row["held"]:
            why = f": {row['error']}" if row["error"] else ""
            yield Finding(source, Level.CRITICAL,
                          f"its listener does not run ({row['state']}, {row['failures']} failures "
                          f"in a row){why}; {heard}")
        elif row["error"]:
            yield Finding(source, Level.CRITICAL if row["state"] == "trouble" else Level.WARNING,
                          f"{row['state']}: {row['error']}; {heard}")
        else:
            yield Finding(source, Level.OK,
                          f"{row['state']} on {row['host']} (pid {row['pid']}); {heard}")
    yield from _shares(rows)


def _shares(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Look whether all hosts have the same idea of who reads: else partitions are left out."""
    remedy = "give all hosts the same settings and restart their workers, or messages are left out"
    for name, row in rows.items():
        source = name.removeprefix("gwbroker.listeners.")
        if not row["held"] or not source.startswith("kafka."):
            continue
        where = f"on {row['host']} (pid {row['pid']})"
        if source not in settings().sources:
            yield Finding(source, Level.WARNING,
                          f"it runs {where}, and is not in these settings: {remedy}")
            continue
        cluster = settings().kafka[_readers()[source].removeprefix("kafka.")]
        shared = re.search(r"as one of (\d+) readers", row["state"] or "")
        if row["state"] and int(shared[1] if shared else 1) != cluster.readers \
                and row["state"].startswith("reads "):
            yield Finding(source, Level.WARNING,
                          f"it reads {where} as one of {shared[1] if shared else 1}, and readers "
                          f"is {cluster.readers} in these settings: {remedy}")


def _readers() -> dict[str, str]:
    """Return the source of each reader of a Kafka cluster by the reader's name."""
    return {reader: f"kafka.{name}" for name, cluster in settings().kafka.items()
            for reader in cluster.reader_names(f"kafka.{name}")}


def stream_states() -> list[StreamState]:
    """Return how every topic of every source fares.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be asked.
    """
    from .ledger import streams
    from .ledger.engine import read

    with read() as connection:
        return streams.overview(connection, _readers())


def _groups() -> Iterator[Finding]:
    for name, cluster in settings().kafka.items():
        if cluster.group_looks_random:
            yield Finding(f"kafka.{name} group", Level.WARNING,
                          f"its group_id {cluster.group_id} looks random: with a new one at each "
                          "start nothing resumes; give it one that stays")


def _topics() -> Iterator[Finding]:
    missing: dict[str, int] = {}
    for row in stream_states():
        if row.state == "failing":
            yield Finding(f"{row.source} topic", Level.WARNING,
                          f"{row.topic} cannot be read: {row.problem}")
        elif row.state == "missing":
            missing[row.source] = missing.get(row.source, 0) + 1
    for source, number in missing.items():
        yield Finding(f"{source} topics", Level.OK,
                      f"{number} not there yet, and waited for: see `gwbroker streams --all`")


def _last_messages() -> dict[str, float]:
    from .ledger import streams
    from .ledger.engine import read

    last: dict[str, float] = {}
    with read() as connection:
        for row in streams.listing(connection):
            last[row["source"]] = max(last.get(row["source"], 0.0), row["last_received"])
    return last


def _streams() -> Iterator[Finding]:
    from .ledger import streams
    from .ledger.engine import read

    heartbeat = {}
    with read() as connection:
        for row in streams.listing(connection):
            if row["topic"] == gcn.HEARTBEAT:
                heartbeat[row["source"]] = row["last_received"]
    for name, cluster in settings().kafka.items():
        if not (cluster.preset or "").startswith("gcn"):
            continue
        source = f"kafka.{name}"
        if source not in heartbeat:
            yield Finding(f"{source} heartbeat", Level.CRITICAL,
                          "GCN's heartbeat has never been heard")
            continue
        age = time.time() - heartbeat[source]
        level = Level.CRITICAL if age > settings().stale_after else Level.OK
        yield Finding(f"{source} heartbeat", level,
                      f"GCN's heartbeat was heard {ago(heartbeat[source])}")


def _jobs() -> Iterator[Finding]:
    from .ledger import jobs as rows
    from .ledger.engine import read

    with read() as connection:
        counts = rows.counts(connection)
        stuck, dead = rows.stuck(connection), rows.dead(connection)
    total = {state: sum(c.get(state, 0) for c in counts.values())
             for state in ("pending", "sent", "running", "waiting", "dead")}
    alive = ", ".join(f"{n} {state}" for state, n in total.items() if n and state != "dead")
    yield Finding("jobs", Level.OK, alive or "none unfinished")
    if dead:
        most = ", ".join(f"{row['number']} of {row['handler']}" for row in dead[:DEAD_NAMED])
        newest = dead[0]
        error = " ".join(str(newest["error"]).split())[:300].rstrip(".")
        yield Finding("dead jobs", Level.WARNING,
                      f"{sum(row['number'] for row in dead)} jobs are dead: {most}"
                      f"{', and others' if len(dead) > DEAD_NAMED else ''}; the newest, "
                      f"{newest['newest']}, says: {error}. See `gwbroker jobs "
                      "--state dead`, then `gwbroker jobs retry ID`, or `dismiss ID`")
    for row in stuck:
        yield Finding("stuck jobs", Level.CRITICAL,
                      f"{row['number']} jobs of {row['handler']} were sent up to {row['sends']} "
                      f"times and never started: is it installed on the workers of queue "
                      f"{row['queue']}?")


_OF_LEDGER = (_beat, _listeners, _topics, _streams, _jobs)
"""Checks of what the ledger says."""


def ago(moment: float) -> str:
    """Return how long ago a time was, as people say it."""
    age = max(0.0, time.time() - moment)
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if age > 2 * seconds:
            return f"{age / seconds:.0f} {unit} ago"
    return f"{age:.0f} s ago"
