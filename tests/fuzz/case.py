"""Case: one message as an input of the fuzzer, which is bytes: a line that says by what road it
came, and the payload."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gwbroker.notice import Notice


@dataclass(frozen=True)
class Case:
    """One message: topic, Kafka headers, payload."""

    topic: str
    payload: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    def pack(self) -> bytes:
        """Return it as one input."""
        road = {"topic": self.topic, "headers": [[k, v.hex()] for k, v in self.headers]}
        return json.dumps(road).encode() + b"\n" + self.payload

    @property
    def notice(self) -> Notice:
        """The message as a listener makes it, anew each time: what was read is kept in it."""
        return Notice(self.payload, source="kafka.fuzz", topic=self.topic, headers=self.headers)


def unpack(data: bytes) -> Case:
    """Return the message of an input; one without a first line is all payload."""
    line, _, payload = data.partition(b"\n")
    try:
        road = json.loads(line)
        headers = tuple((str(k), bytes.fromhex(v)) for k, v in road["headers"])
        return Case(str(road["topic"]), payload, headers)
    except (ValueError, KeyError, TypeError, RecursionError):
        return Case("voevent", data)
