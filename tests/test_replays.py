"""Notices once more: marked, behind what is live, telling nobody, and never twice for one label."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gwbroker import jobs
from gwbroker.errors import ReplayError, UnknownTask
from gwbroker.intake import accept
from gwbroker.ledger import jobs as rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger import ranges
from gwbroker.ledger.engine import read
from gwbroker.ledger.ranges import Range
from gwbroker.notice import Notice
from gwbroker.replays import Replay, from_ledger, look_up, source_named

START = datetime(2026, 11, 1, tzinfo=UTC)

HANDLERS = '''
from gwbroker import jobs
from gwbroker.streams import kafka

CALLS = []

@jobs.task(name="mine.later")
def later(what):
    CALLS.append(("later", what, jobs.idempotency_key(), jobs.idempotency_key(replay=False)))

@jobs.task(name="mine.mail", tells=True)
def mail(what):
    CALLS.append(("mail", what))

@kafka.handler("t")
def on_t(notice):
    CALLS.append(("on_t", notice.id, notice.replay))
    jobs.submit(later, notice.id, key=f"later:{notice.id}")
    jobs.submit(mail, notice.id, key=f"mail:{notice.id}")

@kafka.handler("t", tells=True)
def publish(notice):
    CALLS.append(("publish", notice.id))

@kafka.handler("u", where=lambda alert: 1 / 0)
def broken(notice):
    pass
'''


@pytest.fixture(autouse=True)
def _alone(
    handlers: Callable[[str], Path], ledger: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every test has these handlers, both kinds of ledger, and no wire."""
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    jobs.stay_here()
    handlers(HANDLERS)


def calls() -> list[Any]:
    """Return what was called since this was asked last."""
    found = list(sys.modules["mine"].CALLS)
    sys.modules["mine"].CALLS.clear()
    return found


def arrive(number: int, topic: str = "t", source: str = "kafka.gcn") -> Notice:
    """Return a message sent on the first days of November, one an hour."""
    return Notice(f'{{"n": {number}}}'.encode(), source, topic, partition=0, offset=number,
                  sent=START + timedelta(hours=number))


def run_all() -> None:
    """Run jobs until none is left."""
    while True:
        with read() as connection:
            left = [job["id"] for job in rows.listing(connection, state="pending", limit=1000)]
        if not left:
            return
        for number in left:
            jobs.run(number)


def listing(**wanted: Any) -> list[dict[str, Any]]:
    """Return jobs."""
    with read() as connection:
        return rows.listing(connection, **wanted)


def replay(chosen: Range, **options: Any) -> Replay:
    """Replay a range from the ledger."""
    made = Replay(**options)
    for page in from_ledger(chosen)[1]:
        made.submit(page)
    return made


def numbers(chosen: Range) -> list[int]:
    """Return the numbers of the notices of a range."""
    return [again.notice.id for page in from_ledger(chosen)[1] for again in page]


def test_a_range_is_chosen_by_source_topic_time_offset_and_number():
    accept([arrive(n) for n in range(6)] + [arrive(6, "u"), arrive(7, source="kafka.other")])
    assert numbers(Range()) == list(range(1, 9))
    assert numbers(Range(source="kafka.other")) == [8]
    assert numbers(Range(topics=("u",))) == [7]
    hours = {"since": START + timedelta(hours=2), "until": START + timedelta(hours=4)}
    assert numbers(Range(**hours)) == [3, 4], "the end is not included"
    assert numbers(Range(topics=("t",), partition=0, first=1, end=3)) == [2, 3]
    assert numbers(Range(source="kafka.gcn", last=2)) == [6, 7]
    assert from_ledger(Range(last=3))[0] == 3
    with pytest.raises(ReplayError, match=r"no notice of kafka.gcn from 2026-12-01T00:00:00Z"):
        from_ledger(Range("kafka.gcn", since=datetime(2026, 12, 1, tzinfo=UTC)))


def test_a_range_is_read_by_pages_that_fit_in_memory(monkeypatch: pytest.MonkeyPatch):
    accept([arrive(n) for n in range(7)])
    monkeypatch.setattr(ranges, "PAGE", 3)
    assert [len(page) for page in from_ledger(Range())[1]] == [3, 3, 1]
    monkeypatch.setattr(ranges, "PAGE_BYTES", 17)
    assert [len(page) for page in from_ledger(Range())[1]] == [2, 2, 2, 1]


def test_a_replay_calls_again_what_ran_before_marked_and_behind_what_is_live():
    accept([arrive(1)])
    run_all()
    assert sorted(call[0] for call in calls()) == ["later", "mail", "on_t", "publish"]
    made = replay(Range())
    again = listing(replay=made.label)
    assert {(job["handler"], job["priority"]) for job in again} == {
        ("mine.on_t", 1), ("mine.publish", 1)}
    assert all(job["key"].endswith(f":{made.label}") for job in again)
    run_all()
    # The handler ran, what it submitted did, and nobody was told.
    assert calls() == [("on_t", 1, made.label),
                       ("later", 1, f"later:1:{made.label}", "later:1")]
    told = {job["handler"]: (job["state"], job["error"]) for job in listing(replay=made.label)}
    silent = ("done", "not called: a replay tells nobody")
    assert told == {"mine.on_t": ("done", None), "mine.later": ("done", None),
                    "mine.mail": silent, "mine.publish": silent}
    assert {job["priority"] for job in listing(replay=made.label)} == {1}


def test_with_tell_people_are_told_and_the_label_says_so():
    accept([arrive(1)])
    run_all()
    calls()
    made = replay(Range(), tell=True)
    assert made.label.endswith("+tell")
    run_all()
    assert {call[0] for call in calls()} == {"on_t", "later", "mail", "publish"}
    with pytest.raises(ReplayError, match="tells people: go on with it with --tell"):
        Replay(made.label)


def test_the_same_label_goes_on_and_doubles_nothing():
    accept([arrive(n) for n in range(4)])
    run_all()
    calls()
    pages = from_ledger(Range(last=2))[1]
    first = Replay()
    first.submit(next(pages))
    run_all()
    # As after a kill: the whole range once more, under the same label.
    replay(Range(), label=first.label)
    run_all()
    assert sorted(call[1] for call in calls() if call[0] == "on_t") == [1, 2, 3, 4]
    replay(Range(), label=first.label)
    assert listing(state="pending") == []


def test_only_the_named_handlers_are_called_and_an_unknown_one_is_refused():
    accept([arrive(1)])
    run_all()
    calls()
    made = replay(Range(), handlers=["mine.on_t"])
    assert [job["handler"] for job in listing(replay=made.label)] == ["mine.on_t"]
    with pytest.raises(UnknownTask, match=r"did you mean mine\.on_t"):
        Replay(handlers=["mine.on_tt"])
    with pytest.raises(ReplayError, match="cannot be used"):
        Replay("two words")


def test_a_plan_says_what_would_be_done_and_writes_nothing():
    accept([arrive(1), arrive(2, "u")])
    run_all()
    calls()
    before = listing()
    planned = [call for page in from_ledger(Range())[1] for call in Replay().plan(page)]
    assert {(call.notice, call.handler, call.what) for call in planned} == {
        (1, "mine.on_t", "run"), (1, "mine.publish", "not called: a replay tells nobody"),
        (2, "mine.broken", "dead: its where= failed with ZeroDivisionError: division by zero")}
    assert listing() == before
    assert {call.what for call in Replay(tell=True).plan(look_up([arrive(1)]))} == {"run"}


def test_a_message_that_only_a_replay_has_read_is_kept_and_still_comes_live():
    made = Replay()
    made.submit(look_up([arrive(5)]))
    made.submit(look_up([arrive(5)]))
    with read() as connection:
        (kept,) = notice_rows.listing(connection)
    assert (kept["source"], kept["topic"], kept["offset"]) == ("replay", "t", 5)
    run_all()
    assert [call[0] for call in calls()] == ["on_t", "later"]
    # The listener comes to it later: for it the message is new, and people are told.
    accept([arrive(5)])
    run_all()
    assert sorted(call[0] for call in calls()) == ["later", "mail", "on_t", "publish"]
    accept([arrive(5)])
    assert listing(state="pending") == []


def test_a_source_is_found_by_its_short_name():
    accept([arrive(1), arrive(2, source="vtp.gcn"), arrive(3, source="kafka.other")])
    assert source_named("other") == "kafka.other"
    assert source_named("vtp.gcn") == "vtp.gcn"
    with pytest.raises(ReplayError, match=r"'gcn' can be kafka\.gcn or vtp\.gcn"):
        source_named("gcn")
    with pytest.raises(ReplayError, match=r"no source 'nasa'; known: kafka\.gcn, kafka\.other"):
        source_named("nasa")
