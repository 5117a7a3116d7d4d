"""An OIDC token server for the tests: it issues real tokens, and misbehaves as it is told."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY_ID = "tests"
AUDIENCE = "kafka"


class Signer:
    """An RSA key that signs tokens; Kafka is given its public half."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def token(self, subject: str, lifetime: float, scope: str) -> str:
        """Return a signed token (RFC 7519) for somebody, good for so many seconds."""
        now = time.time()
        claims = {"iss": "tests", "sub": subject, "aud": AUDIENCE, "scope": scope,
                  "iat": int(now), "exp": int(now + lifetime)}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})


class TokenServer:
    """An HTTP server that issues tokens to clients that prove who they are.

    ``with TokenServer(signer) as server`` runs it. What it does is changed while it runs:

    Attributes
    ----------
    clients : dict
        Client ids and their secrets.
    lifetime : float
        Seconds that its tokens are good for.
    fail : int or None
        Answer with this status and no token.
    slow : float
        Seconds to think before each answer.
    garbage : bytes or None
        Answer 200 with this instead of a token.
    requests : list of (float, str, int)
        Of each request for a token: the time (of `time.monotonic`), the client, the status.
    tokens : list of str
        What it has issued.
    """

    def __init__(
        self, signer: Signer, clients: dict[str, str] | None = None,
        certificate: Path | None = None,
    ) -> None:
        self.signer = signer
        self._scheme = "http" if certificate is None else "https"
        self.clients = clients if clients is not None else {"client": "client's secret"}
        self.lifetime = 3600.0
        self.fail: int | None = None
        self.slow = 0.0
        self.garbage: bytes | None = None
        self.requests: list[tuple[float, str, int]] = []
        self.tokens: list[str] = []
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            # A client that turns away is no error of the server's.
            self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        # Its threads may be thinking slowly; nobody waits for them.
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where tokens are asked for."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/token"

    def well(self) -> None:
        """Let it do again as it should."""
        self.fail, self.garbage, self.slow, self.lifetime = None, None, 0.0, 3600.0

    def _answer(self, authorization: str, body: str) -> tuple[int, bytes]:
        # In this order, so that what is changed while it thinks has its effect.
        self._stopped.wait(self.slow)
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        client, _, secret = (unquote_plus(part)
                             for part in _decoded(authorization).partition(":"))
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        status, answer = self._judge(client, secret, asked)
        self.requests.append((time.monotonic(), client, status))
        return status, answer

    def _judge(self, client: str, secret: str, asked: dict[str, str]) -> tuple[int, bytes]:
        if self.fail is not None:
            return self.fail, b'{"error": "server_error", "error_description": "as told"}'
        if self.garbage is not None:
            return 200, self.garbage
        if self.clients.get(client) != secret:
            return 401, b'{"error": "invalid_client"}'
        if asked.get("grant_type") != "client_credentials":
            return 400, b'{"error": "unsupported_grant_type"}'
        # Kafka takes no token without a scope.
        token = self.signer.token(client, self.lifetime, asked.get("scope", "any"))
        self.tokens.append(token)
        return 200, json.dumps({"access_token": token, "token_type": "Bearer",
                                "expires_in": int(self.lifetime)}).encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _decoded(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "basic":
        return ""
    return base64.b64decode(value).decode()


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status, answer = server._answer(self.headers.get("Authorization", ""), body)
            self._send(status, answer)

        def do_GET(self) -> None:
            self._send(200, json.dumps(server.signer.jwks).encode())

        def _send(self, status: int, answer: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except ConnectionError:
                pass  # who asked has gone, which some tests want

        def log_message(self, *_: object) -> None:
            pass

    return Handler
