"""Subscriber: what the broadcaster knows of one who is connected."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .vtp_feed import Event


@dataclass
class Subscriber:
    """What is known of one subscriber.

    Attributes
    ----------
    ready : bool
        Whether it has said what it wants, or had the time to.
    held : deque of Event
        What came before that, or waits until it has taken what came earlier.
    outstanding : dict
        Number and time of sending of what it has not acknowledged, by ivorn, oldest first.
    acked : bool
        Whether it has acknowledged anything since the last sign of life.
    """

    filters: frozenset[str] = frozenset()
    ready: bool = False
    held: deque[Event] = field(default_factory=deque)
    outstanding: dict[str, tuple[int, float]] = field(default_factory=dict)
    acked: bool = False
    unanswered: int = 0
    alive_at: float = 0.0
