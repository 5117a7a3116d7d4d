"""Event book-keeping: finding or opening the event that a notice is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ..jobs import current_notice, outbox, task
from ..ledger import events as rows
from ..ledger.engine import write
from ..notice import Notice
from ..report import Report, pack

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
        revision = rows.link(connection, number, notice.id, alert, issued)
        event = rows.get(connection, number)
        history = rows.history(connection, number)
        rows.change(connection, number, merge(event, history, notice.id, report))
        if report.localization is not None:
            box.submit("gwbroker.tasks.skymaps.localize", number, notice.id, revision,
                       pack(report.localization), key=f"localize:{number}:{notice.id}",
                       notice=notice.id)
    return number


def merge(
    event: dict[str, Any], history: Sequence[dict[str, Any]], notice: int, report: Report,
) -> dict[str, Any]:
    """Return what a report changes of an event's row.

    Parameters
    ----------
    event : dict
        The row as it stands.
    history : sequence of dict
        The notices about the event, this one included, each with ``notice_id``,
        ``alert``, ``issued`` (s) and ``revision``.
    notice : int
        The notice that reports.
    report : Report
        What it says.
    """
    told = [row for row in history if row["alert"] != CIRCULAR]
    latest = max(told, key=lambda row: (row["issued"] or 0.0, row["revision"]))
    facts = {k: v for k, v in report.facts.items() if v is not None}
    news = latest["notice_id"] == notice
    values: dict[str, Any] = {
        "facts": {**event["facts"], **facts} if news else {**facts, **event["facts"]},
        "state": "retracted" if latest["alert"] == RETRACTION else "open",
        "flags": [f for f in event["flags"] if f["notice"] != notice]
        + [{"notice": notice, "problem": flag} for flag in report.flags],
    }
    if news:
        values["role"] = report.role
        if report.t0 is not None:
            values["t0"] = _seconds(report.t0)
        if not report.retracted:
            values["name"] = report.name
            values["kind"] = report.kind
    elif event["t0"] is None:
        values["t0"] = _seconds(report.t0)
    return values


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
