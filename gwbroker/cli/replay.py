"""``gwbroker replay``: recorded messages, and notices once more, through the broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ..notice import Notice
from .output import NUMBER, as_json, as_table, short
from .replay_range import Asked, Moment, Offsets, replay_range

STREAMS = ("gcn", "igwn", "voevent", "kafka")


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1,
                type=click.Path(exists=True, path_type=Path))
@click.option("--source", help="Notices of one source, as `gcn` or `kafka.gcn`.")
@click.option("--from", "since", type=Moment(), metavar="TIME",
              help="Notices from a day or time on, as 2026-11-01 or 2026-11-01T12:30:00Z; UTC.")
@click.option("--to", "until", type=Moment(), metavar="TIME",
              help="Up to a time, or the beginning of a day; not included.")
@click.option("--topic", "topics", multiple=True,
              help="Notices of one Kafka topic; may be repeated. With FILE: the topic by which "
                   "they are said to have come.")
@click.option("--partition", type=click.IntRange(0, 2**31 - 1),
              help="Only those in one partition of --topic.")
@click.option("--offsets", type=Offsets(), metavar="FIRST:END",
              help="Only those with these offsets; END is not included.")
@click.option("--last", type=NUMBER, metavar="N", help="Only the newest N of these.")
@click.option("--ledger/--kafka", "ledger", default=True, show_default=True,
              help="Read them from the ledger, or once more from Kafka; the listener there goes "
                   "on where it is.")
@click.option("--handler", "handlers", multiple=True,
              help="Call only this handler; may be repeated.")
@click.option("--tell", is_flag=True,
              help="Also call handlers and tasks that tell people or publish.")
@click.option("--label", help="Go on with an earlier replay, or name this one; what a replay has "
                              "done it does not do twice.")
@click.option("--dry-run", is_flag=True, help="Show which handlers would run; change nothing.")
@click.option("--stream", type=click.Choice(STREAMS),
              help="With FILE: which family the messages belong to.")
@click.option("--here", is_flag=True,
              help="Run the jobs in this process; needs neither Redis nor workers.")
@click.option("--wait", type=float,
              help="Seconds to wait for workers to run the jobs, or with --here for those not due "
                   "yet; 0: do not wait. Default: 60 with FILE or --here, else 0.")
@click.option("--json", "json_", is_flag=True,
              help="Write a JSON array, or an object without FILE.")
def replay(
    files: tuple[Path, ...], source: str | None, since: datetime | None, until: datetime | None,
    topics: tuple[str, ...], partition: int | None,
    offsets: tuple[int | None, int | None] | None, last: int | None, ledger: bool,
    handlers: tuple[str, ...], tell: bool, label: str | None, dry_run: bool, stream: str | None,
    here: bool, wait: float | None, json_: bool,
) -> None:
    """Put recorded messages through the broker, or notices that it had once more.

    With FILE (XML, JSON, Avro): as if they came now. The stream is guessed from the
    content; folders are read file by file. A message that the ledger has seen before
    adds no job. Exit code 1 if any job died, or if a file named here is no message;
    such files in a folder are passed over.

    Without FILE: notices that the ledger has, or Kafka still has, are handed to their
    handlers again, behind everything live. Nobody is told, unless you say --tell.
    """
    asked = Asked(source, topics, since, until, partition, offsets, last, not ledger, handlers,
                  label, tell, dry_run, here, wait, json_)
    _check(files, asked, stream)
    if here:
        import logging

        from .. import jobs
        from ..conf import settings
        from ..oneline import attach

        jobs.stay_here()
        logging.basicConfig(level=settings().log_level, format="%(name)s: %(message)s")
        attach(logging.getLogger())
    if files:
        _replay_files(files, stream, topics[0] if topics else None, here,
                      60.0 if wait is None else wait, json_)
    else:
        replay_range(asked)


def _check(files: tuple[Path, ...], asked: Asked, stream: str | None) -> None:
    ranged = {"--source": asked.source, "--from": asked.since, "--to": asked.until,
              "--last": asked.last, "--offsets": asked.offsets}
    other = {**ranged, "--partition": asked.partition, "--kafka": asked.kafka,
             "--handler": asked.handlers, "--tell": asked.tell, "--label": asked.label,
             "--dry-run": asked.dry_run}
    if files:
        wrong = [name for name, value in other.items() if value not in (None, (), False)]
        if wrong:
            raise click.UsageError(f"{wrong[0]} is not for files.")
        if len(asked.topics) > 1:
            raise click.UsageError("With files give --topic once.")
        return
    if stream is not None:
        raise click.UsageError("--stream is for files.")
    if all(value is None for value in ranged.values()) and not asked.topics:
        raise click.UsageError("Name files, or say which notices: --source, --topic, --from and "
                               "--to, --offsets, --last.")


def _replay_files(
    files: tuple[Path, ...], stream: str | None, topic: str | None, here: bool, wait: float,
    json_: bool,
) -> None:
    from .. import intake, jobs
    from ..conf import settings
    from ..ledger import events as event_rows
    from ..ledger import jobs as job_rows
    from ..ledger.engine import read
    from ..streams.guess import guess

    results: list[dict[str, Any]] = []
    numbers = []
    for file in _each(files):
        size = file.stat().st_size
        if size > settings().max_message:
            results.append({"file": str(file), "ok": file not in files, "result":
                            f"its {size} bytes are more than max_message in the settings "
                            f"({settings().max_message})"})
            continue
        payload = file.read_bytes()
        guessed = topic or guess(payload, file.name, stream)
        if guessed is None:
            results.append({"file": str(file), "result": "not a message: neither XML, JSON nor "
                            "Avro; name it with --stream and --topic", "ok": file not in files})
            continue
        kept = intake.accept([Notice(payload, source="replay", topic=guessed)])[0]
        assert kept is not None, "what is replayed from a file is always kept"
        results.append({"file": str(file), "topic": guessed, "notice": kept.id,
                        "root": kept.root, "ok": True})
        numbers.append(kept.root)
    _finish(jobs, job_rows, read, numbers, here, wait)
    with read() as connection:
        for result in results:
            if "root" in result:
                root = result.pop("root")
                result.update(_outcome(
                    result["notice"], root, job_rows.listing(connection, notice=root),
                    event_rows.listing(connection, notice=root)))
    if json_:
        as_json(results)
    else:
        as_table("", ("file", "notice", "result"), [
            (Path(r["file"]).name, r.get("notice"), short(r["result"], 110)) for r in results], "")
    if not all(r["ok"] for r in results):
        raise SystemExit(1)


def _each(files: tuple[Path, ...]) -> Iterator[Path]:
    for file in files:
        if file.is_dir():
            yield from (f for f in sorted(file.rglob("*"))
                        if f.is_file() and not f.name.startswith("."))
        else:
            yield file


def _finish(
    jobs: Any, rows: Any, read: Any, notices: list[int], here: bool, wait: float,
) -> None:
    from .. import dispatch, running

    dispatch.load()
    if here:
        import importlib

        from ..app import MODULES

        for module in MODULES:
            importlib.import_module(module)
        with running.alone():
            _until_done(jobs, rows, read, notices, here, wait)
    else:
        _until_done(jobs, rows, read, notices, here, wait)


def _until_done(
    jobs: Any, rows: Any, read: Any, notices: list[int], here: bool, wait: float,
) -> None:
    deadline = time.monotonic() + wait
    before = None
    while True:
        with read() as connection:
            left = [job for number in notices
                    for job in rows.listing(connection, notice=number)
                    if job["state"] in ("pending", "sent", "waiting", "running")]
        if not left:
            return
        pause = 0.05
        if here:
            began, now = time.monotonic(), time.time()
            for job in left:
                if job["due"] <= now:
                    jobs.run(job["id"])
            deadline += time.monotonic() - began  # To work is not to wait.
            state = [(job["id"], job["state"], job["attempts"]) for job in left]
            if state != before:
                before = state
                continue
            pause = max(pause, min(job["due"] for job in left) - now)
        rest = deadline - time.monotonic()
        # Here nothing else ends a job: what is due too late need not be waited for.
        if rest <= 0 or (here and pause > rest):
            return
        time.sleep(min(pause, rest))


def _outcome(
    notice: int, root: int, jobs: list[dict[str, Any]], events: list[dict[str, Any]],
) -> dict[str, Any]:
    dead = [job for job in jobs if job["state"] == "dead"]
    left = [job for job in jobs if job["state"] not in ("done", "dead")]
    made = {
        "jobs": [{"id": j["id"], "handler": j["handler"], "state": j["state"]} for j in jobs],
        "events": [event["id"] for event in events],
    }
    parts = []
    if notice != root:
        parts.append(f"duplicate of {root}")
    if events:
        parts += [f"event {event['id']} ({event['name']}, {event['kind']}, {event['role']}"
                  f"{', retracted' if event['state'] == 'retracted' else ''})"
                  for event in events]
        parts += [flag["problem"] for event in events for flag in event["flags"]
                  if flag["notice"] == root]
    if dead:
        parts += [f"job {job['id']} is dead: {job['error']}" for job in dead]
    if left and min(job["due"] for job in left) > time.time():
        parts.append(f"{len(left)} due later: `gwbroker up` runs "
                     f"{'it' if len(left) == 1 else 'them'}")
    elif left:
        parts.append(f"{len(left)} jobs wait: is `gwbroker up` running?")
    if not jobs:
        parts.append("kept; no handler wants it")
    elif not parts:
        parts.append("kept; handled by " + ", ".join(j["handler"] for j in jobs)
                     + ", which opened no event")
    return {**made, "result": "; ".join(parts), "ok": not dead}
