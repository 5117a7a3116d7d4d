"""Kombu's Redis transport, which makes one client for a channel instead of one for each message.

Making a `redis.Redis` takes longer than sending a message with it; it only wraps the
channel's pool of connections, so one does for all.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    """A channel that keeps its client as long as its pool."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[no-untyped-call]
        return self._kept


class Transport(redis.Transport):
    """The transport with these channels."""

    Channel = Channel


def install() -> None:
    """Let every Redis URL, also that of a Unix socket, lead here."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
