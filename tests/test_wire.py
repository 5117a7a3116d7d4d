"""Our Redis transport: one client for a channel, and a new one after its connections are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from gwbroker import dispatch, jobs, wire
from gwbroker.ledger.jobs import Sendable
from gwbroker.tasks import upkeep

from . import servers


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[servers.Redis]:
    server = servers.Redis(tmp_path / "r.sock")
    with server:
        yield server


def test_messages_go_both_ways_through_one_client(redis: servers.Redis) -> None:
    wire.install()
    assert TRANSPORT_ALIASES["redis"] == "gwbroker.wire:Transport"
    with Connection(redis.url, transport_options={"ack_emulation": False}) as connection:
        channel = connection.default_channel
        assert isinstance(channel, wire.Channel)
        assert channel._create_client() is channel._create_client()
        with connection.SimpleQueue("test") as queue:
            for number in range(5):
                queue.put({"number": number})
            assert [queue.get(timeout=5).payload["number"] for _ in range(5)] == list(range(5))


def test_after_redis_was_away_a_new_client_is_made(redis: servers.Redis) -> None:
    wire.install()
    with Connection(redis.url) as connection:
        before = connection.default_channel._create_client()
        redis.stop()
        redis.start()
        connection._close()
        with connection.SimpleQueue("test") as queue:
            queue.put({"after": True})
            assert queue.get(timeout=5).payload == {"after": True}
        assert connection.default_channel._create_client() is not before


def test_old_jobs_wait_on_a_list_of_their_own_behind_all_live_ones(redis: servers.Redis) -> None:
    wire.install()
    with Connection(redis.url, transport_options={"ack_emulation": False}) as connection:
        client = connection.default_channel._create_client()
        with connection.SimpleQueue("test") as queue:
            for number, priority in enumerate([1, 1, 0, 1, 0]):
                queue.put({"number": number}, priority=priority)
            assert [client.llen(wire.place("test", p)) for p in wire.PRIORITIES] == [2, 3]
            order = [queue.get(timeout=5).payload["number"] for _ in range(5)]
    assert order == [2, 4, 0, 1, 3], "live ones first, each kind in its order"


def test_a_job_is_sent_to_the_list_of_its_priority(
    handlers: Callable[[str], Path], sqlite: str, request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("wire")
    handlers('from gwbroker.streams import kafka\n@kafka.handler("t")\ndef on_t(n): pass\n')
    dispatch.load()
    jobs.send([Sendable(1, "mine.on_t", "general", 1), Sendable(2, "mine.on_t", "general"),
               Sendable(3, "mine.on_t", "events", 1)])
    assert upkeep.empty_queues(0) == ["listeners", "openmp", "events"]
    assert upkeep.empty_queues(1) == ["listeners", "openmp"]
