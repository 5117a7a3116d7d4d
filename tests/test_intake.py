"""Intake keeps notices with their jobs, in one transaction, before anybody acknowledges."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import update

from gwbroker import dispatch, jobs
from gwbroker.errors import LedgerUnavailable
from gwbroker.intake import accept
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as notice_rows
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.models import jobs as table
from gwbroker.notice import READINGS, Notice

from .servers import Redis

HANDLERS = '''
from gwbroker.streams import kafka, voevent
CALLS = []

@kafka.handler("one")
def on_one(notice): CALLS.append(("one", notice.id))

@kafka.handler("two", queue="openmp")
def on_two(notice): CALLS.append(("two", notice.id))

@kafka.handler("one", "two", name="both")
def on_both(notice): CALLS.append(("both", notice.id))

@voevent.handler("ivo://mine/*", queue="events")
def on_packet(notice): CALLS.append(("packet", notice.id))
'''

PACKET = b"<VOEvent ivorn='ivo://mine/x#1' role='utility'/>"


def message(payload: bytes, topic: str, offset: int) -> Notice:
    """Return a message as Kafka brings it."""
    return Notice(payload, source="kafka.local", topic=topic, partition=0, offset=offset)


def all_jobs() -> list[dict[str, Any]]:
    """Return every job."""
    with read() as connection:
        return job_rows.listing(connection, limit=10_000)


def all_notices() -> list[dict[str, Any]]:
    """Return every notice."""
    with read() as connection:
        return notice_rows.listing(connection, limit=10_000)


@pytest.mark.parametrize(("topic", "payload"), [
    ("voevent", PACKET), ("igwn.gwalert", b'{"superevent_id": "S1", "alert_type": "INITIAL"}'),
    ("gcn.circulars", b'{"circularId": 1}'), ("igwn.cbc_gstlal", b'{"uid": "G1"}')])
def test_what_a_message_was_read_into_is_forgotten_once_it_is_kept(topic: str, payload: bytes):
    notice = message(payload, topic, 1)
    accept([notice])
    assert not READINGS & notice.__dict__.keys()
    # A stream that keeps what it has read under another name would be found here.
    held = {name for name in notice.__dict__ if name.startswith("_")}
    assert held <= {"_identity", "_issued"}


def by_handler() -> dict[str, int]:
    """Return how many jobs each handler has."""
    found: dict[str, int] = {}
    for job in all_jobs():
        found[job["handler"]] = found.get(job["handler"], 0) + 1
    return found


@pytest.fixture(autouse=True)
def _installed(ledger: str, handlers: Callable[[str], Path]) -> None:
    handlers(HANDLERS)


def test_each_notice_gets_a_job_for_each_handler_that_wants_it():
    kept = accept([message(b"1", "one", 1), message(b"2", "two", 1), message(b"3", "none", 1)])
    assert [k.first for k in kept] == [True] * 3
    assert sorted((j["handler"], j["notice"], j["queue"]) for j in all_jobs()) == [
        ("both", kept[0].id, "general"), ("both", kept[1].id, "general"),
        ("mine.on_one", kept[0].id, "general"), ("mine.on_two", kept[1].id, "openmp")]


def test_nothing_at_all_is_accepted_without_asking_the_ledger():
    assert accept([]) == []


def test_a_redelivery_adds_no_row_at_all():
    accept([message(b"1", "one", 1)])
    again = accept([message(b"1", "one", 1), message(b"1", "one", 1)])
    assert [k.new for k in again] == [False, False]
    assert (len(all_notices()), len(all_jobs())) == (1, 2)


def test_the_same_bytes_over_two_roads_let_a_handler_act_once():
    accept([Notice(PACKET, source="kafka.gcn", topic="voevent", partition=0, offset=1)])
    accept([Notice(PACKET, source="vtp.comet", topic="voevent")])
    assert len(all_notices()) == 2
    assert by_handler() == {"mine.on_packet": 1}


def test_a_handler_that_wants_only_the_second_road_still_gets_its_job():
    (first,) = accept([message(b"same", "one", 1)])
    (second,) = accept([message(b"same", "two", 1)])
    assert second.root == first.id
    assert by_handler() == {"mine.on_one": 1, "mine.on_two": 1, "both": 1}
    assert {j["notice"] for j in all_jobs()} == {first.id}


def test_other_bytes_under_the_same_identifier_are_a_linked_revision_with_jobs():
    (first,) = accept([Notice(PACKET, source="vtp.comet", topic="voevent")])
    (second,) = accept([Notice(PACKET + b"\n", source="vtp.comet", topic="voevent")])
    assert second.revision_of == first.id
    assert by_handler() == {"mine.on_packet": 2}


def test_jobs_about_one_source_share_its_serial():
    accept([Notice(PACKET, topic="voevent"), Notice(PACKET + b"\n", topic="voevent")])
    assert {(j["queue"], j["serial"]) for j in all_jobs()} == {("events", "ivo://mine/x#1")}


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"<VOEvent", b"x" * (8 << 20)],
                         ids=["0 B", "not UTF-8", "not XML", "8 MiB"])
def test_what_nobody_can_read_is_kept_with_a_dead_job_that_says_why(payload: bytes):
    (kept,) = accept([Notice(payload, source="vtp.comet", topic="voevent"),
                      message(b"1", "one", 1)])[:1]
    with read() as connection:
        assert notice_rows.load(connection, kept.id).payload == payload
    mine = [job for job in all_jobs() if job["notice"] == kept.id]
    assert {job["state"] for job in mine} == {"dead"}
    assert all("payload" in job["error"] for job in mine)
    assert by_handler()["mine.on_one"] == 1


def test_notices_and_jobs_are_kept_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise RuntimeError("as if the process died between the two")

    with monkeypatch.context() as patch:
        patch.setattr(job_rows, "add", fail)
        with pytest.raises(RuntimeError):
            accept([message(b"1", "one", 1)])
    assert (all_notices(), all_jobs()) == ([], [])
    accept([message(b"1", "one", 1)])
    assert (len(all_notices()), len(all_jobs())) == (1, 2)


def test_a_ledger_that_is_away_is_said_so_that_nobody_acknowledges(environment):
    from gwbroker.conf import settings
    from gwbroker.ledger import engine

    engine.dispose()
    environment.setenv("GWBROKER_DATABASE_URL", "postgresql://me@127.0.0.1:1/x")
    settings.cache_clear()
    with pytest.raises(LedgerUnavailable):
        accept([message(b"1", "one", 1)])


def test_the_jobs_are_on_the_wire_when_accept_returns(wire: Redis):
    accept([message(b"1", "one", 1), message(b"2", "two", 1)])
    with redis.Redis(unix_socket_path=str(wire.socket)) as client:
        assert (client.llen("general"), client.llen("openmp")) == (3, 1)
    assert {job["state"] for job in all_jobs()} == {"sent"}


def test_without_redis_notices_are_kept_and_their_jobs_wait_for_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(jobs, "_wire", jobs._Wire())
    began = time.monotonic()
    accept([message(b"1", "one", 1)])
    accept([message(b"2", "one", 2)])
    # Far less than one would wait for a server that does not answer.
    assert time.monotonic() - began < 15
    assert {job["state"] for job in all_jobs()} == {"pending"}


def test_the_sweep_sends_what_waited_for_redis(wire: Redis, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "_wire", jobs._Wire())
        jobs.stay_here()
        accept([message(b"1", "one", 1)])
    assert jobs.sweep(["general"]) == 2
    assert jobs.sweep(["general"]) == 0
    with redis.Redis(unix_socket_path=str(wire.socket)) as client:
        assert client.llen("general") == 2


def test_a_crash_between_commit_and_send_is_swept(wire: Redis):
    code = (
        "import os, signal\n"
        "from gwbroker import jobs\n"
        "from gwbroker.intake import accept\n"
        "from gwbroker.notice import Notice\n"
        "jobs.send = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "accept([Notice(b'1', source='kafka.local', topic='one', partition=0, offset=1)])\n")
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), timeout=60,
                          cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [job["state"] for job in all_jobs()] == ["sent", "sent"]
    assert jobs.sweep(["general"]) == 0
    with write() as connection:
        connection.execute(update(table).values(sent=time.time() - job_rows.LOST_AFTER - 1))
    assert jobs.sweep(["general"]) == 2
    with redis.Redis(unix_socket_path=str(wire.socket)) as client:
        assert client.llen("general") == 2
    # The source sends it again, because nobody acknowledged: nothing more comes of it.
    accept([message(b"1", "one", 1)])
    assert (len(all_notices()), len(all_jobs())) == (1, 2)


def test_a_notice_that_breaks_our_own_code_is_kept_and_hurts_nobody(
    ledger: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose = dispatch.choose

    def fragile(notice: Notice) -> list[dispatch.Choice]:
        if notice.payload == b"poison":
            raise ZeroDivisionError("a bug of ours")
        return choose(notice)

    monkeypatch.setattr(dispatch, "choose", fragile)
    batch = [Notice(payload, topic="gcn.heartbeat") for payload in (b"{}", b"poison", b"[]")]
    assert len(accept(batch)) == 3
    with read() as connection:
        (dead,) = job_rows.listing(connection, state="dead")
        assert len(notice_rows.listing(connection)) == 3
    assert "a bug of ours" in dead["error"]
    # Another road brings handlers of its own, so it is said also if the bytes are known.
    monkeypatch.setattr(dispatch, "choose", choose)
    accept([Notice(b"bad", topic="gcn.heartbeat")])
    monkeypatch.setattr(dispatch, "choose", lambda _: [][0])
    for offset in (1, 2):
        accept([message(b"bad", "one", offset)])
    with read() as connection:
        assert len(job_rows.listing(connection, state="dead")) == 2
