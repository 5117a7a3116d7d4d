"""Downloads: maps that a notice points to, and that appear when they are ready.

A job that finds nothing yet ends, and the ledger starts it again later: no worker waits.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from .. import products, running
from ..errors import FetchError, FetchRefused, NoticeError, SkyMapError
from ..fetch import LIMIT, PUBLIC, fetch, permitted
from ..jobs import Outbox, outbox, task
from ..ledger import events as rows
from ..ledger import jobs as job_rows
from ..ledger.engine import read
from ..report import Downloaded, pack

log = logging.getLogger(__name__)

FIRST = 90.0
"""Seconds after the notice of the first try; Fermi's maps appear after about as many."""

BACKOFF = 120.0
"""Seconds, about, to the second try; the pause doubles until it is an hour."""

RETRIES = 36
"""Tries after the first one: with pauses of 45 minutes on average, about a day of them."""

TIME_LIMIT = 200.0
TIMEOUT = 30.0
"""Seconds for one file."""

AT_ONCE = 2
"""Downloads that run at a time: an archive that is slow is not to occupy all workers."""

REACH = PUBLIC
"""What may be reached."""


def ask(box: Outbox, event: int, notice: int, revision: int, urls: Sequence[str]) -> None:
    """Ask for the first of these maps that can be had, unless none may be fetched.

    A replay asks for none: what was fetched when the notice came is kept.

    Parameters
    ----------
    box : Outbox
        Of the transaction in which the notice is recorded.
    event, notice : int
        Their numbers in the ledger.
    revision : int
        Which notice about the event it is, 1 for the first.
    urls : sequence of str
        The best comes first.
    """
    claim = running.current()
    if claim is not None and claim.replay is not None:
        return
    allowed = []
    for url in urls:
        try:
            permitted(url, REACH)
        except FetchError as e:
            log.info("not downloaded: %s", e)
        else:
            allowed.append(url)
    if allowed:
        box.submit(download, event, notice, revision, allowed, notice=notice, delay=FIRST,
                   key=f"download:{event}:{notice}")


@task(retries=RETRIES, backoff=BACKOFF, time_limit=TIME_LIMIT)
def download(event: int, notice: int, revision: int, urls: list[str]) -> None:
    """Fetch an event's map and let it be localized by it; fails as long as there is none.

    Of an event that was retracted meanwhile none is fetched.

    Parameters
    ----------
    event, notice : int
        Their numbers in the ledger.
    revision : int
        Which notice about the event it is, 1 for the first.
    urls : list of str
        Tried in this order, all of them every time.

    Raises
    ------
    FetchError
        If none is there yet, or enough others are fetched just now; tried again later.
    NoticeError
        If none may ever be fetched.
    """
    with read() as connection:
        row = rows.get(connection, event)
    if row["state"] == "retracted":
        return
    _take_turns(urls)
    content, url = _first(urls)

    def write(file: Path) -> None:
        file.write_bytes(content)

    place = products.relative(event, row["name"], notice, "download", "fits")
    stored = products.store(place, write)
    where = Downloaded(stored.path, url, stored.digest.hex())
    with outbox() as box:
        rows.add_product(box.connection, event_id=event, notice_id=notice, kind="download",
                         path=stored.path, digest=stored.digest, size=stored.size,
                         facts={"url": url})
        # The same bytes again are no news; others are.
        box.submit("gwbroker.tasks.skymaps.localize", event, notice, revision, pack(where),
                   key=f"localize:{event}:{notice}:{where.sha256[:16]}", notice=notice)


def _take_turns(urls: Sequence[str]) -> None:
    """Go on if this is one of the oldest downloads that run just now."""
    claim = running.current()
    if claim is None:
        return
    with read() as connection:
        now = job_rows.listing(connection, state="running", handler=claim.handler, limit=1000)
    if claim.id not in sorted(row["id"] for row in now)[:AT_ONCE]:
        raise FetchError(urls[0], f"waits, because {AT_ONCE} others are fetched just now",
                         "Tried again later")


def _first(urls: Sequence[str]) -> tuple[bytes, str]:
    """Return the first of the files that is a sky map, and its URL."""
    problems: list[FetchError] = []
    for url in urls:
        try:
            content = fetch(url, limit=LIMIT, timeout=TIMEOUT, reach=REACH)
            _check(content, url)
        except FetchError as e:
            problems.append(e)
        else:
            return content, url
    if not problems:
        raise NoticeError("urls", urls, "there is none to fetch from")
    if all(isinstance(problem, FetchRefused) for problem in problems):
        raise NoticeError("urls", urls[0], str(problems[0])) from problems[0]
    raise problems[0] if len(problems) == 1 else FetchError(
        problems[0].url, "; ".join(p.problem for p in problems), "Tried again later")


def _check(content: bytes, url: str) -> None:
    """Refuse what is not a sky map: a page that says so, or a file that is still written."""
    from ..skymap import fits

    try:
        fits.read(content, url)
    except SkyMapError as e:
        raise FetchError(url, f"is no sky map: {e.problem}", "Tried again later") from e
