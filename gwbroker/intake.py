"""Intake: keep, then dispatch; only then may a listener acknowledge."""

from __future__ import annotations

from collections.abc import Sequence

from . import dispatch
from .jobs import outbox
from .ledger import notices as rows
from .ledger.notices import Kept
from .notice import Notice
from .streams.subject import identify


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
