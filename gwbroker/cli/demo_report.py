"""What the demo shows at its end, and what it finds missing."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ledger import events as event_rows
from ..ledger import jobs as job_rows
from ..ledger import notices as notice_rows
from ..ledger.engine import read
from . import demo_products
from .events import area
from .output import short

if TYPE_CHECKING:
    from rich.console import Console

    from ..samples import Sample


def copy_products(output: Path) -> Path:
    """Copy the products out of the demo's home; return the folder.

    What an earlier demo left there goes, and nothing else does.
    """
    from ..products import folder

    marker = output / ".made-by-gwbroker-demo"
    if marker.exists():
        for name in marker.read_text().splitlines():
            shutil.rmtree(output / name, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    made = sorted(path.name for path in folder().iterdir()) if folder().is_dir() else []
    marker.write_text("\n".join(made))
    if folder().is_dir():
        shutil.copytree(folder(), output, dirs_exist_ok=True)
    return output.absolute()


def _by_name(jobs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return how many jobs there were of each handler and task; failed ones each by itself."""
    counts = Counter((j["handler"].removeprefix("gwbroker."), j["state"], j["queue"],
                      short(j["error"], 60)) for j in jobs)
    return [(str(number), state, name, queue, error)
            for (name, state, queue, error), number in counts.items()]


def _rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    with read() as connection:
        return (notice_rows.listing(connection, limit=1000),
                job_rows.listing(connection, limit=10_000),
                event_rows.listing(connection, limit=1000))


def show(console: Console, samples: list[Sample], folder: Path, seconds: float) -> None:
    """Show notices, jobs, events, times, and where the pictures are."""
    notices, jobs, events = _rows()
    console.print()
    console.print(_table(
        "Notices", ("id", "road", "topic", "bytes", "what it is"),
        [(str(n["id"]), n["source"], n["topic"], f"{n['size']:,}", _relation(n))
         for n in notices]))
    console.print(_table(
        "Jobs", ("jobs", "state", "handler or task", "queue", "error"), _by_name(jobs)))
    console.print(_table(
        "Events", ("id", "name", "kind", "role", "state", "90 % area", "distance", "pictures"),
        [(str(e["id"]), e["name"], e["kind"], e["role"], e["state"], area(e), _distance(e),
          str(sum(p["path"].endswith(".png") for p in e["products"]) or "")) for e in events]))
    console.print(_table(
        "After people were told",
        ("event", "90 % volume", "made-up galaxies", "seen that night from", "plan"),
        [demo_products.annotated(e) for e in events if "observability" in e["facts"]]))
    console.print(_table(
        "Coincidences", ("events", "apart", "by chance, times only", "overlap",
                         "by chance, with positions", "publish"),
        demo_products.coincidences(events)))
    for event in events:
        for flag in event["flags"]:
            console.print(f"[yellow]flag[/yellow]  {event['name']}, notice {flag['notice']}: ",
                          flag["problem"], markup=True)
    console.print(_times(notices, jobs))
    pictures = [p for e in events for p in e["products"] if p["path"].endswith(".png")]
    console.print(f"{len(samples)} messages sent, {len(notices)} kept, {len(jobs)} jobs, "
                  f"{len(events)} events, {len(pictures)} pictures in {seconds:.1f} s.")
    console.print(f"The pictures, maps and summaries are in [bold]{folder}[/bold]")


def _table(title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold",
                         justify="right" if column in ("id", "bytes", "90 % area") else "left")
    colours = {"dead": "red", "done": "green", "retracted": "yellow"}
    for row in rows:
        table.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in row))
    return table


def _relation(notice: dict[str, Any]) -> str:
    if notice["duplicate_of"]:
        return f"duplicate of {notice['duplicate_of']}"
    if notice["revision_of"]:
        return f"revision of {notice['revision_of']}"
    return "new"


def _distance(event: dict[str, Any]) -> str:
    mean, spread = event["facts"].get("distmean"), event["facts"].get("diststd")
    return f"{mean:.0f} ± {spread:.0f} Mpc" if mean and spread else ""


def _times(notices: list[dict[str, Any]], jobs: list[dict[str, Any]]) -> str:
    received = {n["id"]: n["received"] for n in notices}
    started = [(j["started"] - received[j["notice"]]) * 1e3 for j in jobs
               if j["started"] and j["notice"] and j["key"] and j["key"][0].isdigit()]
    drawn = [j["finished"] - received[j["notice"]] for j in jobs
             if j["handler"].endswith(".plot") and j["finished"]]
    return (f"From arrival to handler: {_spread(started, 'ms', 0)}. "
            f"From arrival to picture: {_spread(drawn, 's', 1)} "
            "(one OpenMP worker draws them one after the other); what follows comes when no "
            "alert waits.")


def _spread(values: list[float], unit: str, digits: int) -> str:
    if not values:
        return "none"
    ordered = sorted(values)
    return (f"median {ordered[len(ordered) // 2]:.{digits}f} {unit}, "
            f"longest {ordered[-1]:.{digits}f} {unit}")


def missing(samples: list[Sample]) -> list[str]:
    """Return what did not come out as the samples say that it should."""
    notices, jobs, events = _rows()
    by_digest: dict[str, list[dict[str, Any]]] = {}
    for notice in notices:
        by_digest.setdefault(notice["sha256"], []).append(notice)
    dead = {job["notice"] for job in jobs if job["state"] == "dead"}
    with_event = {number for event in events for number in event["notices"]}
    flagged = {flag["notice"] for event in events for flag in event["flags"]}
    found = []
    for sample in samples:
        kept = by_digest.get(hashlib.sha256(sample.payload()).hexdigest(), [])
        ids = {notice["id"] for notice in kept}
        fine = {
            "event": bool(ids & with_event) and not ids & dead,
            "duplicate": any(notice["duplicate_of"] for notice in kept),
            "dead": bool(ids & dead),
            "flagged": bool(ids & flagged),
            "kept": bool(ids) and not ids & dead,
        }[sample.expect]
        if not fine:
            found.append(f"{sample.file} ({sample.road}): expected {sample.expect}, "
                         f"notices {sorted(ids) or 'none'}")
    found += demo_products.missing(events)
    if not any(event["products"] for event in events):
        found.append("no event has a sky map")
    return found
