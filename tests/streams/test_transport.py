"""Frames and messages of the VOEvent Transport Protocol."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gwbroker.errors import NoticeError, TransportError
from gwbroker.streams import transport
from gwbroker.streams.transport import Decoder, Packet, Transport, encode, parse

DATA = Path(__file__).parents[2] / "../shared/data/voevent"
ALIVE = transport.iamalive("ivo://broker/x").to_xml()
EVENT = (
    b"<?xml version='1.0' encoding='UTF-8'?><voe:VOEvent ivorn='ivo://a/b#1' role='test' "
    b"version='2.0' xmlns:voe='http://www.ivoa.net/xml/VOEvent/v2.0'><Who/></voe:VOEvent>"
)


def decode_all(decoder: Decoder) -> list[bytes]:
    found = []
    while (payload := decoder.next()) is not None:
        found.append(payload)
    return found


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_documents_come_out_as_they_went_in_however_the_bytes_are_cut(documents, size):
    stream = b"".join(encode(each) for each in documents)
    decoder = Decoder(300)
    found = []
    for i in range(0, len(stream), size):
        decoder.feed(stream[i : i + size])
        found += decode_all(decoder)
    assert found == documents
    assert len(decoder) == 0


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_no_bytes_make_the_decoder_fail_with_anything_but_a_transport_error(pieces):
    decoder = Decoder(64)
    try:
        for piece in pieces:
            decoder.feed(piece)
            assert all(len(each) <= 64 for each in decode_all(decoder))
    except TransportError:
        assert decoder.wanted > 64


def test_a_message_at_the_limit_is_taken_and_one_byte_more_is_refused():
    decoder = Decoder(10)
    decoder.feed(encode(b"x" * 10) + encode(b"y" * 11))
    assert decoder.next() == b"x" * 10
    with pytest.raises(TransportError, match="11 B"):
        decoder.next()


def test_a_huge_length_is_refused_before_any_of_the_message_arrives():
    decoder = Decoder()
    decoder.feed(b"\xff\xff\xff\xff")
    with pytest.raises(TransportError, match="4294967295 B"):
        decoder.next()


def test_a_document_of_no_bytes_is_a_document():
    decoder = Decoder()
    decoder.feed(encode(b"") + encode(b"a"))
    assert decode_all(decoder) == [b"", b"a"]


@given(st.binary(max_size=400))
def test_no_bytes_make_the_parser_fail_with_anything_but_our_errors(payload):
    with contextlib.suppress(NoticeError, TransportError):
        parse(payload)


@given(
    st.sampled_from([ALIVE, EVENT]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 6), st.binary(max_size=6)), max_size=5),
)
def test_no_damage_to_a_document_makes_the_parser_fail_with_anything_but_our_errors(
    document, wounds
):
    payload = bytearray(document)
    for where, length, what in wounds:
        payload[where : where + length] = what
    with contextlib.suppress(NoticeError, TransportError):
        parse(bytes(payload))


@pytest.mark.parametrize("namespace", [*transport.NAMESPACES, "", "http://4pisky.org/transport"])
def test_a_transport_message_is_understood_in_each_namespace_and_answered_in_it(namespace):
    sent = Transport("iamalive", "ivo://broker/x", namespace=namespace)
    seen = parse(sent.to_xml())
    assert isinstance(seen, Transport)
    assert (seen.role, seen.origin, seen.namespace) == ("iamalive", "ivo://broker/x", namespace)
    root = etree.fromstring(seen.answer("ivo://me").to_xml())
    assert etree.QName(root).namespace == (namespace or None)


def test_an_answer_has_its_children_in_order_and_a_time_in_utc():
    message = Transport(
        "nak", "ivo://a/b#1", "ivo://me", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "no",
        (("a", "b"),),
    )
    root = etree.fromstring(message.to_xml())
    assert [each.tag for each in root] == ["Origin", "Response", "TimeStamp", "Meta"]
    assert [each.tag for each in root.find("Meta")] == ["Param", "Result"]
    assert root.findtext("TimeStamp") == "2026-01-02T03:04:05Z"
    assert root.get("version") == "1.0"


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1).filter(
    lambda text: text.strip() == text and not set(text) & {"\ufffe", "\uffff"}))
def test_any_ivorn_survives_the_way_into_an_ack_and_back(ivorn):
    try:
        payload = transport.ack(ivorn, "ivo://me/&<>\"'").to_xml()
    except TransportError:
        return  # There are more characters that XML cannot carry.
    seen = parse(payload)
    assert isinstance(seen, Transport)
    assert (seen.origin, seen.response) == (ivorn, "ivo://me/&<>\"'")


def test_a_character_that_xml_cannot_carry_is_a_transport_error():
    with pytest.raises(TransportError, match="ack"):
        transport.ack("ivo://a\x00", "ivo://me").to_xml()


def test_filters_travel_in_the_answer_to_authenticate():
    seen = parse(transport.authenticate("ivo://b").answer("ivo://me", ("//*[@a<'1']",)).to_xml())
    assert isinstance(seen, Transport)
    assert seen.params == (("xpath-filter", "//*[@a<'1']"),)
    assert seen.response == "ivo://me"


def test_an_iamalive_without_origin_is_answered_with_our_own_name():
    seen = parse(b"<Transport role='iamalive' version='1.0'/>")
    assert isinstance(seen, Transport)
    assert seen.origin is None
    assert parse(seen.answer("ivo://me").to_xml()).origin == "ivo://me"


@pytest.mark.parametrize(
    ("document", "ivorn"),
    [
        (b"<VOEvent ivorn='ivo://a#1'/>", "ivo://a#1"),
        (b"<v:VOEvent xmlns:v='http://www.ivoa.net/xml/VOEvent/v1.1' ivorn='i1'/>", "i1"),
        (b"<q:VOEvent xmlns:q='http://www.ivoa.net/xml/VOEvent/v2.0' ivorn='i2'/>", "i2"),
        (b"<VOEvent xmlns='http://www.ivoa.net/xml/VOEvent/v2.1' ivorn='i&amp;3'/>", "i&3"),
        (b"<VOEvent ivorn='  '/>", None),
        (b"<VOEvent/>", None),
        ("<?xml version='1.0' encoding='iso-8859-1'?><VOEvent ivorn='é'/>".encode("latin-1"), "é"),
        ("<VOEvent ivorn='é'/>".encode("utf-16"), "é"),
    ],
)
def test_a_voevent_of_any_version_prefix_and_encoding_is_recognised(document, ivorn):
    assert parse(document) == Packet(ivorn, None, None)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.xml")), ids=lambda path: path.name)
def test_recorded_packets_are_recognised(path):
    packet = parse(path.read_bytes())
    assert isinstance(packet, Packet)
    assert packet.ivorn.startswith("ivo://")


@pytest.mark.parametrize(
    "document",
    [
        b"<html/>",
        b"<Transport/>",
        b"<Transport role='shout'><Origin>a</Origin></Transport>",
    ],
)
def test_a_document_outside_the_protocol_is_a_transport_error(document):
    with pytest.raises(TransportError):
        parse(document)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Transport",
        b"<!DOCTYPE VOEvent [<!ENTITY a 'b'>]><VOEvent ivorn='&a;'/>",
        b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><VOEvent ivorn='x'/>",
        b"<a>" * 5000,
    ],
)
def test_a_document_that_is_not_safe_xml_is_a_notice_error(document):
    with pytest.raises(NoticeError):
        parse(document)


def test_a_time_that_is_missing_wrong_or_out_of_range_is_none():
    for stamp in ("", "yesterday", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z"):
        seen = parse(f"<Transport role='ack'><TimeStamp>{stamp}</TimeStamp></Transport>".encode())
        assert seen.timestamp is None
    seen = parse(b"<Transport role='ack'><TimeStamp>2026-01-01T00:00:00</TimeStamp></Transport>")
    assert seen.timestamp == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_voevent_is_handed_on_without_being_parsed_and_a_transport_message_is_seen():
    assert transport.may_be_transport(ALIVE)
    assert transport.may_be_transport(ALIVE.decode().replace("UTF-8", "UTF-16").encode("utf-16"))
    assert not transport.may_be_transport(EVENT)
