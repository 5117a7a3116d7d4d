"""The request for an OIDC token: client credentials, over HTTP, with every limit set."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

import certifi

from ..errors import GWBrokerError

TIMEOUT = 10.0
"""Seconds for the whole request."""

LARGEST = 64 * 1024
"""Most bytes of an answer that are read."""


class TokenError(GWBrokerError):
    """The token endpoint gave no token."""


@dataclass(frozen=True)
class Token:
    """A token and its life; ``began`` is on the monotonic clock, ``expires`` since 1970 (s)."""

    value: str = field(repr=False)
    began: float
    life: float
    expires: float

    def at(self, part: float) -> float:
        """Return when this part of its life is over, on the monotonic clock (s)."""
        return self.began + part * self.life

    @property
    def part(self) -> float:
        """Which part of its life is over."""
        return (time.monotonic() - self.began) / self.life

    @property
    def left(self) -> float:
        """How many seconds of its life are left."""
        return self.at(1.0) - time.monotonic()


def request(url: str, client_id: str, secret: str, scope: str = "", ca_file: str = "") -> Token:
    """Ask a token endpoint for a token (RFC 6749, section 4.4).

    Parameters
    ----------
    url : str
        The endpoint, ``https`` or on this machine.
    client_id, secret : str
        Sent as HTTP Basic authentication.
    scope : str
        Asked for unless empty.
    ca_file : str
        CA certificates; empty: certifi's.

    Raises
    ------
    TokenError
        If there is none, with status and reason; never with the secret or a token.
    """
    asked = time.monotonic()
    try:
        status, reason, body = _post(url, client_id, secret, scope, ca_file)
    except (OSError, http.client.HTTPException, ValueError) as e:
        said = f"{type(e).__name__}: {e}" if not isinstance(e, TimeoutError) else \
            f"no answer within {TIMEOUT:g} s"
        raise TokenError(f"the token endpoint {_shown(url)} cannot be used: {said}") from None
    if status != 200:
        raise TokenError(f"the token endpoint {_shown(url)} answered {status} {reason}"
                         f"{_error_of(body)}{_remedy(status)}")
    return _token(url, body, asked)


def _post(
    url: str, client_id: str, secret: str, scope: str, ca_file: str,
) -> tuple[int, str, bytes]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or certifi.where())
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=TIMEOUT, context=context)
    # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
    credentials = b64encode(f"{quote(client_id, '')}:{quote(secret, '')}".encode()).decode()
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    ran_out = threading.Event()

    def hang_up() -> None:
        ran_out.set()
        sock = connection.sock
        if sock is not None:
            # It may be closed in this very moment, which is as good.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    # The timeout above is for each read alone; a peer may send a byte a second for ever.
    timer = threading.Timer(TIMEOUT, hang_up)
    timer.daemon = True
    timer.start()
    try:
        # Redirects are not followed: they would take the secret to another host.
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, urlencode(form), {
            "Authorization": f"Basic {credentials}", "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        body = response.read(LARGEST + 1)
    except (OSError, http.client.HTTPException):
        if ran_out.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
        connection.close()
    if len(body) > LARGEST:
        raise ValueError(f"its answer is longer than {LARGEST} bytes")
    return response.status, _plain(response.reason), body


def _token(url: str, body: bytes, asked: float) -> Token:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    value = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value:
        raise TokenError(f"the token endpoint {_shown(url)} answered without an access_token")
    life = answer.get("expires_in", 3600)
    # Some write the number as text.
    try:
        life = float(life)
    except (TypeError, ValueError):
        life = 0.0
    if not 1 <= life < 1e9:
        raise TokenError(f"the token endpoint {_shown(url)} gave a token whose expires_in is "
                         "not a number of seconds")
    # From when it was asked for: the answer may have been under way for long.
    return Token(value, asked, life, time.time() + life - (time.monotonic() - asked))


def _error_of(body: bytes) -> str:
    """Return the error code of an answer (RFC 6749, section 5.2), which is not secret."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    error = answer.get("error") if isinstance(answer, dict) else None
    return f" ({_plain(error)})" if isinstance(error, str) and error else ""


def _remedy(status: int) -> str:
    if status in (400, 401, 403):
        return ": check client_id and client_secret, and whether they have been revoked"
    if 300 <= status < 400:
        return ": redirects are not followed, set token_endpoint to where it is now"
    return ""


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:80]).strip()
