"""Intake: keep, then dispatch; only then may a listener acknowledge."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from . import batches, dispatch
from .batches import Match
from .conf import settings
from .errors import LedgerError, NoticeError
from .jobs import current_notice, outbox, task
from .ledger import notices as rows
from .ledger.jobs import Draft
from .ledger.notices import Kept
from .notice import Notice
from .streams.issued import issued
from .streams.registry import Registration
from .streams.subject import identify

log = logging.getLogger(__name__)


def accept(notices: Sequence[Notice]) -> list[Kept | None]:
    """Keep notices and the jobs that they make, in one transaction, then send the jobs.

    When this returns the notices may be acknowledged to their source. A message seen
    before adds no job for a handler that had it; the same identifier with other bytes
    is a linked revision.

    Parameters
    ----------
    notices : sequence of Notice
        One message, or all of a Kafka poll: they share the transaction.

    Returns
    -------
    list of Kept or None
        What became of each, in the same order; None for one that was not kept, because its
        topic is of high volume and no handler's predicate wants it.

    Raises
    ------
    LedgerUnavailable
        If they could not be kept; then nothing was, and nothing may be acknowledged.
    """
    try:
        return _accept(notices)
    except LedgerError:
        raise
    # A message that breaks our own code must not hold up the 499 that came with it, nor
    # come again for ever: its bytes are kept, and a dead job says what is wrong.
    except Exception as e:
        if len(notices) > 1:
            return [kept for notice in notices for kept in accept([notice])]
        log.exception("a notice of %s (%s) could only be kept", notices[0].topic,
                      notices[0].sha256)
        return _keep_only(notices[0], f"it could not be dispatched: {type(e).__name__}: {e}")


def _keep_only(notice: Notice, problem: str) -> list[Kept | None]:
    with outbox() as box:
        kept: list[Kept | None] = [*rows.keep(box.connection, [notice], [None])]
        if kept[0] is not None and kept[0].new:
            box.add([_hindered(kept[0].root, problem)])
    return kept


AGAIN = f"{__name__}.accept"
"""What the dead job of a notice is called that could only be kept."""


def _hindered(root: int, problem: str) -> Draft:
    # Once for the same bytes; a handler may have had them over another road.
    return Draft(AGAIN, "general", root, key=f"{root}:{AGAIN}", error=problem)


def hindrance(notice: Notice) -> str | None:
    """Tell why a notice can only be kept, before anything in it is read; None if it can be read."""
    size, most = len(notice.payload), settings().max_message
    if notice.incomplete:
        return f"it is not whole: {notice.incomplete}"
    if size > most:
        return (f"its {size:,} bytes are more than max_message in the settings ({most:,}): raise "
                "that, then `gwbroker jobs retry`")
    return notice.doubtful


@task(name=AGAIN, retries=0)
def dispatch_again() -> None:
    """Choose handlers for a notice that could only be kept, when its dead job is retried.

    Raises
    ------
    NoticeError
        If it is not whole, or still too large.
    """
    notice = current_notice()
    problem = hindrance(notice)
    # Who retries it is content to do without what could not be read beside the payload.
    if problem and problem != notice.doubtful:
        raise NoticeError("payload", notice.payload[:40], problem)
    wish = _Wish(notice, dispatch.choose(notice), identify(notice).identifier)
    number = notice.id or 0
    with outbox() as box:
        if wish.identifier is not None:
            rows.identify(box.connection, number, wish.identifier)
        box.add(_drafts(box.connection, [(wish, Kept(number, number, new=True))]))


@dataclass(frozen=True)
class _Wish:
    """A notice, who wants it, what the sender calls it, and why it can only be kept."""

    notice: Notice
    choices: list[dispatch.Choice]
    identifier: str | None
    problem: str | None = None


def _read(notice: Notice) -> _Wish | None:
    """Find out all that is to be known before a notice is kept; None if it need not be."""
    problem = hindrance(notice)
    if problem:
        return _Wish(notice, [], None, problem)
    choices = dispatch.choose(notice)
    wanted = choices or notice.source == "replay" or not dispatch.is_bulk(notice.topic)
    wish = _Wish(notice, choices, identify(notice).identifier) if wanted else None
    if choices:
        # It is noted with the notice, as its identity is.
        issued(notice)
    # Five hundred decoded messages are a million objects, and nobody asks again.
    notice.forget()
    return wish


def _accept(notices: Sequence[Notice]) -> list[Kept | None]:
    # Reading comes before the transaction, which holds the one lock that all share.
    wishes = {place: wish for place, notice in enumerate(notices)
              if (wish := _read(notice)) is not None}
    if not wishes:
        return [None] * len(notices)
    with outbox() as box:
        kept = rows.keep(box.connection, [wish.notice for wish in wishes.values()],
                         [wish.identifier for wish in wishes.values()])
        result = dict(zip(wishes, kept, strict=True))
        box.add(_drafts(box.connection, zip(wishes.values(), kept, strict=True)))
    return [result.get(place) for place in range(len(notices))]


def _drafts(connection: Connection, arrived: Iterable[tuple[_Wish, Kept]]) -> list[Draft]:
    """Return the jobs that notices make which are in the ledger now."""
    found: dict[str, tuple[Registration, list[Match]]] = {}
    drafts: list[Draft] = []
    for wish, row in arrived:
        if not row.new:
            continue
        if wish.problem:
            drafts.append(_hindered(row.root, wish.problem))
        single = [c for c in wish.choices if c.registration.batch is None]
        if single:
            drafts += dispatch.drafts(wish.notice, row.root, single)
        for choice in wish.choices:
            if choice.registration.batch is not None:
                _, matches = found.setdefault(choice.registration.name, (choice.registration, []))
                matches.append(Match(
                    row.root, row.first, dispatch.priority(wish.notice), choice.error))
    for registration, matches in found.values():
        drafts += batches.drafts(connection, registration, matches)
    return drafts
