"""Intake: keep, then dispatch; only then may a listener acknowledge."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from . import dispatch
from .errors import LedgerError
from .jobs import outbox
from .ledger import notices as rows
from .ledger.jobs import Draft
from .ledger.notices import Kept
from .notice import Notice
from .streams.subject import identify

log = logging.getLogger(__name__)


def accept(notices: Sequence[Notice]) -> list[Kept]:
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
    list of Kept
        What became of each, in the same order.

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


def _keep_only(notice: Notice, problem: str) -> list[Kept]:
    with outbox() as box:
        kept = rows.keep(box.connection, [notice], [None])
        if kept[0].first:
            box.add([Draft(f"{__name__}.accept", "general", kept[0].root, error=problem)])
    return kept


def _accept(notices: Sequence[Notice]) -> list[Kept]:
    if not notices:
        return []
    # Reading comes before the transaction, which holds the one lock that all share.
    choices = [dispatch.choose(notice) for notice in notices]
    identifiers = [identify(notice).identifier for notice in notices]
    with outbox() as box:
        kept = rows.keep(box.connection, notices, identifiers)
        box.add([
            draft
            for notice, row, chosen in zip(notices, kept, choices, strict=True)
            if row.new and chosen
            for draft in dispatch.drafts(notice, row.root, chosen)
        ])
    return kept
