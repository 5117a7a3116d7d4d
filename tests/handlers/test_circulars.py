"""A circular acts once however often GCN sends it; an edit of it acts again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gwbroker import jobs
from gwbroker.intake import accept
from gwbroker.ledger import events as event_rows
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger.engine import read
from gwbroker.notice import Notice
from gwbroker.report import Report
from gwbroker.streams.subject import identify
from gwbroker.tasks import events

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CIRCULAR: dict[str, Any] = {
    "circularId": 50_000, "eventId": "GRB 261101A", "subject": "GRB 261101A: optical counterpart",
    "submitter": "A. Nobody", "body": "We found it.\r\nIt is bright.",
    "createdOn": NOW.timestamp() * 1000, "format": "text/plain"}
_offset = iter(range(1_000_000))


@pytest.fixture(autouse=True)
def _ledger(sqlite: str) -> None:
    jobs.stay_here()


def circular(topic: str = "gcn.circulars", indent: int | None = None, **changes: Any) -> Notice:
    """Return a circular as GCN sends it."""
    return Notice(json.dumps({**CIRCULAR, **changes}, indent=indent).encode(), "kafka.gcn", topic,
                  0, next(_offset), received=NOW, sent=NOW)


def acted() -> int:
    """Return how often the circular was handled."""
    with read() as connection:
        return len(job_rows.listing(
            connection, handler="gwbroker.handlers.circulars.on_circular", limit=1000))


def test_a_circular_republished_a_hundred_times_acts_once():
    for _ in range(100):
        accept([circular()])
    assert acted() == 1
    with read() as connection:
        rows = notice_rows.listing(connection, limit=1000)
    assert len(rows) == 100
    assert {row["duplicate_of"] for row in rows} == {None, rows[0]["id"]}


def test_other_bytes_that_say_the_same_a_hundred_times_act_once():
    accept([circular()])
    for number in range(100):
        # As the weekly exchange with a catalogue of publications does.
        accept([circular(indent=number % 4, bibcode=f"2026GCN.{number}.....1A")])
    accept([circular(version=1), circular(body=" We found it.\nIt is bright.\n")])
    assert acted() == 1


def test_a_circular_also_comes_on_the_topic_of_its_kind_and_acts_once():
    accept([circular("gcn.circulars.grb"), circular("gcn.circulars")])
    accept([circular("gcn.circulars.grb")])
    assert acted() == 1


@pytest.mark.parametrize("change", [
    {"version": 2}, {"editedOn": NOW.timestamp() * 1000}, {"body": "We found it not."},
    {"subject": "GRB 261101A: no counterpart"}, {"eventId": "GRB 261101B"},
])
def test_an_edit_is_a_revision_and_acts_once_more(change: dict[str, Any]):
    (first,) = accept([circular()])
    for _ in range(100):
        accept([circular(**change)])
    assert acted() == 2
    with read() as connection:
        rows = notice_rows.listing(connection, limit=1000)
    assert first is not None
    assert rows[1]["revision_of"] == first.id


def test_an_old_circular_only_counts_when_it_is_edited():
    long_ago = 1_500_000_000_000
    accept([circular(createdOn=long_ago)])
    assert acted() == 0
    accept([circular(createdOn=long_ago, editedOn=NOW.timestamp() * 1000, version=2)])
    assert acted() == 1


def test_each_revision_is_attached_to_the_event_that_it_is_about():
    (kept,) = accept([Notice(b"<VOEvent ivorn='ivo://a/b#1'/>", "vtp.x", "voevent")])
    assert kept is not None
    with read() as connection:
        events.record(notice_rows.load(connection, kept.id), Report(
            "grb", "GRB 261101A", ("ivo://a/b#1", "GRB 261101A")))
    accept([circular()])
    accept([circular(version=2, body="Corrected.")])
    with read() as connection:
        mine = job_rows.listing(connection, handler="gwbroker.handlers.circulars.on_circular")
    for row in mine:
        jobs.run(row["id"])
    with read() as connection:
        (event,) = event_rows.listing(connection)
        history = event_rows.history(connection, event["id"])
    assert len(mine) == 2
    assert [row["alert"] for row in history].count("circular") == 2


@pytest.mark.parametrize("odd", [
    {"version": [[[]]]}, {"body": None}, {"body": {"a": [1]}}, {"editedOn": 1e300},
    {"subject": "\ud800"}, {"eventId": 5},
])
def test_what_is_odd_about_a_circular_does_not_hide_which_it_is(odd: dict[str, Any]):
    who = identify(circular(**odd))
    assert who.identifier == "circular:50000"
    assert who.version != identify(circular()).version
