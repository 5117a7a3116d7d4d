"""Errors: what librdkafka complains of, and what the reader says about it, with a remedy."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

from confluent_kafka import KafkaError

from ..errors import GWBrokerError
from .kafka_topics import TopicBook
from .quiet import QuietLog

log = logging.getLogger(__name__)

TOLD = (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED)
GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION)

OVER = 10.0
"""Seconds after which an answer that was too large is taken to be no trouble any more."""

_TOO_LARGE = re.compile(r"Invalid response size (\d+)")


class KafkaReaderError(GWBrokerError):
    """A Kafka client cannot go on."""


class Errors:
    """Called with each error of a client itself, several times a second while one lasts.

    Parameters
    ----------
    source : str
        What errors and the log call it.
    book : TopicBook
        Told of problems.
    no_token : callable
        Tells whether there is no token, so that the client cannot but complain.
    """

    def __init__(self, source: str, book: TopicBook, no_token: Callable[[], bool]) -> None:
        self._source = source
        self._book = book
        self._no_token = no_token
        self._too_large: float | None = None
        self._log = QuietLog(log)

    def __call__(self, error: KafkaError) -> None:
        """Note an error.

        Raises
        ------
        KafkaReaderError
            If the client is beyond repair.
        """
        said = f"{error.name()}: {error.str()}"
        if error.fatal():
            raise KafkaReaderError(f"{self._source}: {said}")
        size = _TOO_LARGE.search(error.str())
        if size:
            self._too_large = time.monotonic()
            self._book.fails("size", f"Kafka has a message with which an answer takes {size[1]} "
                             "bytes, more than four times max_message in the settings: set that "
                             f"to {-(-int(size[1]) // 4)} at least, or nothing more is read from "
                             "that broker")
        elif error.code() not in TOLD or self._no_token():
            # librdkafka repeats itself about 20 times a second while a broker is down, and is
            # well again by itself; if nothing answers, `Places.refresh` tells.
            self._log(logging.WARNING, error.name(), "%s: %s", self._source, said)
        else:
            self._book.fails("cluster", said)

    def turn(self) -> None:
        """Note what is over."""
        if self._too_large is not None and time.monotonic() - self._too_large > OVER:
            self._too_large = None
            self._book.works("size")


def explain(error: KafkaError, group: str) -> str:
    """Return an error of Kafka's with a remedy, where there is one."""
    remedy = ""
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        remedy = "; ask its owners to let this account read it"
    elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
        remedy = f"; this account may not use the group_id {group}: set one that it may"
    return f"{error.str()}{remedy}"
