"""A notice is read safely, whatever somebody sends."""

from __future__ import annotations

import contextlib
import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwbroker.errors import NoticeError
from gwbroker.notice import Notice, looks_like_xml

BILLION_LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY a "ha">
""" + b"".join(
    b'<!ENTITY a%d "%s">' % (i + 1, b"&a%d;" % i * 10 if i else b"&a;" * 10) for i in range(9)
) + b"]><x>&a9;</x>"
QUADRATIC = (b'<!DOCTYPE x [<!ENTITY a "' + b"A" * 100_000 + b'">]><x>'
             + b"&a;" * 10_000 + b"</x>")


def test_the_digest_is_that_of_the_bytes():
    notice = Notice(b"\xff\x00abc")
    assert notice.sha256 == hashlib.sha256(b"\xff\x00abc").hexdigest()
    assert notice.digest.hex() == notice.sha256


def test_a_notice_is_frozen_and_does_not_show_its_bytes():
    notice = Notice(b"secret", topic="a")
    with pytest.raises(AttributeError):
        notice.topic = "b"  # type: ignore[misc]
    assert "secret" not in repr(notice)


def test_json_and_xml_are_read_once():
    assert Notice(b'\xef\xbb\xbf{"a": [1, null]}').json() == {"a": [1, None]}
    notice = Notice(b"<a><b/></a>")
    assert notice.xml() is notice.xml()
    assert notice.xml()[0].tag == "b"


@pytest.mark.parametrize("payload", [BILLION_LAUGHS, QUADRATIC], ids=["exponential", "quadratic"])
def test_an_entity_bomb_is_refused_at_once(payload: bytes):
    began = time.process_time()
    with pytest.raises(NoticeError):
        Notice(payload).xml()
    assert time.process_time() - began < 1


@pytest.mark.parametrize("declaration", [
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:9/">]>',
    '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    "<!DOCTYPE x>",
])
def test_external_entities_and_any_document_type_are_refused(declaration: str):
    reference = "&e;" if "ENTITY e" in declaration else ""
    with pytest.raises(NoticeError) as caught:
        Notice(f"<?xml version='1.0'?>{declaration}<x>{reference}</x>".encode()).xml()
    assert "root:" not in str(caught.value)


def test_an_xinclude_is_left_alone():
    payload = (b'<x xmlns:xi="http://www.w3.org/2001/XInclude">'
               b'<xi:include href="file:///etc/passwd" parse="text"/></x>')
    root = Notice(payload).xml()
    assert "".join(root.itertext()) == ""


@pytest.mark.parametrize("payload", [
    b"", b"   ", b"<", b"<a>", b"<a></b>", b"text", b"<a>&undefined;</a>", b"\x00", b"<a\x00/>",
    b"<?xml version='1.0' encoding='no-such'?><a/>", b"\xff\xfe<", b"<a>\xff</a>",
    b"<a>" * 5000 + b"</a>" * 5000, b"<a b='1' b='2'/>",
])
def test_xml_that_is_none_is_a_notice_error(payload: bytes):
    with pytest.raises(NoticeError):
        Notice(payload).xml()


@pytest.mark.parametrize("payload", [
    b"", b"{", b"{'a': 1}", b"[1,]", b"NaN", b'{"far": NaN}', b"[Infinity]", b"[-Infinity]",
    b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b'"\xff"', b"nul", b"1 2",
    b"1" * 5000,
])
def test_json_that_is_none_is_a_notice_error(payload: bytes):
    with pytest.raises(NoticeError):
        Notice(payload).json()


def test_the_error_says_where_and_what():
    with pytest.raises(NoticeError, match="line 2 column 9") as caught:
        Notice(b'{"a": 1,\n "far": nonsense}').json()
    assert "nonsense" in str(caught.value)
    assert caught.value.field == "payload"
    with pytest.raises(NoticeError, match="byte 3 is not valid UTF-8"):
        Notice(b"abc\xff").text()


def test_the_error_about_a_huge_message_is_short():
    for payload in (b"\xff" * (8 << 20), b"{" * (8 << 20), b"<a" * (4 << 20)):
        with pytest.raises(NoticeError) as caught:
            (Notice(payload).xml if looks_like_xml(payload) else Notice(payload).json)()
        assert len(str(caught.value)) < 500


def test_eight_mebibytes_are_read():
    text = "x" * (8 << 20)
    assert Notice(f'["{text}"]'.encode()).json() == [text]
    assert Notice(b"").payload == b""
    # A text of up to 10 MB is what libxml2 takes.
    assert Notice(f"<a>{text}</a>".encode()).xml().text == text


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(payload: bytes):
    for read in (Notice(payload).xml, Notice(payload).json, Notice(payload).text):
        with contextlib.suppress(NoticeError):
            read()
