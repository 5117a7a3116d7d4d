"""When a message was made is read from the message, else from Kafka's timestamp."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gwbroker.notice import Notice
from gwbroker.streams.issued import age, issued

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SENT = datetime(2026, 11, 1, 11, 59, 58, tzinfo=UTC)
CREATED = datetime(2026, 10, 1, 6, 30, tzinfo=UTC)
MS = CREATED.timestamp() * 1000
ISO = "2026-10-01T06:30:00Z"


def notice(topic: str, value: Any, sent: datetime | None = SENT) -> Notice:
    """Return a message that arrived at noon."""
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Notice(payload, "kafka.gcn", topic, 0, 1, received=NOW, sent=sent)


@pytest.mark.parametrize(("topic", "value"), [
    ("gcn.circulars", {"circularId": 1, "createdOn": MS}),
    ("gcn.circulars.grb", {"circularId": 1, "createdOn": MS - 5e9, "editedOn": MS}),
    ("gcn.notices.einstein_probe.wxt.alert", {"alert_datetime": ISO}),
    ("gcn.notices.einstein_probe.wxt.alert", {"alert_datetime": "2026-10-01T08:30:00+02:00",
                                              "trigger_time": "2026-10-01T00:00:00Z"}),
    ("igwn.gwalert", {"superevent_id": "S1", "time_created": "2026-10-01T06:30:00"}),
    ("my.own.topic", {"alert_datetime": ISO}),
    ("voevent", f"<VOEvent ivorn='ivo://a/b#c'><Who><Date>{ISO}</Date></Who></VOEvent>".encode()),
    ("gcn.classic.voevent.FERMI_GBM_FIN_POS",
     b"<v:VOEvent xmlns:v='x' ivorn='ivo://a/b#c'><Who><Date>2026-10-01T06:30:00</Date></Who>"
     b"</v:VOEvent>"),
])
def test_a_message_says_itself_when_it_was_made(topic: str, value: Any):
    assert issued(notice(topic, value)) == CREATED
    assert age(notice(topic, value)) == (NOW - CREATED).total_seconds()


@pytest.mark.parametrize(("topic", "value"), [
    ("gcn.circulars", {"createdOn": "yesterday"}), ("gcn.circulars", {"createdOn": True}),
    ("gcn.circulars", {"createdOn": 1e300}), ("gcn.circulars", {"createdOn": -1}),
    ("gcn.circulars", {"createdOn": 0}), ("gcn.circulars", []), ("gcn.circulars", b"{"),
    ("gcn.circulars", {"createdOn": (NOW + timedelta(days=3)).timestamp() * 1000}),
    ("gcn.notices.chime.frb", {"alert_datetime": "9999-12-31T23:59:59-23:00"}),
    ("gcn.notices.chime.frb", {"alert_datetime": "0001-01-01T00:00:00Z"}),
    ("gcn.notices.chime.frb", {"alert_datetime": ["x"], "trigger_time": ISO}),
    ("gcn.notices.chime.frb", {"alert_datetime": "soon"}), ("gcn.notices.chime.frb", b"\xff"),
    ("igwn.gwalert", b"Obj\x01"), ("igwn.gwalert", b"[" * 100_000),
    ("voevent", b"<VOEvent/>"), ("voevent", b"<"), ("voevent", b""),
    ("voevent", b"<VOEvent ivorn='ivo://a'><Who><Date>once</Date></Who></VOEvent>"),
    ("my.own.topic", b"\x00\x01"), ("my.own.topic", {"time": ISO}),
])
def test_what_says_nothing_usable_is_as_old_as_kafka_says(topic: str, value: Any):
    assert issued(notice(topic, value)) == SENT
    assert issued(notice(topic, value, sent=None)) is None
    assert age(notice(topic, value, sent=None)) == 0


def test_a_clock_that_is_ahead_makes_nothing_younger_than_new():
    ahead = notice("gcn.notices.chime.frb", {"alert_datetime": "2026-11-01T20:00:00Z"})
    assert age(ahead) == 0


def test_one_bad_field_does_not_hide_the_other():
    both = {"alert_datetime": "soon", "time_created": ISO}
    assert issued(notice("igwn.gwalert", both)) == CREATED


def test_kafkas_timestamp_may_be_absurd_too():
    assert issued(notice("t", b"x", sent=datetime(1970, 1, 2, tzinfo=UTC))) is None
