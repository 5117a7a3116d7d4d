"""Plan: what is published where, and which handler is to see it."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

TOPICS = {
    "chaos.a": 4, "chaos.b": 4, "gcn.notices.chaos.burst": 4, "chaos.map": 2, "chaos.flaky": 2,
    "chaos.poison": 1, "chaos.late": 2,
}
"""Topics and their partitions; ``chaos.late`` is made in the middle of the run."""

LATE = "chaos.late"
_SHARES = {"chaos.a": 40, "chaos.b": 22, "gcn.notices.chaos.burst": 25, "chaos.map": 4,
           "chaos.flaky": 6, "chaos.late": 3}
_HANDLER = {"chaos.a": "chaos.general", "chaos.b": "chaos.general", "chaos.late": "chaos.general",
            "gcn.notices.chaos.burst": "chaos.events", "chaos.map": "chaos.openmp",
            "chaos.flaky": "chaos.flaky"}
_SUBJECTS = 40
"""How many events have notices at the same time."""

PACKET = """<?xml version="1.0"?>
<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="test"
 ivorn="ivo://chaos.test/source#{number}"><Who><Date>{date}</Date></Who></v:VOEvent>
"""


@dataclass(frozen=True)
class Message:
    """One message to be published.

    Parameters
    ----------
    expected : tuple of str
        The handlers that are to have their effect for it, once; none for a repetition.
    """

    topic: str
    payload: bytes
    key: bytes | None
    number: int
    expected: tuple[str, ...]


class Plan:
    """What is published, drawn at random.

    Parameters
    ----------
    dice : random.Random
        The source of chance.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._number = 0
        self._places: dict[str, int] = {}
        self._subjects: list[str] = []
        self._recent: deque[Message] = deque(maxlen=2000)

    def messages(self, late: bool) -> Iterator[Message]:
        """Return the next messages; ``late`` is whether the late topic is published to."""
        chance = self._dice.random()
        if chance < 0.03 and self._recent:
            yield self._again(self._dice.choice(self._recent))
            return
        if chance < 0.032:
            self._number += 1
            yield Message("chaos.poison", b'{"number": %d}' % self._number, None, self._number, ())
            return
        topics = [t for t in _SHARES if late or t != LATE]
        topic = self._dice.choices(topics, [_SHARES[t] for t in topics])[0]
        made = self._serial(topic) if topic.startswith("gcn.") else self._plain(topic)
        self._recent.append(made)
        yield made
        if topic == "chaos.a" and self._dice.random() < 0.05:
            # The same bytes on two topics, as circulars come; one action.
            yield Message("chaos.b", made.payload, made.key, made.number, ())

    def _again(self, message: Message) -> Message:
        return Message(message.topic, message.payload, message.key, message.number, ())

    def _plain(self, topic: str) -> Message:
        self._number += 1
        expected = [_HANDLER[topic]]
        if topic == "chaos.a" and self._number % 8 == 0:
            expected.append("chaos.outside")
        payload = {"number": self._number, "padding": "x" * self._dice.randrange(800)}
        return Message(topic, json.dumps(payload).encode(), None, self._number, tuple(expected))

    def _serial(self, topic: str) -> Message:
        self._number += 1
        if len(self._subjects) < _SUBJECTS or self._dice.random() < 0.02:
            self._subjects.append(f"event-{self._number}")
            self._subjects = self._subjects[-_SUBJECTS:]
        subject = self._dice.choice(self._subjects)
        place = self._places[subject] = self._places.get(subject, 0) + 1
        payload = {"number": self._number, "id": subject, "subject": subject, "place": place}
        return Message(topic, json.dumps(payload).encode(), subject.encode(), self._number,
                       (_HANDLER[topic],))

    def packet(self, date: str) -> Message:
        """Return the next VOEvent packet."""
        self._number += 1
        return Message("voevent", PACKET.format(number=self._number, date=date).encode(), None,
                       self._number, ("chaos.packet",))
