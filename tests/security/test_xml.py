"""XML of strangers is read without document types, entities, files and network."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from gwbroker.errors import NoticeError
from gwbroker.notice import Notice, looks_like_xml
from gwbroker.streams import gcn, transport, voevent
from gwbroker.streams.subject import identify

LAUGHS = "<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))

DOCTYPES = {
    "empty": "<!DOCTYPE a>",
    "laughs": f"<!DOCTYPE a [{LAUGHS}]>",
    "quadratic": f"<!DOCTYPE a [<!ENTITY a11 '{'x' * 50_000}'>]>",
    "file": "<!DOCTYPE a [<!ENTITY a11 SYSTEM 'file://{file}'>]>",
    "dtd": "<!DOCTYPE a SYSTEM 'file://{file}'>",
    "network": "<!DOCTYPE a SYSTEM 'http://127.0.0.1:{port}/x.dtd'>",
    "public": "<!DOCTYPE a PUBLIC '-//x//y' 'http://127.0.0.1:{port}/x.dtd'>",
    "parameter": "<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:{port}/x'> %p;]>",
    "attribute": "<!DOCTYPE a [<!ATTLIST a ivorn CDATA 'ivo://forged/by#default'>]>",
}


@pytest.fixture
def heard():
    """A server on this host, and what connects to it."""
    connections: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connections.append(server.accept()[0].close())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], connections
        over.set()
        thread.join()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that nobody outside may read."""
    path = tmp_path / "secret"
    path.write_text("hush-hush")
    return path


@pytest.mark.parametrize("kind", list(DOCTYPES))
@pytest.mark.parametrize("place", ["text", "attribute"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "latin-1"])
def test_a_document_type_is_refused(heard, secret, kind, place, encoding):
    port, connections = heard
    doctype = DOCTYPES[kind].replace("{file}", str(secret)).replace("{port}", str(port))
    used = "&a11;" if "a11" in doctype else ""
    inner = f"<a ivorn='{used}'/>" if place == "attribute" else f"<a>{used}</a>"
    name = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    payload = f"<?xml version='1.0' encoding='{name}'?>{doctype}{inner}".encode(encoding)
    notice = Notice(payload, topic="voevent")
    with pytest.raises(NoticeError) as caught:
        notice.xml()
    assert "hush-hush" not in str(caught.value)
    assert identify(notice).identifier is None
    with pytest.raises(NoticeError):
        transport.parse(payload)
    assert connections == []


def test_nothing_that_a_document_points_to_is_opened(heard, secret):
    port, connections = heard
    url = f"http://127.0.0.1:{port}/x"
    payload = f"""<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="{url}"?>
        <?xml-model href="{url}"?>
        <v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://a/b#c"
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xml:base="{url}"
            xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0 {url}.xsd"
            xmlns:xi="http://www.w3.org/2001/XInclude">
        <What><xi:include href="file://{secret}" parse="text"/><xi:include href="{url}"/>
        <Param name="a" value="1"/></What>
        <WhereWhen><Reference uri="{url}"/></WhereWhen></v:VOEvent>""".encode()
    notice = Notice(payload, topic="voevent")
    packet = voevent.read(notice)
    assert packet.params == {"a": "1"}
    assert "hush-hush" not in "".join(notice.xml().itertext())
    assert gcn.notice_type(notice) is None
    assert connections == []


@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "utf-32", "utf-16-le", "iso-2022-jp"])
def test_other_encodings_are_no_way_around(encoding):
    text = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
    notice = Notice(text.encode(encoding), topic="voevent")
    looks_like_xml(notice.payload)
    with pytest.raises(NoticeError):
        notice.xml()


@pytest.mark.parametrize("payload", [
    b"<a>&undefined;</a>", b"<a>&#0;</a>", b"<a>\0</a>", b"<a><![CDATA[x]]></b>", b"<a/><b/>",
    b"<?xml version='1.0' standalone='no'?>", b"\xff\xfe<\0a\0", b"<a b='1' b='2'/>", b"<x:a/>x",
])
def test_what_is_not_well_formed_is_refused(payload):
    with pytest.raises(NoticeError):
        Notice(payload, topic="voevent").xml()
