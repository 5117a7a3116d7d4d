"""Publisher: publishes at a steady rate, and remembers all that was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaException, Producer

from gwbroker.embedded.vtp import VOEventServer

from .plan import LATE, TOPICS, Message, Plan

PACKETS = 1.0
"""VOEvent packets per second."""


class Publisher(threading.Thread):
    """Publishes to Kafka and over VOEvent TCP until it is stopped.

    Parameters
    ----------
    servers : str
        Kafka's ``bootstrap.servers``.
    rate : float
        Messages per second.
    dice : random.Random
        The source of chance.
    vtp : VOEventServer
        Over which packets are broadcast; it repeats what nobody acknowledged.
    make_late : callable
        Makes the topic that is not there at the beginning; may fail, then it is tried again.
    late_after : float
        Seconds after which it is made.
    """

    def __init__(
        self, servers: str, rate: float, dice: random.Random, vtp: VOEventServer,
        make_late: Callable[[], object], late_after: float,
    ) -> None:
        super().__init__(name="publisher", daemon=True)
        self.published: list[Message] = []
        self.places: dict[tuple[str, int, int], int] = {}
        """Kafka's (topic, partition, offset) of each acknowledged message, and its number."""
        self.refused: list[str] = []
        self.times: dict[int, float] = {}
        self._plan = Plan(dice)
        self._servers, self._rate, self._vtp = servers, rate, vtp
        self._make_late, self._late_after, self._late = make_late, late_after, False
        self._end = threading.Event()
        self._producer = Producer({
            "bootstrap.servers": servers, "enable.idempotence": True, "acks": "all",
            "message.timeout.ms": 0, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000,
            "reconnect.backoff.max.ms": 500, "topic.metadata.refresh.interval.ms": 5000,
            "log_level": 0, "error_cb": self._on_error})

    def _on_error(self, error: Any) -> None:
        if error.fatal():
            self.refused.append(str(error))

    def run(self) -> None:
        """Publish until the end."""
        began = time.monotonic()
        sent, packets = 0, 0
        while not self._end.wait(0.02):
            passed = time.monotonic() - began
            if not self._late and passed > self._late_after:
                self._try_late()
            while sent < passed * self._rate:
                for message in self._plan.messages(self._late):
                    self._send(message)
                    sent += 1
            if packets < passed * PACKETS:
                packets += 1
                message = self._plan.packet(datetime.now(UTC).isoformat()[:19])
                self._vtp.broadcast(message.payload)
                self._note(message)
            self._producer.poll(0)

    def _try_late(self) -> None:
        try:
            self._make_late()
        except (KafkaException, AssertionError):
            self._late_after += 5
        else:
            self._late = True

    def _note(self, message: Message) -> None:
        self.published.append(message)
        self.times.setdefault(message.number, time.time())

    def _send(self, message: Message) -> None:
        def report(error: Any, delivered: Any) -> None:
            if error is None:
                place = (delivered.topic(), delivered.partition(), delivered.offset())
                self.places[place] = message.number
            else:
                self.refused.append(f"{message.number}: {error}")

        self._producer.produce(message.topic, message.payload, key=message.key,
                               on_delivery=report)
        self._note(message)

    def stop(self) -> None:
        """Stop, when Kafka has acknowledged everything.

        Raises
        ------
        AssertionError
            If it refused something, or does not acknowledge all within a minute.
        """
        self._end.set()
        self.join()
        left = self._producer.flush(60)
        assert not left, f"Kafka did not acknowledge {left} messages"
        assert not self.refused, f"Kafka refused {len(self.refused)}: {self.refused[:3]}"

    @property
    def topics(self) -> list[str]:
        """The topics that are there by now."""
        return [t for t in TOPICS if self._late or t != LATE]
