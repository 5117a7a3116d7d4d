"""Any Kafka topic: JSON, Avro, or bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import schemas
from ..errors import HandlerError, NoticeError
from ..notice import Notice
from . import avro
from .registry import Handler, register, topic_of

_FRAME = 5
"""Bytes before a value in Confluent's wire format: a nought and four of the schema's number."""


def records(notice: Notice) -> list[Any]:
    """Return the records of an Avro object container file.

    Raises
    ------
    NoticeError
        If it is damaged.
    """
    return avro.container(notice.payload)


def decode(notice: Notice) -> Any:
    """Return a message's content: Avro records, a JSON value, or else the bytes as they are.

    One Avro record is returned by itself, several as a list. A message that begins with the
    number of its schema (Confluent's wire format) is decoded where its cluster has a
    ``schema_registry`` in the settings. A message is decoded once: treat the result as
    read-only.

    Raises
    ------
    NoticeError
        If it is damaged.
    SchemaUnavailable
        If its schema cannot be fetched now.
    """
    if "_decoded" not in notice.__dict__:
        notice.__dict__["_decoded"] = _decode(notice)
    return notice.__dict__["_decoded"]


def _decode(notice: Notice) -> Any:
    payload = notice.payload
    if payload.startswith(avro.MAGIC):
        found = records(notice)
        return found[0] if len(found) == 1 else found
    if payload[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return notice.json()
    if payload[:1] == b"\0" and len(payload) > _FRAME:
        url = schemas.registry(notice.source)
        if url is not None:
            return _registered(payload, url)
    return payload


def _registered(payload: bytes, url: str) -> Any:
    number = int.from_bytes(payload[1:_FRAME], "big")
    try:
        schema = avro.prepare(schemas.schema(url, number))
    except NoticeError as e:
        raise NoticeError(f"schema {number}", e.value, e.problem) from None
    return avro.single(payload[_FRAME:], schema)


class KafkaStream:
    """Topics by name."""

    name = "kafka"
    batches = True

    def topics(self, keys: tuple[Any, ...]) -> set[str]:
        """Return the topics."""
        return set(keys)

    def wants(self, keys: tuple[Any, ...], notice: Notice) -> bool:
        """Tell whether a notice came by one of the topics."""
        return notice.topic in keys

    def alert(self, notice: Notice) -> Any:
        """Return the decoded content."""
        return decode(notice)


stream = KafkaStream()


def handler(*topics: str, **options: Any) -> Callable[[Handler], Handler]:
    """Register a handler for Kafka topics.

    Parameters
    ----------
    *topics : str
        The topics' names.
    **options
        ``queue``, ``retries``, ``backoff``, ``time_limit``, ``where`` (called with what
        `decode` returns), ``max_age``, ``tells``, ``batch`` (the handler is called with a
        list of up to so many notices, and only what its ``where`` wants is kept), ``name``.
    """
    if not topics:
        raise HandlerError("kafka.handler", "names no topic", "Give at least one")
    return register(stream, tuple(topic_of("kafka.handler", t) for t in topics), **options)
