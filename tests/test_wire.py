"""Our Redis transport: one client for a channel, and a new one after its connections are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from gwbroker import wire

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
