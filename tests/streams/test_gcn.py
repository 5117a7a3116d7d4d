"""GCN: classic notices by type over any road, JSON by topic."""

from __future__ import annotations

from importlib.resources import files

import pytest

from gwbroker.errors import HandlerError, NoticeError
from gwbroker.notice import Notice
from gwbroker.streams import gcn
from gwbroker.streams.gcn import NoticeType, notice_type, stream
from gwbroker.streams.voevent import VOEvent

FERMI = (files("gcn") / "tests/data/gbm_flt_pos.xml").read_bytes()
KEYS = (NoticeType.FERMI_GBM_FLT_POS,)


def packet(kind: str) -> Notice:
    """Return a VOEvent over TCP with a packet type."""
    return Notice(f"<VOEvent ivorn='ivo://a/b#1'><What><Param name='Packet_Type' value='{kind}'/>"
                  "</What></VOEvent>".encode(), topic="voevent")


@pytest.mark.parametrize(("key", "remedy"), [
    (9999, "See gcn.NoticeType"),
    ("FERMI_GBM_FIN_PO", "Did you mean FERMI_GBM_FIN_POS"),
    ("my.topic", "kafka.handler"),
    ("gcn.with blank", "letters, digits"),
    (None, "letters, digits"),
    (1.5, "letters, digits"),
])
def test_an_unknown_type_or_topic_is_refused_with_the_remedy(key: object, remedy: str):
    with pytest.raises(HandlerError) as caught:
        gcn.handler(key)  # type: ignore[arg-type]
    assert remedy in str(caught.value)


def test_a_handler_without_type_and_topic_is_refused():
    with pytest.raises(HandlerError, match="Give at least one"):
        gcn.handler()


def test_types_become_topics_and_topics_stay():
    assert stream.topics((NoticeType.FERMI_GBM_FLT_POS, "gcn.circulars")) == {
        "gcn.classic.voevent.FERMI_GBM_FLT_POS", "gcn.circulars"}


def test_a_type_is_wanted_by_its_topic_and_by_what_is_inside_a_packet_over_tcp():
    assert stream.wants(KEYS, Notice(b"", topic="gcn.classic.voevent.FERMI_GBM_FLT_POS"))
    assert stream.wants(KEYS, Notice(FERMI, topic="voevent"))
    assert not stream.wants(KEYS, Notice(FERMI, topic="my.topic"))
    assert not stream.wants(KEYS, Notice(b"", topic="gcn.classic.voevent.FERMI_GBM_GND_POS"))
    assert stream.wants(("gcn.circulars",), Notice(b"", topic="gcn.circulars"))


@pytest.mark.parametrize("kind", ["", "x", "-1", "999999", "1e3", "²"])
def test_a_packet_type_that_is_none_is_no_type(kind: str):
    assert notice_type(packet(kind)) is None
    assert not stream.wants(KEYS, packet(kind))


def test_an_unreadable_packet_over_tcp_is_an_error_for_who_wants_a_type():
    for payload in (b"{}", b"<VOEvent", b"\xff", b""):
        with pytest.raises(NoticeError):
            stream.wants(KEYS, Notice(payload, topic="voevent"))


def test_where_gets_a_voevent_for_xml_and_the_value_for_json():
    alert = stream.alert(Notice(FERMI, topic="gcn.classic.voevent.FERMI_GBM_FLT_POS"))
    assert isinstance(alert, VOEvent)
    assert alert.params["Packet_Type"] == "111"
    assert stream.alert(Notice(b'{"ra": 1}', topic="gcn.notices.x")) == {"ra": 1}
