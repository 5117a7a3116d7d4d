"""Schemas: what the registry of a Kafka cluster says, asked once and kept.

A message in Confluent's wire format begins with a nought and the number of its Avro
schema; a registry returns that schema at ``/schemas/ids/NUMBER``. A number never changes its
meaning, so what was fetched once is good for ever: it is kept in memory and, for a restart
while the registry is away, in the folder ``schemas`` of the home.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

from .conf import settings
from .errors import SchemaUnavailable

log = logging.getLogger(__name__)

TIMEOUT = 3.0
"""Seconds that a registry may take; the listener waits for it where a predicate needs it."""

PAUSE = 30.0
"""Seconds for which a registry that did not answer is not asked again."""

LARGEST = 4 << 20
"""Bytes of its largest answer; Rubin's alert schema has about 60,000."""

MOST = 1000
"""Schemas, and failures, that are remembered; who sends a message chooses its number."""

AT_ONCE, PER_SECOND = 20, 2.0
"""Numbers never heard of before for which a registry is asked at once, and then in each second."""

_texts: dict[tuple[str, int], str] = {}
_failed: dict[tuple[str, int | None], tuple[float, str]] = {}
_budgets: dict[str, tuple[float, float]] = {}


def registry(source: str) -> str | None:
    """Return the registry of a source, as ``kafka.gcn``; None if it has none."""
    kind, _, name = source.partition(".")
    cluster = settings().kafka.get(name) if kind == "kafka" else None
    return cluster.schema_registry if cluster else None


def schema(url: str, number: int) -> str:
    """Return the text of an Avro schema.

    Parameters
    ----------
    url : str
        The registry, with user and password in it where it asks for them.
    number : int
        The schema's number there.

    Raises
    ------
    SchemaUnavailable
        If it is not known here and the registry does not tell.
    """
    known = _texts.get((url, number))
    if known is None:
        known = _stored(url, number) or _fetch(url, number)
        if len(_texts) >= MOST:
            _texts.clear()
        _texts[url, number] = known
    return known


def forget() -> None:
    """Forget what is in memory, as a restart does."""
    _texts.clear()
    _failed.clear()
    _budgets.clear()


def _may_ask(url: str) -> bool:
    """Tell whether a registry may be asked now; each question makes its listener wait."""
    now = time.monotonic()
    left, since = _budgets.get(url, (float(AT_ONCE), now))
    left = min(float(AT_ONCE), left + (now - since) * PER_SECOND)
    _budgets[url] = (max(0.0, left - 1), now)
    return left >= 1


def _file(url: str, number: int) -> Path:
    # Its name says nothing of the password in it.
    place = hashlib.sha256(_split(url)[0].encode()).hexdigest()[:16]
    return settings().home / "schemas" / place / f"{number}.json"


def _split(url: str) -> tuple[str, str | None]:
    """Return the address without user and password, and these as a header's value."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    bare = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    if not user:
        return bare, None
    return bare, "Basic " + base64.b64encode(unquote(user).encode()).decode()


def _stored(url: str, number: int) -> str | None:
    try:
        text = _file(url, number).read_text("utf-8")
        json.loads(text)
    except (OSError, ValueError):
        return None
    return text


def _store(url: str, number: int, text: str) -> None:
    file = _file(url, number)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as e:
        log.warning("schema %d is not kept in %s: %s", number, file.parent, e.strerror)


def _fetch(url: str, number: int) -> str:
    place, authorization = _split(url)
    for key in ((url, None), (url, number)):
        until, problem = _failed.get(key, (0.0, ""))
        if time.monotonic() < until:
            raise SchemaUnavailable(number, place, problem)
    if not _may_ask(url):
        raise SchemaUnavailable(number, place, "it was asked for too many others just now")
    try:
        answer = json.loads(_get(f"{place}/schemas/ids/{number}", authorization))
        text = _text_of(answer)
    except HTTPError as e:
        e.close()
        # The registry lives; only this schema is not to be had.
        scope: int | None = number if e.code == 404 else None
        problem = f"HTTP status {e.code}"
    except (OSError, HTTPException, ValueError) as e:
        scope = number if isinstance(e, ValueError) else None
        problem = str(getattr(e, "reason", "")) or str(e) or type(e).__name__
    else:
        _store(url, number, text)
        return text
    if len(_failed) >= MOST:
        _failed.clear()
    _failed[url, scope] = (time.monotonic() + PAUSE, problem)
    raise SchemaUnavailable(number, place, problem)


def _text_of(answer: Any) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        raise ValueError("the answer has no schema")
    kind = answer.get("schemaType", "AVRO")
    if kind != "AVRO":
        raise ValueError(f"it is of type {kind!r:.40}, not AVRO")
    if answer.get("references"):
        raise ValueError("it refers to other schemas, which is not supported")
    text: str = answer["schema"]
    return text


def _get(address: str, authorization: str | None) -> bytes:
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class NoRedirect(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            # Where else it leads to nobody has configured, nor who gets the password there.
            return None

    headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
    if authorization:
        headers["Authorization"] = authorization
    deadline = time.monotonic() + TIMEOUT
    found = bytearray()
    with build_opener(NoRedirect).open(Request(address, headers=headers), timeout=TIMEOUT) as body:
        # The time limit of urllib is for each byte of a slow answer.
        while part := body.read1(65536):
            found += part
            if len(found) > LARGEST:
                raise ValueError(f"the answer has more than {LARGEST >> 20} MiB")
            if time.monotonic() > deadline:
                raise TimeoutError(f"no whole answer within {TIMEOUT:g} s")
    return bytes(found)
