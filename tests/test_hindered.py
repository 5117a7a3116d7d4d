"""What can only be kept when it comes is told by a dead job, and can be handled later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gwbroker import dispatch, intake, jobs
from gwbroker.conf import settings
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger.engine import read
from gwbroker.notice import DOUBTFUL, INCOMPLETE, Notice

HANDLERS = '''
from gwbroker.streams import gcn, kafka
CALLS = []

@kafka.handler("one")
def on_one(notice): CALLS.append(notice.payload)

@kafka.handler("many", batch=10, where=lambda alert: alert["wanted"])
def on_many(notices): CALLS.append([notice.json() for notice in notices])

@gcn.handler("gcn.notices.einstein_probe.wxt.alert")
def on_probe(notice): CALLS.append(notice.json())
'''


@pytest.fixture(autouse=True)
def calls(ledger: str, handlers: Callable[[str], Path]) -> list[Any]:
    handlers(HANDLERS)
    found: list[Any] = dispatch.table()["mine.on_one"].function.__globals__["CALLS"]
    return found


def message(payload: bytes, topic: str = "one", offset: int = 1, **values: Any) -> Notice:
    """Return a message as Kafka brings it."""
    return Notice(payload, source="kafka.local", topic=topic, partition=0, offset=offset, **values)


def all_jobs(state: str | None = None) -> list[dict[str, Any]]:
    """Return every job, or those in a state."""
    with read() as connection:
        return job_rows.listing(connection, state=state)


def retry_all() -> None:
    """Retry all dead jobs, and run what there is to be run."""
    jobs.retry([job["id"] for job in all_jobs("dead")])
    while left := [j for j in all_jobs() if j["state"] not in ("done", "dead")]:
        jobs.run(left[0]["id"])


def small(environment: pytest.MonkeyPatch, size: int) -> None:
    """Set how large a message may be."""
    environment.setenv("GWBROKER_MAX_MESSAGE", str(size))
    settings.cache_clear()


@pytest.mark.parametrize(("topic", "payload", "called"), [
    ("one", b"x" * 2000, b"x" * 2000),
    ("many", b'{"wanted": 1, "more": "' + b"x" * 2000 + b'"}',
     [{"wanted": 1, "more": "x" * 2000}]),
    ("many", b'{"wanted": 0, "more": "' + b"x" * 2000 + b'"}', None),
    ("gcn.notices.einstein_probe.wxt.alert", b'{"id": "E1", "more": "' + b"x" * 2000 + b'"}',
     {"id": "E1", "more": "x" * 2000})])
def test_what_is_larger_than_max_message_is_kept_unread_and_handled_once_that_is_raised(
    topic: str, payload: bytes, called: object, environment: pytest.MonkeyPatch, calls: list[Any],
) -> None:
    small(environment, 1024)
    too_large = message(payload, topic)
    (kept,) = accept([too_large])
    assert kept is not None
    # Nothing of it was read.
    assert not {name for name in too_large.__dict__ if name.startswith("_")}
    (dead,) = all_jobs()
    assert dead["state"] == "dead"
    assert "more than max_message in the settings (1,024)" in dead["error"]
    retry_all()
    (dead,) = all_jobs("dead")
    assert "more than max_message" in dead["error"]
    assert calls == []
    small(environment, 4096)
    retry_all()
    assert calls == ([called] if called else [])
    with read() as connection:
        assert notice_rows.load(connection, kept.id).payload == payload
        (row,) = notice_rows.listing(connection)
    assert row["identifier"] == (f"{topic}:E1" if topic.startswith("gcn") else None)
    assert not all_jobs("dead")


def test_the_same_message_again_is_dispatched_once_max_message_is_raised(
    environment: pytest.MonkeyPatch, calls: list[Any],
) -> None:
    small(environment, 1024)
    accept([message(b"x" * 2000)])
    small(environment, 4096)
    accept([message(b"x" * 2000, offset=2)])
    retry_all()
    assert calls == [b"x" * 2000]


def test_one_whose_headers_cannot_be_read_waits_for_somebody_to_say_that_they_do_not_matter(
    calls: list[Any],
) -> None:
    accept([message(b"doubtful", headers=((DOUBTFUL, b"a header is not UTF-8"),)),
            message(b"good", offset=2)])
    (dead,) = all_jobs("dead")
    assert dead["error"] == "a header is not UTF-8"
    assert len(all_jobs()) == 2
    retry_all()
    assert sorted(calls) == [b"doubtful", b"good"]


def test_nobody_ever_gets_what_is_not_the_whole_message(calls: list[Any]) -> None:
    part = message(b"the beginning", headers=((INCOMPLETE, b"the first 13 of 99 bytes"),))
    (kept,) = accept([part])
    assert kept is not None
    retry_all()
    (dead,) = all_jobs("dead")
    assert "it is not whole: the first 13 of 99 bytes" in dead["error"]
    with read() as connection:
        stored = notice_rows.load(connection, kept.id)
    assert stored.incomplete == "the first 13 of 99 bytes"
    assert dispatch.choose(stored) == []
    assert intake.hindrance(stored)
    assert calls == []
