"""A backlog on one topic does not hold up what is live on others, and nothing of it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from gwbroker.embedded.kafka import MockKafka
from gwbroker.errors import LedgerUnavailable
from gwbroker.listeners import kafka_lanes, kafka_pace, kafka_reader
from gwbroker.listeners.kafka_pace import MOST, Pace
from gwbroker.notice import Notice

from ..servers import poll
from .kafka_reading import Reading

OLD = 3000


@pytest.fixture(autouse=True)
def _small_backlogs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a tenth of the usual number of messages be a backlog, so that the tests are quick."""
    monkeypatch.setattr(kafka_reader, "BEHIND", 200)


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        yield cluster


def slow(keep: Callable[[Sequence[Notice]], object], each: float) -> Callable[..., None]:
    """Return an accept that takes so long (s) for each notice, as a ledger does."""

    def accept(notices: Sequence[Notice]) -> None:
        end = time.monotonic() + each * len(notices)
        keep(notices)
        while time.monotonic() < end:
            time.sleep(0.0005)

    return accept


def publish_old(kafka: MockKafka, number: int = OLD) -> None:
    kafka.publish("old", *(b"old %d" % n for n in range(number)))


def test_a_backlog_is_read_whole_and_in_order_and_its_topic_is_live_again_afterwards(
    kafka: MockKafka,
) -> None:
    publish_old(kafka)
    with Reading(kafka.bootstrap_servers, "old") as reading:
        reading.wait(OLD)
        old = reading.reader._lanes.old
        assert old is not None
        poll(lambda: not old.next, 5, "its partitions have moved back")
        kafka.publish("old", *(b"new %d" % n for n in range(20)))
        reading.wait(OLD + 20)
    reading.assert_each_once_in_order()


def test_live_messages_pass_a_backlog(kafka: MockKafka) -> None:
    publish_old(kafka)
    kafka.publish("live", b"first")
    kept: list[Notice] = []
    passed: list[int] = []
    with Reading(kafka.bootstrap_servers, "old", "live", accept=slow(kept.extend, 0.001)):
        poll(lambda: sum(n.topic == "old" for n in kept) > 100, 20, "the backlog is being read")
        for number in range(20):
            seen = len(kept)
            kafka.publish("live", b"%d" % number)
            poll(lambda: any(n.topic == "live" for n in kept[seen:]), 10, "it is kept")  # noqa: B023
            passed.append(next(at for at, n in enumerate(kept[seen:]) if n.topic == "live"))
        assert len(kept) < OLD, "the backlog was over before the live messages were measured"
        poll(lambda: len(kept) >= OLD + 21, 60, "all is kept")
    # Few messages of the backlog go before them, as many as are read at once.
    assert sorted(passed)[10] < 100, passed
    assert max(passed) < 500, passed


def test_a_reader_that_stops_within_a_backlog_goes_on_where_it_was(kafka: MockKafka) -> None:
    publish_old(kafka)
    with Reading(kafka.bootstrap_servers, "old") as first:
        first.wait(OLD // 10)
    with Reading(kafka.bootstrap_servers, "old") as second:
        poll(lambda: len(first.kept) + len(second.kept) >= OLD, 20, "all are kept")
    assert len(first.kept) + len(second.kept) == OLD
    first.kept += second.kept
    first.assert_each_once_in_order()


def test_while_the_ledger_is_away_both_lanes_wait_and_then_go_on_in_order(
    kafka: MockKafka,
) -> None:
    away = threading.Event()
    kept: list[Notice] = []

    def accept(notices: Sequence[Notice]) -> None:
        if away.is_set():
            raise LedgerUnavailable("the disk is full")
        kept.extend(notices)

    publish_old(kafka)
    kafka.publish("live", b"first")
    with Reading(kafka.bootstrap_servers, "old", "live",
                 accept=slow(accept, 0.0005)) as reading:
        poll(lambda: len(kept) > OLD // 10, 20, "the backlog is being read")
        away.set()
        reading.wait_for("the disk is full")
        seen = len(kept)
        kafka.publish("live", *(b"%d" % n for n in range(50)))
        poll(lambda: sum("disk" in (error or "") for _, error in reading.said) >= 1, 5, "told")
        assert len(kept) == seen
        away.clear()
        poll(lambda: len(kept) >= OLD + 51, 30, f"all are kept, {len(kept)} are")
        reading.wait_well()
    reading.kept = kept
    reading.assert_each_once_in_order()


def test_while_the_workers_are_crowded_only_live_messages_are_read(
    kafka: MockKafka,
) -> None:
    crowded = [True]
    publish_old(kafka)
    with Reading(kafka.bootstrap_servers, "old", "live",
                 reader={"crowded": lambda: crowded[0]}) as reading:
        poll(lambda: reading.reader.__dict__.get("_lanes") and reading.reader._lanes.old, 20,
             "the backlog has its lane")
        kafka.publish("live", b"1")
        reading.wait(1)
        assert {notice.topic for notice in reading.kept} == {"live"}
        crowded[0] = False
        reading.wait(OLD + 1)
    reading.assert_each_once_in_order()


def test_the_client_of_an_empty_lane_is_closed_after_a_while(
    kafka: MockKafka, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_lanes, "REST", 0.5)
    publish_old(kafka)
    with Reading(kafka.bootstrap_servers, "old") as reading:
        reading.wait(OLD)
        poll(lambda: reading.reader._lanes.old is None, 10, "the lane is closed")
        kafka.publish("old", b"new")
        reading.wait(OLD + 1)


def test_topics_of_high_volume_come_in_large_batches_and_what_is_not_kept_is_counted(
    kafka: MockKafka,
) -> None:
    batches: list[int] = []

    def accept(notices: Sequence[Notice]) -> list[object]:
        batches.append(len(notices))
        return [None if notice.offset else notice for notice in notices]

    kafka.publish("survey", *(b"%d" % n for n in range(4000)))
    with Reading(kafka.bootstrap_servers, "survey", accept=accept,
                 reader={"bulk": {"survey"}}) as reading:
        poll(lambda: sum(batches) == 4000, 20, f"all are seen, {sum(batches)} are")
        assert reading.reader._lanes.old is None
    assert max(batches) == MOST
    # The mock cluster gave the topic four partitions, each with an offset 0.
    assert (reading.noted["survey"].seen, reading.noted["survey"].kept) == (4000, 4)


def test_turns_are_short_and_rests_long_while_there_is_live_traffic() -> None:
    pace = Pace(turn=0.010, share=0.5)
    for _ in range(50):
        pace.took(10, 0.01)
    assert pace.size == 100
    pace.live()
    assert pace.size == 10
    pace.took(10, 0.2)
    assert 0.15 < pace.wait() <= 0.2


def test_what_is_to_be_kept_waits_for_crowded_workers_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_pace, "PATIENCE", 0.5)
    pace = Pace(crowded=lambda: True)
    assert pace.wait() > 0
    poll(lambda: pace.wait() == 0, 5, "a turn is due")
    pace.took(kafka_pace.AT_ONCE, 0.001)
    poll(lambda: pace.wait() > 0.1, 5, "it rests again")


def test_however_slow_the_ledger_is_a_backlog_goes_on() -> None:
    pace = Pace()
    pace.live()
    for _ in range(50):
        pace.took(10, 30.0)
    assert pace.size > 0
