"""Intake: keep, then dispatch; only then may a listener acknowledge."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from . import batches, dispatch
from .batches import Match
from .errors import LedgerError
from .jobs import outbox
from .ledger import notices as rows
from .ledger.jobs import Draft
from .ledger.notices import Kept
from .notice import Notice
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
            # Once for the same bytes; a handler may have had them over another road.
            name = f"{__name__}.accept"
            box.add([Draft(name, "general", kept[0].root, key=f"{kept[0].root}:{name}",
                           error=problem)])
    return kept


def _choose(notice: Notice) -> list[dispatch.Choice]:
    chosen = dispatch.choose(notice)
    if dispatch.is_bulk(notice.topic):
        # Five hundred decoded survey alerts are a million objects, and nobody asks again.
        for name in ("_decoded", "_scimma", "_json"):
            notice.__dict__.pop(name, None)
    return chosen


def _accept(notices: Sequence[Notice]) -> list[Kept | None]:
    # Reading comes before the transaction, which holds the one lock that all share.
    choices = [_choose(notice) for notice in notices]
    wanted = [place for place, (notice, chosen) in enumerate(zip(notices, choices, strict=True))
              if chosen or notice.source == "replay" or not dispatch.is_bulk(notice.topic)]
    result: list[Kept | None] = [None] * len(notices)
    if not wanted:
        return result
    keeping = [notices[place] for place in wanted]
    identifiers = [identify(notice).identifier for notice in keeping]
    with outbox() as box:
        kept = rows.keep(box.connection, keeping, identifiers)
        found: dict[str, tuple[Registration, list[Match]]] = {}
        drafts: list[Draft] = []
        for place, notice, row in zip(wanted, keeping, kept, strict=True):
            result[place] = row
            if not row.new:
                continue
            single = [c for c in choices[place] if c.registration.batch is None]
            if single:
                drafts += dispatch.drafts(notice, row.root, single)
            for choice in choices[place]:
                if choice.registration.batch is not None:
                    _, matches = found.setdefault(
                        choice.registration.name, (choice.registration, []))
                    matches.append(Match(
                        row.root, row.first, dispatch.priority(notice), choice.error))
        for registration, matches in found.values():
            drafts += batches.drafts(box.connection, registration, matches)
        box.add(drafts)
    return result
