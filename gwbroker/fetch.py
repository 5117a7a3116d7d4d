"""Fetch what a URL in a notice points to: from known hosts only, and never from within.

Whoever can send a notice chooses the URLs in it. So the host must be one of the setting
``fetch_hosts``, all addresses that it has must be public ones, the connection goes to the
very address that was checked, and size and time are limited.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import SplitResult, urljoin, urlsplit

from . import __version__
from .conf import settings
from .errors import FetchError, FetchRefused

LIMIT = 64 * 2**20
"""Most bytes that are fetched, unless the caller says otherwise."""

TIMEOUT = 60.0
"""Most seconds for all of it, redirects included, unless the caller says otherwise."""

REDIRECTS = 3
_CHUNK = 64 * 1024

_REFUSED = tuple(map(ipaddress.ip_network, (
    # These carry an IPv4 address inside, which a gateway may take at its word.
    "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "192.88.99.0/24",
    # Not global by IANA's special-purpose registries, but so by older Pythons.
    "192.0.0.0/24", "2001::/23", "3fff::/20", "5f00::/16")))


def is_public(address: str) -> bool:
    """Tell whether an address is one of the open Internet: not this host, site or link.

    The metadata services of clouds have link-local or private addresses, too.
    """
    ip = ipaddress.ip_address(address)
    if ip.version == 6:
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.is_site_local:
            return False
    if any(ip in network for network in _REFUSED):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


@dataclass(frozen=True)
class Reach:
    """What `fetch` may reach; only code can give another, no setting.

    Parameters
    ----------
    resolve : callable
        Returns the addresses of a host and port.
    permits : callable
        Tells whether an address may be connected to.
    ports : set of int
        The ports that a URL may name.
    context : callable
        Makes the TLS context.
    """

    resolve: Callable[[str, int], list[str]] = _resolve
    permits: Callable[[str], bool] = is_public
    ports: frozenset[int] = frozenset({443})
    context: Callable[[], ssl.SSLContext] = ssl.create_default_context


PUBLIC = Reach()


def fetch(
    url: str, *, limit: int = LIMIT, timeout: float = TIMEOUT, reach: Reach = PUBLIC,
) -> bytes:
    """Return what a URL that stands in a notice points to.

    Parameters
    ----------
    url : str
        An ``https`` URL of one of the hosts in the setting ``fetch_hosts``.
    limit : int
        Most bytes to take.
    timeout : float
        Most seconds for all of it.
    reach : Reach
        For tests, whose server is on this host.

    Raises
    ------
    FetchError
        If it cannot be fetched now.
    FetchRefused
        If the URL may not be fetched, or gives more than `limit`.
    """
    deadline = time.monotonic() + timeout
    place = url
    for _ in range(REDIRECTS + 1):
        parts = permitted(place, reach)
        found = _get(place, parts, limit, timeout, deadline, reach)
        if isinstance(found, bytes):
            return found
        place = urljoin(place, found)
    raise FetchError(url, f"leads on more than {REDIRECTS} times",
                     "Ask its sender for the file's own URL")


def permitted(url: str, reach: Reach = PUBLIC) -> SplitResult:
    """Return a URL's parts if it may be fetched; nothing is connected to.

    Raises
    ------
    FetchRefused
        If it is not an ``https`` URL of a host in the setting ``fetch_hosts``.
    """
    remedy = "Only plain https URLs are fetched, as https://gracedb.ligo.org/x.fits"
    # urlsplit drops line ends and the like, and so would check another URL than was sent.
    if not re.fullmatch(r"[!-\[\]-~]{1,2048}", url):
        raise FetchRefused(url, "is too long or has characters that a URL may not have", remedy)
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError as e:
        raise FetchRefused(url, f"is not a URL: {e}", remedy) from None
    if parts.scheme != "https" or not parts.hostname:
        raise FetchRefused(url, "is not an https URL", remedy)
    if "@" in parts.netloc:
        raise FetchRefused(url, "has a user name in it", remedy)
    if port not in reach.ports:
        raise FetchRefused(url, f"names port {port}", remedy)
    known = settings().fetch_hosts
    if parts.hostname.rstrip(".") not in known:
        raise FetchRefused(
            url, f"is on the host {parts.hostname[:80]}, which is not in fetch_hosts",
            "If you trust that host, add it to fetch_hosts in the settings")
    return parts


def _address(url: str, host: str, port: int, deadline: float, reach: Reach) -> str:
    """Return an address of a host, all of whose addresses may be connected to."""
    remedy = "Check the name and this machine's name server"
    answer: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(reach.resolve(host, port))
        except OSError as e:
            answer.put(e)

    # The system's resolver takes as long as it likes, and cannot be interrupted.
    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = answer.get(timeout=max(0.01, deadline - time.monotonic()))
    except Empty:
        raise FetchError(url, "is on a host whose address nobody tells in time", remedy) from None
    if isinstance(found, OSError) or not found:
        why = found.strerror if isinstance(found, OSError) else "no answer"
        raise FetchError(url, f"is on a host without an address ({why})", remedy)
    for address in found:
        if not reach.permits(address):
            raise FetchError(
                url, f"is on a host whose address {address} is not a public one",
                "Nothing is fetched from this machine or its network")
    return found[0]


class _Connection(http.client.HTTPSConnection):
    """A connection to an address that was checked, with the name only for TLS and Host."""

    def __init__(self, host: str, port: int, address: str, timeout: float, reach: Reach) -> None:
        self._context = reach.context()
        super().__init__(host, port, timeout=timeout, context=self._context)
        self._place = (address, port)

    def connect(self) -> None:
        """Connect to the address."""
        raw = socket.create_connection(self._place, self.timeout)
        try:
            self.sock = self._context.wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise


@contextlib.contextmanager
def _until(connection: _Connection, seconds: float) -> Iterator[threading.Event]:
    """Break a connection after some seconds; a peer that drips bytes is never silent."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        sock = connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        connection.close()


def _get(
    url: str, parts: SplitResult, limit: int, timeout: float, deadline: float, reach: Reach,
) -> bytes | str:
    """Return the content of a URL, or where it leads on to."""
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or 443
    address = _address(url, host, port, deadline, reach)
    left = max(0.01, deadline - time.monotonic())
    connection = _Connection(host, port, address, left, reach)
    with _until(connection, left) as over:
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={
                "User-Agent": f"gwbroker/{__version__}", "Accept-Encoding": "identity",
                "Connection": "close"})
            # What is refused half way keeps its connection open otherwise.
            with contextlib.closing(connection.getresponse()) as answer:
                found = _read(url, answer, limit)
        except (OSError, http.client.HTTPException, ValueError) as e:
            why = f"took longer than {timeout:g} s" if over.is_set() or isinstance(
                e, TimeoutError) else f"could not be fetched: {type(e).__name__}: {e}"
            raise FetchError(url, why, "Try again later, or fetch it by hand") from None
        if over.is_set():
            raise FetchError(url, f"took longer than {timeout:g} s", "Try again later")
        return found


def _read(url: str, answer: http.client.HTTPResponse, limit: int) -> bytes | str:
    where = answer.getheader("Location")
    if answer.status in (301, 302, 303, 307, 308) and where:
        return where
    remedy = "Fetch it by hand if it is needed"
    if answer.status != 200:
        raise FetchError(url, f"is answered with status {answer.status}", "Try again later")
    if answer.getheader("Content-Encoding", "identity").lower() != "identity":
        raise FetchError(url, "comes compressed, though that was not asked for", remedy)
    promised = answer.length
    if promised is not None and promised > limit:
        raise FetchRefused(url, f"has {promised} bytes, more than {limit}", remedy)
    pieces: list[bytes] = []
    size = 0
    while piece := answer.read(_CHUNK):
        size += len(piece)
        if size > limit:
            raise FetchRefused(url, f"has more than {limit} bytes", remedy)
        pieces.append(piece)
    if promised is not None and size != promised:
        raise FetchError(url, f"ended after {size} of {promised} bytes", "Try again later")
    return b"".join(pieces)
