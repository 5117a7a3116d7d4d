"""URLs in notices: fetched from known hosts at public addresses only, within size and time."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gwbroker.conf import settings
from gwbroker.errors import FetchError
from gwbroker.fetch import PUBLIC, Reach, fetch, is_public

from .. import https_site

HOST = "gracedb.ligo.org"
BODY = b"SIMPLE  = " * 1000


class Site(http.server.BaseHTTPRequestHandler):
    """A host that is sometimes hostile; it notes what it is asked."""

    asked: list[tuple[str, dict[str, str]]] = []  # noqa: RUF012
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer by what the path asks for."""
        self.asked.append((self.path, dict(self.headers)))
        what, _, rest = self.path.strip("/").partition("/")
        getattr(self, f"_{what.partition('?')[0]}")(rest)

    def _send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _whole(self, _: str) -> None:
        self._send(BODY)

    def _to(self, rest: str) -> None:
        self._send(b"", 302, Location=rest)

    def _round(self, _: str) -> None:
        self._send(b"", 302, Location="/round")

    def _missing(self, _: str) -> None:
        self._send(b"no", 404)

    def _packed(self, _: str) -> None:
        self._send(gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")

    def _promise(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(10**12))
        self.end_headers()

    def _short(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)
        self.close_connection = True

    def _endless(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")
        except OSError:
            self.close_connection = True

    def _drip(self, _: str) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(200):
                self.wfile.write(b"X: y\r\n")
                time.sleep(0.05)
        except OSError:
            self.close_connection = True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the host, signed by itself."""
    return https_site.certificate(HOST, tmp_path_factory.mktemp("tls") / "site.pem")


@pytest.fixture(scope="module")
def site(certificate: Path) -> Iterator[int]:
    """A server with TLS on this host; returns its port."""
    with https_site.serving(Site, certificate) as port:
        yield port


@pytest.fixture
def reach(site: int, certificate: Path, environment: pytest.MonkeyPatch) -> Reach:
    """A reach in which the known hosts are this one."""
    Site.asked.clear()
    return https_site.reach(site, certificate)


def url(site: int, path: str, host: str = HOST) -> str:
    """Return the URL of a path on the site."""
    return f"https://{host}:{site}/{path}"


def test_a_file_of_a_known_host_is_fetched_without_credentials(site, reach):
    assert fetch(url(site, "whole?x=1"), reach=reach) == BODY
    (path, headers), = Site.asked
    assert path == "/whole?x=1"
    assert headers["Host"] == f"{HOST}:{site}"
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie", "Referer"} & set(headers)


@pytest.mark.parametrize(("bad", "words"), [
    ("http://gracedb.ligo.org/x", "is not an https URL"),
    ("file:///etc/passwd", "is not an https URL"),
    ("ftp://gracedb.ligo.org/x", "is not an https URL"),
    ("//gracedb.ligo.org/x", "is not an https URL"),
    ("https:///x", "is not an https URL"),
    ("https://user:pass@gracedb.ligo.org/x", "has a user name"),
    ("https://gracedb.ligo.org@127.0.0.1/x", "has a user name"),
    ("https://gracedb.ligo.org:22/x", "names port 22"),
    ("https://gracedb.ligo.org:99999/x", "is not a URL"),
    ("https://[::1/x", "is not a URL"),
    ("https://evil.org/gracedb.ligo.org", "not in fetch_hosts"),
    ("https://gracedb.ligo.org.evil.org/", "not in fetch_hosts"),
    ("https://evil-gracedb.ligo.org/", "not in fetch_hosts"),
    ("https://127.0.0.1/x", "not in fetch_hosts"),
    ("https://[::1]/x", "not in fetch_hosts"),
    ("https://2130706433/x", "not in fetch_hosts"),
    ("https://localhost/x", "not in fetch_hosts"),
    ("https://169.254.169.254/latest/meta-data", "not in fetch_hosts"),
    ("https://gracedb.ligo.org\\@evil.org/", "characters that a URL may not have"),
    ("https://gracedb.ligo.org/\r\nHost: evil", "characters that a URL may not have"),
    ("https://gr\tacedb.ligo.org/x", "characters that a URL may not have"),
    ("https://ｇracedb.ligo.org/x", "characters that a URL may not have"),
    ("https://gracedb.ligo.org/" + "x" * 3000, "is too long"),
    ("", "is too long or has characters"),
])
def test_other_urls_are_refused_before_any_connection(reach, bad, words):
    def never(*_: object) -> list[str]:
        raise AssertionError("a name was looked up")

    with pytest.raises(FetchError, match=words) as caught:
        fetch(bad, reach=replace(reach, resolve=never))
    assert caught.value.url == bad
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:0:7f00:1::", "2001:db8::1", "fe80::1%1",
])
def test_a_known_host_with_an_address_that_is_not_public_is_refused(reach, site, address):
    assert not is_public(address)
    lying = replace(reach, resolve=lambda *_: ["8.8.8.8", address], permits=is_public)
    with pytest.raises(FetchError, match="is not a public one"):
        fetch(url(site, "whole"), reach=lying)
    assert Site.asked == []


@pytest.mark.parametrize("address", ["8.8.8.8", "131.215.125.1", "2600:1f00::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address):
    assert is_public(address)


def test_without_another_reach_this_host_is_out_of_reach(site, environment):
    environment.setenv("GWBROKER_FETCH_HOSTS", "localhost")
    settings.cache_clear()
    with pytest.raises(FetchError, match="names port"):
        fetch(url(site, "whole", "localhost"))
    with pytest.raises(FetchError, match=r"whose address (127\.0\.0\.1|::1) is not a public"):
        fetch("https://localhost/whole")
    assert Reach() == PUBLIC


def test_the_name_is_looked_up_once_so_that_it_cannot_change_meanwhile(site, reach):
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    assert fetch(url(site, "whole"), reach=replace(reach, resolve=lambda *_: next(answers))) == BODY
    assert next(answers) == ["10.0.0.1"]


def test_a_certificate_of_another_host_is_refused(site, reach, environment):
    environment.setenv("GWBROKER_FETCH_HOSTS", "gcn.nasa.gov")
    settings.cache_clear()
    with pytest.raises(FetchError, match=r"CertificateVerificationError|SSL"):
        fetch(url(site, "whole", "gcn.nasa.gov"), reach=reach)
    assert Site.asked == []


def test_a_redirect_is_followed_on_the_same_terms(site, reach):
    assert fetch(url(site, "to//whole"), reach=reach) == BODY
    assert fetch(url(site, f"to/https://{HOST}:{site}/whole"), reach=reach) == BODY
    for bad in ("http://gracedb.ligo.org/", "https://127.0.0.1/", "file:///etc/passwd",
                "https://evil.org/"):
        with pytest.raises(FetchError, match=r"not in fetch_hosts|not an https URL"):
            fetch(url(site, f"to/{bad}"), reach=reach)
    with pytest.raises(FetchError, match="leads on more than 3 times"):
        fetch(url(site, "round"), reach=reach)


@pytest.mark.parametrize(("path", "words"), [
    ("promise", "has 1000000000000 bytes, more than 1000000"),
    ("endless", "has more than 1000000 bytes"),
    ("packed", "comes compressed"),
    ("short", "IncompleteRead|ended after 10 of 1000"),
    ("missing", "is answered with status 404"),
])
def test_too_much_and_too_little_are_refused(site, reach, path, words):
    with pytest.raises(FetchError, match=words):
        fetch(url(site, path), limit=1_000_000, timeout=10, reach=reach)


def test_a_peer_that_drips_is_cut_off_in_time(site, reach):
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"took longer than 0.6 s"):
        fetch(url(site, "drip"), timeout=0.6, reach=reach)
    assert time.monotonic() - began < 10


def test_a_name_server_that_hangs_is_not_waited_for(site, reach):
    hang = threading.Event()
    slow = replace(reach, resolve=lambda *_: hang.wait(20) and [])
    began = time.monotonic()
    with pytest.raises(FetchError, match="nobody tells in time"):
        fetch(url(site, "whole"), timeout=0.3, reach=slow)
    assert time.monotonic() - began < 10
    hang.set()


def test_hosts_in_the_settings_are_plain_names(environment):
    from gwbroker.errors import ConfigError

    for bad in ("*.ligo.org", "https://x.org", "x.org:443", "127.0.0.1"):
        environment.setenv("GWBROKER_FETCH_HOSTS", bad)
        settings.cache_clear()
        with pytest.raises(ConfigError, match="is not the plain name of a host"):
            settings()
