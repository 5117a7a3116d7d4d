"""Kombu's Redis transport, with two lists for each queue and one client for a channel.

Jobs of old messages go to a list of their own, which workers look at when nothing waits on
the live one. And making a `redis.Redis`, which kombu does for each message, takes longer than
sending it; it only wraps the channel's pool of connections, so one does for all.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis

log = logging.getLogger(__name__)

PRIORITIES = [0, 1]
"""Live, and old: each has its list in Redis, the second looked at after the first."""


class Channel(redis.Channel):
    """A channel that keeps its client as long as its pool."""

    priority_steps = PRIORITIES
    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[no-untyped-call]
        return self._kept

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        # kombu lets a thing that is no message end the worker. Here nothing is lost with it:
        # the sweep sends again what was to be done.
        except (ValueError, KeyError, TypeError, AttributeError):
            log.exception("what came over the wire is no message, and was dropped")
            return True


class Transport(redis.Transport):
    """The transport with these channels."""

    Channel = Channel


def place(queue: str, priority: int) -> str:
    """Return the name in Redis of the list on which jobs of a queue wait."""
    return f"{queue}{Channel.sep}{priority}" if priority else queue


def install() -> None:
    """Let every Redis URL, also that of a Unix socket, lead here."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
