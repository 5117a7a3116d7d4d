"""Tokens: one for all clients, renewed in time; a failing endpoint is told and not hammered."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from gwbroker.conf import KafkaCluster
from gwbroker.listeners import kafka_token, kafka_token_request
from gwbroker.listeners.kafka_token import NoToken, TokenCallback, TokenSource, token_source
from gwbroker.listeners.kafka_token_request import Token, TokenError, request

from ..servers import poll
from ..token_server import Signer, TokenServer
from .kafka_reading import Reading

SECRET = "client's secret"


@pytest.fixture
def server(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    # Ports come again, and with them the tokens of another test.
    monkeypatch.setattr(kafka_token, "_sources", {})
    with TokenServer(signer) as running:
        yield running


def cluster(server: TokenServer, **values: object) -> KafkaCluster:
    return KafkaCluster(**{  # type: ignore[arg-type]
        "bootstrap_servers": "127.0.0.1:1", "security": "oidc", "tls": False,
        "client_id": "client", "client_secret": SECRET, "token_endpoint": server.url, **values})


def source(server: TokenServer) -> TokenSource:
    return TokenSource("kafka.test", lambda: request(server.url, "client", SECRET))


def test_a_token_serves_all_clients_of_the_same_credentials(server: TokenServer) -> None:
    first, second = (token_source("kafka.test", cluster(server)) for _ in range(2))
    with first, second:
        token = first.wait(10, lambda: False)
        assert token is not None
        assert TokenCallback(second)("") == (token.value, token.expires)
        assert abs(token.expires - time.time() - 3600) < 10
    # A client that is made anew finds it too.
    with token_source("kafka.test", cluster(server)) as third:
        assert third.wait(10, lambda: False) is token
    assert len(server.requests) == 1


def test_it_is_renewed_at_four_fifths_of_its_life_though_nobody_asks(server: TokenServer) -> None:
    server.lifetime = 2.0
    got: list[Token] = []

    def fetch() -> Token:
        got.append(request(server.url, "client", SECRET))
        return got[-1]

    with TokenSource("kafka.test", fetch):
        poll(lambda: len(got) >= 5, 30, "it was renewed four times")
    # A busy machine may be late, but hardly each time.
    gaps = [later.began - earlier.began for earlier, later in itertools.pairwise(got)]
    assert min(gaps) > 1.59, gaps
    assert min(gaps) < 2.0, gaps


def test_nobody_renews_what_nobody_uses(server: TokenServer) -> None:
    server.lifetime = 1.0
    with source(server) as tokens:
        assert tokens.wait(10, lambda: False) is not None
    asked = len(server.requests)
    poll(lambda: tokens._thread is None, 10, "its thread has ended")
    assert len(server.requests) <= asked + 1


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_failing_endpoint_is_told_at_once_and_asked_more_and_more_rarely(
    server: TokenServer, status: int, monkeypatch: pytest.MonkeyPatch, pauses: list[float],
) -> None:
    monkeypatch.setattr(kafka_token, "FIRST", 0.1)
    server.fail = status
    tokens = source(server)
    with tokens:
        # librdkafka itself would say so after 50 s.
        poll(tokens.trouble, 10, "it is told")
        assert f"answered {status}" in (tokens.trouble() or "")
        poll(lambda: len(server.requests) >= 4, 30, "it was asked again")
        gaps = [b[0] - a[0] for a, b in itertools.pairwise(server.requests)]
        assert all(gap >= 0.99 * pause for gap, pause in zip(gaps, pauses, strict=False))
        assert pauses[2] > pauses[0]
        callback = TokenCallback(tokens)
        callback.closed = True
        with pytest.raises(NoToken, match=str(status)):
            callback("")
        server.well()
        assert tokens.wait(30, lambda: False) is not None
        assert tokens.trouble() is None


def test_the_pauses_outlive_the_clients(
    server: TokenServer, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_token, "FIRST", 60.0)
    server.fail = 500
    tokens = source(server)
    for _ in range(5):
        with tokens:
            poll(tokens.trouble, 10, "it is told")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("answer", "words"), [
    (b"<html>", "without an access_token"), (b"[]", "without an access_token"),
    (b'{"access_token": 5}', "without an access_token"),
    (b'{"access_token": "a", "expires_in": -5}', "expires_in"),
    (b'{"access_token": "a", "expires_in": NaN}', "expires_in"),
    (b'{"access_token": "a", "pad": "' + b"x" * 70000 + b'"}', "longer than"),
])
def test_what_is_no_token_is_an_error_of_ours(
    server: TokenServer, answer: bytes, words: str,
) -> None:
    server.garbage = answer
    with pytest.raises(TokenError, match=words):
        request(server.url, "client", SECRET)


def test_neither_secret_nor_token_is_in_any_error_or_log(
    server: TokenServer, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(TokenError) as caught:
        request(server.url, "client", "a wrong secret")
    assert "wrong" not in str(caught.value)
    with source(server) as tokens:
        token = tokens.wait(10, lambda: False)
    assert token is not None
    assert token.value not in repr(token) + caplog.text
    assert SECRET not in caplog.text + repr(cluster(server))


def test_a_slow_endpoint_is_told_and_holds_up_no_stop(
    server: TokenServer, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_token, "SLOW", 0.3)
    # Whoever waited for the answer, or for a token, would wait for a minute.
    monkeypatch.setattr(kafka_token_request, "TIMEOUT", 60.0)
    monkeypatch.setattr(TokenCallback, "PATIENCE", 60.0)
    server.slow = 60.0
    with Reading("127.0.0.1:1", "a", **cluster(server).model_dump(exclude_unset=True)) as reading:
        reading.wait_for("has not answered for")
        assert reading.said[-1][0] == "trouble"
        began = time.monotonic()
    assert time.monotonic() - began < 10


def test_an_answer_that_trickles_in_is_given_up(
    server: TokenServer, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_token_request, "TIMEOUT", 0.5)
    server.slow = 30.0
    began = time.monotonic()
    with pytest.raises(TokenError, match="no answer within"):
        request(server.url, "client", SECRET)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("url", ["http://auth.example.org/token", "ftp://127.0.0.1/token",
                                 "https://", "auth.example.org", "https://me:pw@example.org/"])
def test_an_endpoint_to_which_the_secret_would_go_unprotected_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="token_endpoint"):
        KafkaCluster(preset="gcn", client_id="me", client_secret="s", token_endpoint=url)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    signer: Signer, tmp_path: Path,
) -> None:
    file = self_signed(tmp_path)
    with TokenServer(signer, certificate=file) as server:
        with pytest.raises(TokenError, match="certificate verify failed"):
            request(server.url, "client", SECRET)
        assert server.requests == []
        assert request(server.url, "client", SECRET, ca_file=str(file)).value == server.tokens[0]


def self_signed(folder: Path) -> Path:
    """Return a file with a key and a certificate for this host, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    host = x509.IPAddress(ip_address("127.0.0.1"))
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([host]), critical=False)
            .sign(key, hashes.SHA256()))
    file = folder / "here.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return file
