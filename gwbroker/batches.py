"""Batches: one call of a handler for many notices, and calls whose predicate failed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from . import jobs, running
from .ledger import batches as rows
from .ledger import notices as notice_rows
from .ledger.engine import read
from .ledger.jobs import Draft
from .notice import Notice
from .streams.registry import Registration

OPEN = "where"
"""First argument of a job that has still to ask the handler's predicate; then come notices."""

Wants = Callable[[Registration, Notice], bool]


@dataclass(frozen=True)
class Match:
    """A kept notice that a batch handler gets, or of which its predicate failed.

    Parameters
    ----------
    root : int
        The first notice with its bytes.
    first : bool
        Whether that is this one, so that nobody had it before.
    priority : int
        0 if it was live.
    error : str, optional
        Why nobody can tell whether the handler wants it.
    """

    root: int
    first: bool
    priority: int = 0
    error: str | None = None


def drafts(
    connection: Connection, registration: Registration, matches: Sequence[Match],
) -> list[Draft]:
    """Return the jobs that call a handler for the matches of one poll, in their order.

    Those whose predicate failed share one dead job, which says why.
    """
    fresh = list(_fresh(connection, registration, matches))
    good = [match for match in fresh if match.error is None]
    made = [_draft(registration, [m.root for m in part], min(m.priority for m in part))
            for part in _parts(good, registration.batch or 1)]
    bad = [match for match in fresh if match.error is not None]
    if bad:
        error = bad[0].error if len(bad) == 1 else f"{bad[0].error} ({len(bad)} messages)"
        made.append(replace(
            _draft(registration, [m.root for m in bad], min(m.priority for m in bad)),
            args=(OPEN, *(m.root for m in bad)), error=error))
    return made


def _fresh(
    connection: Connection, registration: Registration, matches: Sequence[Match],
) -> Iterator[Match]:
    seen: set[int] = set()
    for match in matches:
        # Bytes that came before, over this road or another, are in an earlier batch; or not,
        # if nobody asked for that topic.
        if match.root not in seen and (
                match.first or not rows.holds(connection, registration.name, match.root)):
            seen.add(match.root)
            yield match


def _parts(matches: Sequence[Match], size: int) -> Iterator[list[Match]]:
    # Old notices that came again are apart: the numbers within a batch go up.
    for part in [m for m in matches if not m.first]:
        yield [part]
    new = [m for m in matches if m.first]
    yield from (new[i : i + size] for i in range(0, len(new), size))


def _draft(registration: Registration, roots: list[int], priority: int) -> Draft:
    return Draft(
        registration.name, registration.queue, roots[0], tuple(roots),
        f"{roots[0]}..{roots[-1]}:{registration.name}", priority=priority)


def calling(registration: Registration, wants: Wants) -> Callable[..., Any]:
    """Return what a handler's jobs call: with a notice, or with the numbers of notices.

    A job whose predicate failed is retried with `OPEN` and numbers: the predicate is asked
    again, and the handler is called for what it wants.
    """
    function = registration.function
    if registration.where is None and registration.batch is None:
        return function

    @functools.wraps(function)
    def call(*what: Any) -> None:
        if isinstance(what[0], Notice):
            function([what[0]] if registration.batch else what[0])
        elif what[0] != OPEN:
            function(_load(what))
        else:
            wanted = [notice for notice in _load(what[1:]) if wants(registration, notice)]
            if registration.batch is None:
                for notice in wanted:
                    function(notice)
            else:
                _pass_on(registration, wanted)

    return call


def _load(numbers: Sequence[int]) -> list[Notice]:
    claim = running.current()
    label = claim.replay if claim else None
    with read() as connection:
        found = [notice_rows.load(connection, number) for number in numbers]
    return [replace(notice, replay=label) for notice in found] if label else found


def _pass_on(registration: Registration, wanted: list[Notice]) -> None:
    """Submit a job for each batch, so that one that fails calls nobody twice."""
    numbers = [notice.id for notice in wanted if notice.id is not None]
    size = registration.batch or 1
    claim = running.current()
    label = claim.replay if claim else None
    with jobs.outbox() as box:
        box.add([
            replace(draft, key=running.with_label(f"again:{draft.key}", label), replay=label)
            for i in range(0, len(numbers), size)
            for draft in [_draft(registration, numbers[i : i + size],
                                 claim.priority if claim else 0)]])
