"""Notices are kept once, whatever road they come by and however often."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gwbroker.errors import NotFound
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger import notices as rows
from gwbroker.ledger import streams
from gwbroker.ledger.engine import read, write
from gwbroker.ledger.jobs import Draft
from gwbroker.ledger.notices import Kept
from gwbroker.notice import Notice

pytestmark = pytest.mark.usefixtures("ledger")


def keep(*notices: Notice, identifiers: tuple[str | None, ...] | None = None) -> list[Kept]:
    """Keep notices in a transaction of their own."""
    with write() as connection:
        return rows.keep(connection, notices, identifiers or (None,) * len(notices))


def listing() -> list[dict[str, object]]:
    """Return every notice's row."""
    with read() as connection:
        return rows.listing(connection, limit=10_000)


def kafka(payload: bytes, offset: int, topic: str = "a.topic") -> Notice:
    """Return a notice as Kafka brings it."""
    return Notice(payload, source="kafka.local", topic=topic, partition=0, offset=offset)


def test_the_headers_of_kafka_come_back_in_their_order_whatever_is_in_them():
    headers = (("_format", b"json"), ("_id", b"\xff\x00"), ("_format", b"avro"))
    notice = replace(kafka(b"1", 1), headers=headers)
    first, other = keep(notice, kafka(b"2", 2))
    with read() as connection:
        back = rows.load(connection, first.id)
        assert back.headers == headers
        assert back.header("_format") == b"avro"
        assert rows.load(connection, other.id).headers == ()


@pytest.mark.parametrize("payload", [b"", b"\xff\x00\xfe", b"{}", b"x" * (8 << 20)],
                         ids=["0 B", "not UTF-8", "JSON", "8 MiB"])
def test_the_bytes_come_back_as_they_came(payload: bytes):
    moment = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)
    notice = replace(kafka(payload, 7), received=moment, sent=moment)
    (kept,) = keep(notice)
    with read() as connection:
        assert rows.load(connection, kept.id) == notice.with_id(kept.id)
    (row,) = listing()
    assert row["sha256"] == hashlib.sha256(payload).hexdigest()
    assert row["size"] == len(payload)
    assert (row["duplicate_of"], row["revision_of"]) == (None, None)


def test_a_redelivered_message_adds_no_row():
    (first,) = keep(kafka(b"a", 1))
    (again,) = keep(kafka(b"a", 1))
    assert again == Kept(first.id, first.id, new=False)
    assert len(listing()) == 1


def test_the_same_bytes_by_another_road_are_a_duplicate_without_a_second_copy():
    (first,) = keep(kafka(b"a", 1))
    other, third = keep(Notice(b"a", source="vtp.x", topic="voevent"), kafka(b"a", 2))
    assert (other.new, other.root, third.root) == (True, first.id, first.id)
    assert [row["duplicate_of"] for row in listing()] == [None, first.id, first.id]
    with read() as connection:
        assert rows.load(connection, other.id).payload == b"a"
        assert rows.load(connection, other.id).source == "vtp.x"


def test_a_duplicate_is_found_again_when_it_is_redelivered():
    (first,) = keep(kafka(b"a", 1))
    (duplicate,) = keep(kafka(b"a", 2))
    (again,) = keep(kafka(b"a", 2))
    assert again == Kept(duplicate.id, first.id, new=False)


def test_the_same_identifier_with_other_bytes_is_a_linked_revision():
    (first,) = keep(kafka(b"1", 1), identifiers=("S1",))
    second, third = keep(kafka(b"2", 2), kafka(b"3", 3), identifiers=("S1", "S1"))
    assert (second.revision_of, third.revision_of) == (first.id, second.id)
    assert [row["revision_of"] for row in listing()] == [None, first.id, second.id]
    (other,) = keep(kafka(b"4", 4), identifiers=("S2",))
    assert other.revision_of is None


def test_a_duplicate_of_an_old_revision_is_not_itself_a_revision():
    keep(kafka(b"1", 1), kafka(b"2", 2), identifiers=("S1", "S1"))
    (again,) = keep(Notice(b"1", source="vtp.x", topic="voevent"), identifiers=("S1",))
    assert again.revision_of is None
    (next_one,) = keep(kafka(b"3", 3), identifiers=("S1",))
    assert next_one.revision_of == 2


def test_a_batch_with_the_same_bytes_twice_keeps_them_once():
    kept = keep(kafka(b"a", 1), kafka(b"b", 2), kafka(b"a", 3), kafka(b"a", 1))
    assert [k.root for k in kept] == [kept[0].id, kept[1].id, kept[0].id, kept[0].id]
    assert [k.new for k in kept] == [True, True, True, False]
    assert len(listing()) == 3


def test_a_whole_poll_is_kept_in_order_in_one_transaction():
    notices = [kafka(str(i).encode(), i) for i in range(1200)]
    kept = keep(*notices)
    assert [k.id for k in kept] == list(range(kept[0].id, kept[0].id + 1200))
    again = keep(*notices)
    assert not any(k.new for k in again)
    assert [k.id for k in again] == [k.id for k in kept]


def test_nothing_of_a_batch_is_kept_if_its_transaction_fails():
    def fail() -> None:
        with write() as connection:
            rows.keep(connection, [kafka(b"a", 1)], [None])
            raise RuntimeError("as if the process died")

    with pytest.raises(RuntimeError):
        fail()
    assert listing() == []
    (kept,) = keep(kafka(b"a", 1))
    assert kept.first


def test_each_stream_counts_what_it_brought():
    keep(kafka(b"a", 1), kafka(b"bb", 2), kafka(b"c", 1, topic="other"))
    keep(kafka(b"ddd", 3))
    with read() as connection:
        found = {row["topic"]: row for row in streams.listing(connection)}
    assert (found["a.topic"]["count"], found["a.topic"]["bytes"]) == (3, 6)
    assert found["other"]["count"] == 1
    assert abs(found["a.topic"]["last_received"] - time.time()) < 60


def test_a_notice_that_is_not_there_is_an_error_that_names_it():
    with read() as connection, pytest.raises(NotFound, match="no notice 77"):
        rows.load(connection, 77)


def test_old_heartbeats_are_forgotten_with_their_jobs_but_not_what_is_still_needed():
    old = datetime(2020, 1, 1, tzinfo=UTC)
    beats = [replace(kafka(f"{i}".encode(), i, "gcn.heartbeat"), received=old) for i in range(3)]
    kept = keep(*beats, kafka(b"new", 9, "gcn.heartbeat"), kafka(b"other", 1))
    with write() as connection:
        job_rows.add(connection, [Draft("h", "general", kept[0].id),
                                  Draft("h", "general", kept[1].id)])
    with write() as connection:
        claim = job_rows.claim(connection, 1, "me")
        assert claim is not None
        job_rows.finish(connection, 1, "me")
    with write() as connection:
        # What cannot go yet does not take the place of what can.
        gone = sum(rows.prune(connection, "gcn.heartbeat", time.time() - 60, 1) for _ in range(3))
    # The second one's job has not been done yet.
    assert gone == 2
    assert [row["id"] for row in listing()] == [kept[1].id, kept[3].id, kept[4].id]
    # A number is never given again.
    (after,) = keep(kafka(b"later", 10))
    assert after.id > kept[4].id
