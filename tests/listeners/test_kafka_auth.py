"""KafkaReader where it has to prove who it is: passwords, and tokens from an OIDC server."""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Iterator

import pytest

from gwbroker.listeners import kafka_token, kafka_token_request
from gwbroker.listeners.kafka_token import TokenCallback

from ..kafka_server import Kafka
from ..servers import PATIENCE, poll
from ..token_server import Signer, TokenServer
from .real_kafka import Reading, fresh

SECRET = "cl13nt-s3cret/with+signs="
PASSWORD = "pa55word-of-the-user"

SOON = 15
"""Seconds within which a trouble is told: "at once", on a machine that is anything but quick."""


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """A topic of the test's own."""
    return kafka.create_topic(fresh("auth"))


@pytest.fixture
def tokens(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    """A token server of the test's own."""
    # Ports come again, and with them the tokens of another test.
    monkeypatch.setattr(kafka_token, "_sources", {})
    with TokenServer(signer, {"me": SECRET}) as server:
        yield server


def with_token(kafka: Kafka, tokens: TokenServer, *topics: str, **values: object) -> Reading:
    """Return a reader that authenticates with tokens."""
    return Reading(kafka, *topics, **{
        "bootstrap_servers": kafka.oidc_servers, "security": "oidc", "tls": False,
        "client_id": "me", "client_secret": SECRET, "token_endpoint": tokens.url, **values})


def with_password(kafka: Kafka, user: str, password: str, *topics: str) -> Reading:
    """Return a reader that authenticates with a SCRAM password."""
    return Reading(kafka, *topics, bootstrap_servers=kafka.scram_servers, tls=False,
                   security="scram-sha-512", username=user, password=password)


def test_a_reader_with_a_token_reads_and_commits(
    kafka: Kafka, tokens: TokenServer, topic: str,
) -> None:
    kafka.publish(topic, b"1", b"2")
    with with_token(kafka, tokens, topic, scope="gcn.nasa.gov/kafka-public-consumer") as reading:
        assert reading.wait(2) == [b"1", b"2"]
        poll(lambda: reading.committed(topic) == {0: 2}, 10, "they are committed")
    assert [(client, status) for _, client, status in tokens.requests] == [("me", 200)]


def test_two_readers_with_the_same_credentials_share_a_token(
    kafka: Kafka, tokens: TokenServer, topic: str,
) -> None:
    kafka.publish(topic, b"1")
    for _ in range(3):
        with with_token(kafka, tokens, topic) as reading:
            reading.wait(1)
    assert len(tokens.requests) == 1


def test_a_short_token_is_renewed_while_nothing_is_published(
    kafka: Kafka, tokens: TokenServer, topic: str,
) -> None:
    tokens.lifetime = 3
    with with_token(kafka, tokens, topic) as reading:
        poll(lambda: "reads 1 of 1" in reading.state, 15, "it reads")
        # The server ends connections whose token has ended.
        poll(lambda: len(tokens.requests) >= 4, 15, "the token is renewed, and renewed")
        kafka.publish(topic, b"after the first token's end")
        reading.wait(1, seconds=5)
        reading.wait_until_well()
    assert min(b[0] - a[0] for a, b in itertools.pairwise(tokens.requests)) > 1


@pytest.mark.parametrize("status", [401, 503])
def test_a_token_endpoint_that_fails_is_red_at_once_and_not_asked_too_often(
    kafka: Kafka, tokens: TokenServer, topic: str, status: int, pauses: list[float],
) -> None:
    kafka.publish(topic, b"1")
    tokens.fail = status
    with with_token(kafka, tokens, topic) as reading:
        # librdkafka itself would say so after 50 s.
        reading.wait_for_trouble(str(status), SOON)
        assert reading.state == "trouble"
        tokens.well()
        assert reading.wait(1, seconds=30) == [b"1"]
        reading.wait_until_well()
    # Once more after each pause, and no more.
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(tokens.requests)]
    assert pauses[0] >= 2
    assert len(gaps) == len(pauses)
    assert all(gap >= 0.99 * pause for gap, pause in zip(gaps, pauses, strict=True))


def test_an_endpoint_that_fails_later_is_red_at_once_and_reading_goes_on(
    kafka: Kafka, tokens: TokenServer, topic: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The old token has 32 s left when it should be renewed: time enough for what follows.
    monkeypatch.setattr(kafka_token, "REFRESH", 0.2)
    tokens.lifetime = 40
    with with_token(kafka, tokens, topic) as reading:
        poll(lambda: "reads 1 of 1" in reading.state, 15, "it reads")
        tokens.fail = 500
        failed = len(tokens.requests)
        poll(lambda: len(tokens.requests) > failed, 30, "it tried to renew its token")
        reading.wait_for_trouble("500", SOON)
        kafka.publish(topic, b"with the old token")
        assert reading.wait(1) == [b"with the old token"]
        tokens.well()
        reading.wait_until_well(30)


def test_while_the_endpoint_fails_the_pauses_between_requests_grow(
    kafka: Kafka, tokens: TokenServer, topic: str, pauses: list[float],
) -> None:
    tokens.fail = 400
    readers = 0

    def third() -> bool:
        # Whoever makes new readers again and again makes no new requests.
        nonlocal readers
        readers += 1
        with with_token(kafka, tokens, topic) as reading:
            reading.wait_for_trouble("400", SOON)
        return len(tokens.requests) >= 3

    poll(third, 60, "there is a third request")
    assert readers > 3
    assert pauses[0] >= 2
    assert pauses[1] >= 4
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(tokens.requests)]
    assert all(gap >= 0.99 * pause for gap, pause in zip(gaps, pauses, strict=False))


def test_a_slow_endpoint_is_said_and_does_not_hold_up_a_stop(
    kafka: Kafka, tokens: TokenServer, topic: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whoever waited for the answer, or for a token, would wait for a minute.
    monkeypatch.setattr(kafka_token_request, "TIMEOUT", 60.0)
    monkeypatch.setattr(TokenCallback, "PATIENCE", 60.0)
    tokens.slow = 60
    with with_token(kafka, tokens, topic) as reading:
        reading.wait_for_trouble("not answered|no answer", SOON)
        assert reading.stop() < 10


@pytest.mark.parametrize("garbage", [b"<html>Welcome to our Wi-Fi</html>", b"{}", b'{"acc'])
def test_an_endpoint_that_answers_nonsense_is_red_at_once(
    kafka: Kafka, tokens: TokenServer, topic: str, garbage: bytes,
) -> None:
    tokens.garbage = garbage
    with with_token(kafka, tokens, topic) as reading:
        reading.wait_for_trouble("access_token", SOON)


def test_a_token_that_kafka_refuses_is_said(
    kafka: Kafka, topic: str,
) -> None:
    # Signed by a key that Kafka does not know.
    with TokenServer(Signer(), {"me": SECRET}) as strange, \
            with_token(kafka, strange, topic) as reading:
        reading.wait_for_trouble("(?i)auth|invalid_token", 10)
        assert reading.stop() < 5 * PATIENCE
    assert len(strange.requests) <= 2


def test_a_reader_with_a_password_reads_and_commits(kafka: Kafka, topic: str) -> None:
    user = fresh("user")
    kafka.add_user(user, PASSWORD)
    kafka.publish(topic, b"1")
    with with_password(kafka, user, PASSWORD, topic) as reading:
        assert reading.wait(1) == [b"1"]
        poll(lambda: reading.committed(topic) == {0: 1}, 10, "it is committed")


def test_a_wrong_password_is_said_and_the_right_one_is_taken_once_it_is_set(
    kafka: Kafka, topic: str,
) -> None:
    user = fresh("user")
    kafka.add_user(user, "another password")
    kafka.publish(topic, b"1")
    with with_password(kafka, user, PASSWORD, topic) as reading:
        reading.wait_for_trouble("(?i)auth", 10)
        assert reading.state == "trouble"
        kafka.add_user(user, PASSWORD)
        assert reading.wait(1, seconds=20) == [b"1"]
        reading.wait_until_well()


def test_secrets_and_tokens_are_in_no_log_line_error_or_repr(
    kafka: Kafka, tokens: TokenServer, topic: str, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    user = fresh("user")
    kafka.add_user(user, "another password")
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for reading in (with_token(kafka, tokens, topic, options={"debug": "all"}),
                        with_token(kafka, tokens, topic, client_secret="wr0ng"),
                        with_password(kafka, user, PASSWORD, topic)):
            with reading:
                poll(lambda reading=reading: reading.said, 15, "it says something")
                if reading.cluster.client_secret is None or "debug" in reading.cluster.options:
                    poll(lambda: tokens.tokens, 15, "it has a token")
                    # What librdkafka may say of it is said by then.
                    time.sleep(0.5)
            shown += [repr(reading.said), repr(reading.cluster), str(reading.cluster),
                      repr(reading.reader.__dict__), str(reading.cluster.model_dump())]
    shown += [caplog.text, *capfd.readouterr()]
    everything = "\n".join(shown)
    assert tokens.tokens
    secrets = [SECRET, "wr0ng", PASSWORD, *tokens.tokens]
    assert [s[:4] for s in secrets if s in everything] == []
    # Nor as HTTP Basic authentication, nor the signature of a token.
    assert not re.search(r"Basic \S", everything)
    assert not any(token.rpartition(".")[2] in everything for token in tokens.tokens)
