"""Tokens: the OIDC tokens of a Kafka cluster, fetched by us, so that a failure is known at once.

librdkafka can fetch them too, but tells of a failing endpoint only after 50 s, and asks anew
for every client that is made; GCN counts tokens. Here one token serves all clients of this
process that use the same credentials, and the pauses after failures outlive the clients.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ..conf import KafkaCluster
from ..errors import GWBrokerError
from .backoff import Backoff
from .kafka_token_request import Token, TokenError, request
from .quiet import QuietLog

log = logging.getLogger(__name__)

REFRESH = 0.8
"""Part of a token's life after which the next is fetched."""

SLOW = 3.0
"""Seconds without an answer after which that is told as trouble."""

FIRST, LONGEST = 2.0, 300.0
"""Shortest and longest pause (s) between tries while the endpoint fails."""

_sources: dict[tuple[str, ...], TokenSource] = {}
_lock = threading.Lock()


class NoToken(GWBrokerError):
    """There is no valid token now."""


class TokenSource:
    """Has a valid token whenever that is possible, as long as somebody uses it.

    A daemon thread fetches the first token, and each next one when a part (`REFRESH`) of the
    life of the last is over, whether messages come or not. While the endpoint fails the
    pauses grow, with jitter.

    Parameters
    ----------
    name : str
        What the log calls it.
    fetch : callable
        Returns a token, or raises `TokenError`.
    """

    def __init__(self, name: str, fetch: Callable[[], Token]) -> None:
        self.name = name
        self.problem: str | None = None
        self._fetch = fetch
        self._token: Token | None = None
        self._users = 0
        self._changed = threading.Condition()
        self._asked: float | None = None
        self._next = 0.0
        self._backoff = Backoff(FIRST, LONGEST)
        self._thread: threading.Thread | None = None
        self._log = QuietLog(log)

    def __enter__(self) -> TokenSource:
        with self._changed:
            self._users += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._keep, name=f"token of {self.name}", daemon=True)
                self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._users -= 1
            self._changed.notify_all()

    def trouble(self) -> str | None:
        """Return what is wrong with the endpoint now, as a sentence without secrets."""
        asked = self._asked
        if asked is not None and (waited := time.monotonic() - asked) > SLOW:
            return self.problem or f"the token endpoint has not answered for {waited:.0f} s"
        return self.problem

    def wait(self, seconds: float, give_up: Callable[[], bool]) -> Token | None:
        """Wait for a token that need not be renewed yet; None if there is none in time.

        While the endpoint fails the old token does, until shortly before its end.
        """
        end = time.monotonic() + seconds
        while not give_up():
            token = self._token
            if token is not None and (token.part < REFRESH or (self.problem and token.left > 2)):
                return token
            left = end - time.monotonic()
            if left <= 0:
                return None
            with self._changed:
                self._changed.wait(min(left, 0.1))
        return None

    def _keep(self) -> None:
        while True:
            with self._changed:
                while self._users > 0 and (pause := self._pause()) > 0:
                    self._changed.wait(pause)
                if self._users <= 0:
                    # A client made soon finds the token; nobody needs the next one now.
                    self._thread = None
                    return
            self._asked = time.monotonic()
            try:
                token = self._fetch()
            except TokenError as e:
                pause = self._backoff.next()
                self._next = time.monotonic() + pause
                self.problem = str(e)
                self._log(logging.WARNING, str(e), "%s: %s; next try in %.0f s",
                          self.name, e, pause)
            else:
                if self.problem:
                    log.info("%s: the token endpoint answers again", self.name)
                self._token, self.problem = token, None
                self._backoff.reset()
            finally:
                self._asked = None
                with self._changed:
                    self._changed.notify_all()

    def _pause(self) -> float:
        token = self._token
        renew = token.at(REFRESH) if token is not None else 0.0
        return max(renew, self._next) - time.monotonic()


class TokenCallback:
    """What librdkafka calls for a token, from a thread of its own.

    Parameters
    ----------
    source : TokenSource
        Who has them.
    """

    PATIENCE = 5.0
    """Seconds for which it waits for a token that is just being fetched."""

    def __init__(self, source: TokenSource) -> None:
        self.source = source
        self.closed = False

    def __call__(self, _config: object) -> tuple[str, float]:
        """Return a token and its end, in seconds since 1970.

        Raises
        ------
        NoToken
            If there is none; librdkafka asks again after 10 s.
        """
        token = self.source.wait(self.PATIENCE, lambda: self.closed)
        if token is None:
            raise NoToken(self.source.trouble() or "no token has come yet")
        return token.value, token.expires


def token_source(name: str, cluster: KafkaCluster) -> TokenSource:
    """Return this process's source of tokens for the credentials of a cluster.

    Parameters
    ----------
    name : str
        What the log calls it.
    cluster : KafkaCluster
        One with ``security = "oidc"``.
    """
    secret = cluster.secret()
    password = secret.get_secret_value() if secret else ""
    values: dict[str, Any] = {
        "url": cluster.token_endpoint or "", "client_id": cluster.client_id or "",
        "scope": cluster.scope or "", "ca_file": str(cluster.ca_file or "")}
    key = (*values.values(), hashlib.sha256(password.encode()).hexdigest())
    with _lock:
        if key not in _sources:
            _sources[key] = TokenSource(name, lambda: request(secret=password, **values))
        return _sources[key]
