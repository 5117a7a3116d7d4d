"""The sample alerts that `gwbroker demo` publishes, made from published facts.

The messages lie in ``messages/``; ``index.toml`` says in which order and over which road they
are sent, what should become of each, and where its facts were published.  They are made by
``python -m gwbroker.samples.make``.  Nobody should take one for a real alert: the sky maps are
simulated, and events from before a format existed are told in that format all the same.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

ROADS = ("kafka", "vtp")
"""How a sample travels: on a Kafka topic, or by the VOEvent Transport Protocol."""

EXPECTATIONS = ("event", "duplicate", "dead", "flagged", "kept")
"""What can become of a sample: it opens or moves on an event, is recognised as seen before,
ends in a dead job, opens an event with a flag, or is only kept."""


@dataclass(frozen=True)
class Sample:
    """One message of the demonstration.

    Parameters
    ----------
    file : str
        Name of the file in ``messages/`` that holds it.
    road : str
        One of `ROADS`.
    topic : str
        The Kafka topic; empty for the VOEvent Transport Protocol.
    what : str
        One sentence that says what it is.
    event : str
        Name of the event that it belongs to; empty if it belongs to none.
    expect : str
        One of `EXPECTATIONS`.
    facts : str
        Where its facts were published.
    """

    file: str
    road: str
    topic: str
    what: str
    event: str
    expect: str
    facts: str

    def payload(self) -> bytes:
        """Return the bytes of the message."""
        return (files(__name__) / "messages" / self.file).read_bytes()


def load() -> list[Sample]:
    """Return the samples, in the order in which they are sent."""
    index = tomllib.loads((files(__name__) / "index.toml").read_text("utf-8"))
    return [Sample(**row) for row in index["sample"]]
