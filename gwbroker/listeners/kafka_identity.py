"""Identity: whether a topic is still the one that was read, or one made anew under its name.

Offsets of the old one mean nothing in the new: whoever goes on from them leaves out its first
messages. Kafka gives each topic an id (KIP-516, from 2.8 on); where it does not tell, a topic
that is made anew between two looks is only noticed if its offsets end before ours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

log = logging.getLogger(__name__)

ANSWER = 10.0
"""Seconds after which an answer is not waited for any more."""


class Identity:
    """The ids of topics, asked for without ever waiting for the answer.

    Parameters
    ----------
    make : callable
        Returns a client to ask with.
    """

    def __init__(self, make: Callable[[], AdminClient]) -> None:
        self._make = make
        self._client: AdminClient | None = None
        self._asked: dict[str, Future[Any]] = {}
        self._known: dict[str, str] = {}

    def changed(self, topics: Collection[str]) -> set[str]:
        """Return the topics that are others than before, as far as is known by now."""
        if self._client is not None:
            # For its token, if it needs one.
            self._client.poll(0)
        if not all(future.done() for future in self._asked.values()):
            return set()
        changed = set()
        for topic, future in self._asked.items():
            try:
                found = future.result(0).topic_id
            except KafkaException as e:
                log.debug("the id of topic %s is not told: %s", topic, e.args[0].str())
                continue
            # A server that knows of no ids tells this one.
            if found is None or not (found.get_most_significant_bits()
                                     or found.get_least_significant_bits()):
                continue
            if self._known.setdefault(topic, str(found)) != str(found):
                self._known[topic] = str(found)
                changed.add(topic)
        self._asked = {}
        if topics:
            if self._client is None:
                self._client = self._make()
            self._asked = self._client.describe_topics(
                TopicCollection(sorted(topics)), request_timeout=ANSWER)
        return changed

    def close(self) -> None:
        """Ask no more; a server that hangs would keep us until the last answer is overdue."""
        client, self._client = [self._client], None
        threading.Thread(target=client.clear, name="close Kafka admin", daemon=True).start()
