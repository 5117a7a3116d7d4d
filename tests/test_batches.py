"""Topics of high volume: predicates in the listener, matches in batches, nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gwbroker import dispatch, jobs
from gwbroker.errors import HandlerError
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger.engine import read
from gwbroker.notice import Notice

HANDLERS = '''
from gwbroker.streams import kafka, voevent
CALLS, BROKEN = [], []

def bright(alert):
    if BROKEN: raise RuntimeError("no catalogue")
    return alert["mag"] < 20

@kafka.handler("survey", where=bright, batch=3)
def on_bright(notices): CALLS.append([n.json()["id"] for n in notices])

@kafka.handler("survey", "other", where=lambda a: a["mag"] < 10, batch=100)
def on_brilliant(notices): CALLS.append(("brilliant", [n.json()["id"] for n in notices]))

@kafka.handler("all", batch=2)
def on_all(notices): CALLS.append(("all", [n.json()["id"] for n in notices]))

@kafka.handler("mixed", where=bright, batch=10)
def on_mixed(notices): CALLS.append(("mixed", [n.json()["id"] for n in notices]))

@kafka.handler("mixed")
def on_each(notice): CALLS.append(("each", notice.json()["id"]))
'''


@pytest.fixture(autouse=True)
def _installed(ledger: str, handlers: Callable[[str], Path]) -> None:
    handlers(HANDLERS)


def alert(
    number: int, mag: float = 25.0, topic: str = "survey", offset: int | None = None,
) -> Notice:
    """Return an alert as a survey sends it."""
    return Notice(json.dumps({"id": number, "mag": mag}).encode(), "kafka.local", topic, 0,
                  number if offset is None else offset)


def rows(**wanted: Any) -> list[dict[str, Any]]:
    """Return jobs, oldest first."""
    with read() as connection:
        return job_rows.listing(connection, limit=1000, **wanted)


def kept() -> int:
    """Return how many notices are in the ledger."""
    with read() as connection:
        return len(notice_rows.listing(connection, limit=10_000))


def module() -> dict[str, Any]:
    """Return the names in the test's handlers."""
    return dispatch.table()["mine.on_bright"].function.__globals__


def run_all() -> list[Any]:
    """Run every job that is to be run; return what the handlers were called with."""
    done: set[int] = set()
    while fresh := [row["id"] for row in rows() if row["id"] not in done]:
        for number in fresh:
            jobs.run(number)
        done.update(fresh)
    return list(module()["CALLS"])


def test_only_topics_that_batch_handlers_alone_ask_for_are_of_high_volume():
    assert {"survey", "other", "all"} <= dispatch.bulk_topics()
    assert not {"mixed", "gcn.circulars", "igwn.gwalert"} & dispatch.bulk_topics()


def test_only_matches_enter_the_ledger_and_come_in_batches_in_their_order():
    result = accept([alert(n, 15.0 if n % 2 else 25.0) for n in range(20)])
    assert [kept is not None for kept in result] == [n % 2 == 1 for n in range(20)]
    assert kept() == 10
    assert run_all() == [[1, 3, 5], [7, 9, 11], [13, 15, 17], [19]]


def test_each_handler_gets_what_its_own_predicate_wants():
    accept([alert(1, 15), alert(2, 5), alert(3, 25), alert(4, 5, "other")])
    assert kept() == 3
    assert sorted(map(str, run_all())) == ["('brilliant', [2, 4])", "[1, 2]"]


def test_without_a_predicate_all_is_kept():
    accept([alert(n, topic="all") for n in range(3)])
    assert kept() == 3
    assert run_all() == [("all", [0, 1]), ("all", [2])]


def test_a_topic_that_another_handler_wants_whole_is_kept_whole():
    result = accept([alert(1, 15, "mixed"), alert(2, 25, "mixed")])
    assert None not in result
    assert sorted(map(str, run_all())) == ["('each', 1)", "('each', 2)", "('mixed', [1])"]


def test_a_redelivery_calls_nobody_again_however_it_is_cut():
    accept([alert(n, 15) for n in range(5)])
    accept([alert(n, 15) for n in range(2, 7)])
    accept([alert(n, 15) for n in range(7)])
    calls = run_all()
    assert sorted(number for call in calls for number in call) == list(range(7))


def test_the_same_alert_published_twice_is_handled_once():
    accept([alert(n, 15) for n in range(5)])
    accept([alert(1, 15, offset=100), alert(6, 15, offset=101), alert(6, 15, offset=102),
            alert(4, 15, offset=103)])
    accept([alert(6, 15, offset=104)])
    assert sorted(number for call in run_all() for number in call) == [0, 1, 2, 3, 4, 6]


def test_bytes_that_came_first_by_a_topic_nobody_batches_are_handled():
    accept([alert(1, 5, "mixed"), alert(2, 5, "nobody")])
    accept([alert(2, 5), alert(1, 5), alert(3, 5)])
    accept([alert(1, 5, offset=50), alert(2, 5, offset=51)])
    mine = [call for call in run_all() if isinstance(call, list)]
    assert sorted(number for call in mine for number in call) == [1, 2, 3]


def test_a_predicate_that_fails_loses_nothing_and_floods_nobody():
    module()["BROKEN"].append(True)
    result = accept([alert(n, 15 if n < 4 else 25) for n in range(50)])
    assert None not in result
    (dead,) = rows(state="dead")
    assert dead["handler"] == "mine.on_bright"
    assert "its where= failed with RuntimeError: no catalogue (50 messages)" in dead["error"]
    assert run_all() == []
    module()["BROKEN"].clear()
    jobs.retry([dead["id"]])
    assert run_all() == [[0, 1, 2], [3]]
    # Who sends them again finds them handled.
    accept([alert(n, 15, offset=100 + n) for n in range(4)])
    assert run_all() == [[0, 1, 2], [3]]


def test_a_packet_that_cannot_be_read_is_kept_with_the_reason():
    bad = Notice(b"{", "kafka.local", "survey", 0, 7)
    assert None not in accept([bad])
    assert {row["handler"] for row in rows(state="dead")} == {
        "mine.on_bright", "mine.on_brilliant"}
    assert all("not JSON" in row["error"] for row in rows(state="dead"))


def test_a_job_that_fails_is_retried_with_the_same_list():
    accept([alert(n, 15) for n in range(3)])
    module()["CALLS"] = None
    (row,) = rows()
    jobs.run(row["id"])
    module()["CALLS"] = []
    assert run_all() == []  # It is not due yet.
    assert rows()[0]["error"].startswith("AttributeError")
    assert rows()[0]["args"] == [1, 2, 3]


def test_a_message_is_decoded_once_for_all_handlers_of_a_topic(monkeypatch: pytest.MonkeyPatch):
    from gwbroker.streams import kafka

    decoded = []
    real = kafka._decode
    monkeypatch.setattr(kafka, "_decode", lambda n: decoded.append(n) or real(n))
    accept([alert(n, 5) for n in range(3)])
    assert len(decoded) == 3


@pytest.mark.parametrize(("text", "words"), [
    ("@kafka.handler('t', batch=0)", "whole number from 1"),
    ("@kafka.handler('t', batch=True)", "whole number"),
    ("@kafka.handler('t', batch=1e3)", "whole number"),
    ("@kafka.handler('t', batch=100001)", "100000"),
    ("@kafka.handler('t', batch=5, queue='events')", "general"),
    ("@voevent.handler(batch=5)", "kafka.handler"),
])
def test_a_batch_that_cannot_be_is_refused(handlers: Any, text: str, words: str):
    handlers(f"from gwbroker.streams import kafka, voevent\n{text}\ndef on(notices): pass\n")
    with pytest.raises(HandlerError, match=words):
        dispatch.load()
