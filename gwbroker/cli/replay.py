"""``gwbroker replay``: recorded messages through the same intake as live ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..notice import Notice
from .output import as_json, as_table, short

STREAMS = ("gcn", "igwn", "voevent", "kafka")


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=click.Path(exists=True, path_type=Path))
@click.option("--stream", type=click.Choice(STREAMS), help="Which family the messages belong to.")
@click.option("--topic", help="The Kafka topic by which they are said to have come.")
@click.option("--here", is_flag=True,
              help="Run the jobs in this process; needs neither Redis nor workers.")
@click.option("--wait", default=60.0, show_default=True,
              help="Seconds to wait for workers to run the jobs, or with --here for those not due "
                   "yet; 0: do not wait.")
@click.option("--json", "json_", is_flag=True, help="Write a JSON array.")
def replay(
    files: tuple[Path, ...], stream: str | None, topic: str | None, here: bool, wait: float,
    json_: bool,
) -> None:
    """Put recorded messages (XML, JSON, Avro) through the broker, as if they came now.

    The stream is guessed from the content; folders are read file by file. A message
    that the ledger has seen before adds no job. Exit code 1 if any job died, or if a
    file named here is no message; such files in a folder are passed over.
    """
    from .. import intake, jobs
    from ..ledger import events as event_rows
    from ..ledger import jobs as job_rows
    from ..ledger.engine import read
    from ..streams.guess import guess

    if here:
        import logging

        from ..conf import settings

        jobs.stay_here()
        logging.basicConfig(level=settings().log_level, format="%(name)s: %(message)s")
    results: list[dict[str, Any]] = []
    numbers = []
    for file in _each(files):
        payload = file.read_bytes()
        guessed = topic or guess(payload, file.name, stream)
        if guessed is None:
            results.append({"file": str(file), "result": "not a message: neither XML, JSON nor "
                            "Avro; name it with --stream and --topic", "ok": file not in files})
            continue
        kept = intake.accept([Notice(payload, source="replay", topic=guessed)])[0]
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
    from .. import dispatch

    dispatch.load()
    if here:
        import importlib

        from ..app import MODULES

        for module in MODULES:
            importlib.import_module(module)
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
        if rest <= 0:
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
    if left:
        parts.append(f"{len(left)} jobs wait: is `gwbroker up` running?")
    if not jobs:
        parts.append("kept; no handler wants it")
    elif not parts:
        parts.append("kept; handled by " + ", ".join(j["handler"] for j in jobs)
                     + ", which opened no event")
    return {**made, "result": "; ".join(parts), "ok": not dead}
