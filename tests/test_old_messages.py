"""Old messages are kept, wait for live ones, and are not acted on where a handler says so."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gwbroker import dispatch
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger.engine import read
from gwbroker.notice import Notice

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HANDLERS = '''
from gwbroker.streams import gcn, igwn, kafka
@gcn.handler("gcn.notices.chime.frb", max_age=3600)
def on_fresh(notice): pass
@gcn.handler("gcn.notices.chime.frb")
def on_any(notice): pass
@kafka.handler("survey", max_age=3600, batch=10, where=lambda a: True)
def on_survey(notices): pass
'''


@pytest.fixture(autouse=True)
def _installed(sqlite: str, handlers: Callable[[str], Path]) -> None:
    handlers(HANDLERS)
    dispatch._now_and_then._kinds.clear()


def burst(
    hours: float, topic: str = "gcn.notices.chime.frb", offset: int = 1, **sent: Any,
) -> Notice:
    """Return a burst's notice that was issued so long before it came."""
    issued = NOW - timedelta(hours=hours)
    return Notice(json.dumps({"id": offset, "alert_datetime": issued.isoformat()}).encode(),
                  "kafka.gcn", topic, 0, offset, received=NOW, **sent)


def mine() -> list[tuple[str, int]]:
    """Return the test's own jobs, each with its priority."""
    with read() as connection:
        return sorted((row["handler"], row["priority"])
                      for row in job_rows.listing(connection, limit=100_000)
                      if row["handler"].startswith("mine."))


def test_a_notice_older_than_max_age_is_kept_and_only_that_handler_is_not_called():
    (kept,) = accept([burst(2)])
    assert kept is not None
    assert kept.first
    assert mine() == [("mine.on_any", 1)]


def test_a_notice_younger_than_max_age_is_handled():
    accept([burst(0.9)])
    assert mine() == [("mine.on_any", 1), ("mine.on_fresh", 1)]


def test_a_live_notice_goes_first():
    accept([burst(0.1)])
    assert mine() == [("mine.on_any", 0), ("mine.on_fresh", 0)]


def test_what_waited_long_in_kafka_is_not_live_either():
    waited = Notice(b"{}", "kafka.gcn", "gcn.notices.chime.frb", 0, 1, received=NOW,
                    sent=NOW - timedelta(minutes=20))
    accept([waited])
    assert mine() == [("mine.on_any", 1), ("mine.on_fresh", 1)]


def test_of_a_topic_of_high_volume_old_messages_are_not_even_kept():
    assert accept([burst(2, "survey", 1), burst(0.1, "survey", 2)])[0] is None
    assert mine() == [("mine.on_survey", 0)]


def test_who_replays_something_old_wants_it_handled():
    for again in (replace(burst(99), source="replay"), replace(burst(98), replay="mine")):
        handlers = {c.registration.name for c in dispatch.choose(again)}
        assert {"mine.on_fresh", "mine.on_any"} <= handlers


def test_the_log_says_it_once_in_a_while(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    accept([burst(2 + n / 1000, offset=n) for n in range(50)])
    lines = [r.getMessage() for r in caplog.records if "is only kept" in r.getMessage()]
    assert len(lines) == 1
    assert "mine.on_fresh has max_age=3600" in lines[0]


def test_what_is_old_only_by_the_senders_clock_is_not_passed_over_without_a_warning(
    caplog: pytest.LogCaptureFixture,
):
    accept([burst(2, sent=NOW - timedelta(seconds=1))])
    (line,) = [r for r in caplog.records if "is only kept" in r.getMessage()]
    assert line.levelno == logging.WARNING
    assert "sent just now" in line.getMessage()


def test_a_slow_predicate_is_named_once_in_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(dispatch, "SLOW", -1.0)
    accept([burst(0, "survey", n) for n in range(5)])
    (line,) = [r.getMessage() for r in caplog.records if "where=" in r.getMessage()]
    assert "mine.on_survey" in line


def test_an_archive_of_40_000_circulars_makes_no_job_and_today_s_makes_one():
    old = [Notice(json.dumps({
        "circularId": n, "subject": "GRB 170817A", "body": "x", "createdOn": 1503e9 + n}).encode(),
        "kafka.gcn", "gcn.circulars", 0, n, received=NOW, sent=NOW) for n in range(40_000)]
    for start in range(0, len(old), 500):
        accept(old[start:start + 500])
    new = {"circularId": 50_000, "subject": "GRB 261101A", "body": "y",
           "createdOn": NOW.timestamp() * 1000}
    accept([Notice(json.dumps(new).encode(), "kafka.gcn", "gcn.circulars", 0, 40_000,
                   received=NOW, sent=NOW)])
    with read() as connection:
        (row,) = job_rows.listing(connection, limit=10)
    assert (row["handler"], row["notice"], row["priority"]) == (
        "gwbroker.handlers.circulars.on_circular", 40_001, 0)
