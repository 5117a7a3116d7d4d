"""Any Kafka topic: JSON, Avro with its schema inside, or bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from ..errors import HandlerError, NoticeError
from ..notice import Notice
from .registry import Handler, register, topic_of

_AVRO = b"Obj\x01"


def records(notice: Notice) -> list[Any]:
    """Return the records of an Avro object container file.

    Raises
    ------
    NoticeError
        If it is damaged.
    """
    import fastavro
    from billiard.exceptions import SoftTimeLimitExceeded

    try:
        return list(fastavro.reader(io.BytesIO(notice.payload)))
    except SoftTimeLimitExceeded:
        raise
    # Damaged bytes fail in each decoder's and codec's own way, zlib's and struct's among them.
    except Exception as e:
        raise NoticeError("payload", notice.payload[:20],
                          f"is not readable Avro: {type(e).__name__}: {e}") from None


def decode(notice: Notice) -> Any:
    """Return a message's content: Avro records, a JSON value, or else the bytes as they are.

    One Avro record is returned by itself, several as a list.
    """
    if notice.payload.startswith(_AVRO):
        found = records(notice)
        return found[0] if len(found) == 1 else found
    if notice.payload[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return notice.json()
    return notice.payload


class KafkaStream:
    """Topics by name."""

    name = "kafka"

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
        `decode` returns), ``name``.
    """
    if not topics:
        raise HandlerError("kafka.handler", "names no topic", "Give at least one")
    return register(stream, tuple(topic_of("kafka.handler", t) for t in topics), **options)
