"""Event book-keeping: finding or opening the event that a notice is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ..jobs import current_notice, outbox, task
from ..ledger import events as rows
from ..ledger.engine import write
from ..notice import Notice
from ..report import Report, pack
from . import coincidences, downloads, skymaps

RETRACTION = "retraction"
CIRCULAR = "circular"


def record(notice: Notice, report: Report) -> int:
    """Find or open the event that a notice reports, and bring it up to date.

    It may run twice, and reports may come in any order: what the latest one (by the
    time its sender issued it) says is what stands.

    Parameters
    ----------
    notice : Notice
        A kept notice.
    report : Report
        What it says.

    Returns
    -------
    int
        The number of the event.

    Raises
    ------
    LedgerUnavailable
        If it could not be written.
    """
    if notice.id is None:
        raise ValueError("the notice is not in the ledger; accept() it first")
    issued = _seconds(report.issued or notice.sent or notice.received)
    alert = RETRACTION if report.retracted else report.alert
    with outbox() as box:
        connection = box.connection
        number, _ = rows.find_or_open(
            connection, report.identifiers, name=report.name, kind=report.kind, role=report.role,
            state="open", t0=_seconds(report.t0))
        revision = rows.link(connection, number, notice.id, alert, issued, said(report))
        event = rows.get(connection, number, hold=True)
        history = rows.history(connection, number)
        flags = [f for f in event["flags"] if f["notice"] != notice.id] + [
            {"notice": notice.id, "problem": flag} for flag in report.flags]
        merged = merge(history)
        rows.change(connection, number, {
            # What tasks have found out, such as areas, stays.
            **merged, "facts": {**event["facts"], **merged["facts"],
                                **_place(event["facts"], history)},
            "flags": sorted(flags, key=lambda flag: flag["notice"])})
        if report.localization is not None:
            box.submit(skymaps.localize, number, notice.id, revision,
                       pack(report.localization), key=f"localize:{number}:{notice.id}",
                       notice=notice.id)
        if merged.get("t0") is not None:
            # Also if a map is to come, after which it is compared again: that may take long,
            # or the map may be one that nobody can read.
            box.submit(coincidences.coincide, number, notice=notice.id,
                       key=f"coincide:{number}:{notice.id}")
        downloads.ask(box, number, notice.id, revision, report.maps)
    return number


def said(report: Report) -> dict[str, Any]:
    """Return what a report says of its event, as JSON values."""
    return {"name": report.name, "kind": report.kind, "role": report.role,
            "t0": _seconds(report.t0),
            "facts": {k: v for k, v in report.facts.items() if v is not None}}


def merge(history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what all notices about an event say together, whatever order they came in.

    Parameters
    ----------
    history : sequence of dict
        The notices about the event, each with ``alert``, ``issued`` (s), ``revision`` and
        ``said``, None for those that only mention it.

    Returns
    -------
    dict
        ``state``, ``role``, ``name``, ``kind``, ``t0`` (s) and ``facts``: of each the latest
        that was said.
    """
    told = sorted((row for row in history if row["said"] is not None),
                  key=lambda row: (row["issued"] or 0.0, row["revision"]))
    values: dict[str, Any] = {"t0": None}
    facts: dict[str, Any] = {}
    for row in told:
        retracted = row["alert"] == RETRACTION
        values["state"] = "retracted" if retracted else "open"
        for key, value in row["said"].items():
            # A retraction often has no more than a name.
            if key == "facts":
                facts |= value
            elif value is not None and not (retracted and key in ("name", "kind")
                                            and key in values):
                values[key] = value
    return {**values, "facts": facts}


def _place(facts: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the position of the map that stands, unless a later notice tells another."""
    issued = {row["notice_id"]: (row["issued"] or 0.0, row["revision"]) for row in history}
    stands = issued.get(facts.get("skymap_notice"))
    if stands is None or any(
            row["said"] is not None and "ra" in row["said"]["facts"]
            and issued[row["notice_id"]] > stands for row in history):
        return {}
    return {key: facts[key] for key in ("ra", "dec") if key in facts}


def attach(notice: Notice, names: Sequence[str], alert: str = CIRCULAR) -> int | None:
    """Link a notice to the event with one of these names or identifiers, if there is one.

    Returns its number, or None.

    Raises
    ------
    LedgerUnavailable
        If it could not be written.
    """
    if notice.id is None:
        raise ValueError("the notice is not in the ledger; accept() it first")
    with write() as connection:
        return _attach(connection, notice.id, names, alert, notice.sent or notice.received)


@task()
def attach_later(names: list[str]) -> None:
    """Try again to link a circular to its event; the job's notice is the circular."""
    notice = current_notice()
    with write() as connection:
        _attach(connection, notice.id or 0, names, CIRCULAR, notice.sent or notice.received)


def _attach(
    connection: Connection, notice: int, names: Sequence[str], alert: str, moment: datetime,
) -> int | None:
    for name in names:
        number = rows.search(connection, name)
        if number is not None:
            rows.link(connection, number, notice, alert, _seconds(moment))
            return number
    return None


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
