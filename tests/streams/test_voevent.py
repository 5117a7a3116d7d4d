"""Which messages are VOEvents, by whatever road they come."""

from __future__ import annotations

import pytest

from gwbroker.errors import NoticeError
from gwbroker.notice import Notice
from gwbroker.streams.voevent import stream

PACKET = b"<VOEvent ivorn='ivo://a/b#1'/>"


@pytest.mark.parametrize("payload", [b"<html/>", b"<VOEvent", b"<!DOCTYPE a><a/>"])
def test_other_xml_is_a_mistake_only_where_voevents_are_expected(payload: bytes):
    assert not stream.wants((), Notice(payload, topic="my.own"))
    for topic in ("voevent", "gcn.classic.voevent.FERMI_GBM_FIN_POS"):
        with pytest.raises(NoticeError):
            stream.wants((), Notice(payload, topic=topic))


@pytest.mark.parametrize("topic", ["my.own", "voevent"])
def test_a_voevent_is_wanted_on_any_topic_by_its_ivorn(topic: str):
    assert stream.wants(("ivo://a/*",), Notice(PACKET, topic=topic))
    assert not stream.wants(("ivo://c/*",), Notice(PACKET, topic=topic))
