"""Replays: notices handed to handlers once more, behind all that is live, telling nobody."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from . import dispatch
from .callees import callees
from .calls import NOT_TOLD, TELLING
from .conf import settings
from .dispatch import Choice
from .errors import LedgerError, ReplayError, UnknownTask
from .jobs import outbox
from .ledger import notices as notice_rows
from .ledger import ranges, streams
from .ledger.engine import read
from .ledger.jobs import Draft
from .ledger.ranges import Range
from .notice import Notice, utcnow
from .running import with_label
from .streams.subject import identify

SOURCE = "replay"
"""Source under which a message is kept that only a replay has read.

Not that of the listener: when the listener comes to it, it is live, and gets its jobs.
"""

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")


@dataclass(frozen=True)
class Again:
    """A notice to be replayed; ``root`` is the first in the ledger with its bytes, if any."""

    notice: Notice
    root: int | None


@dataclass(frozen=True)
class Planned:
    """What a replay would do with a notice and a handler."""

    notice: int | None
    topic: str
    offset: int | None
    handler: str
    what: str


class Replay:
    """One replay: a label, the handlers that it calls, and whether it tells people.

    Parameters
    ----------
    label : str, optional
        Of an earlier replay, to go on with it: what it has done is not done again.
    handlers : iterable of str
        Names of the only handlers to be called; empty: all that want a notice.
    tell : bool
        Whether handlers and tasks with ``tells=True`` are called.

    Raises
    ------
    ReplayError
        If the label cannot be used.
    UnknownTask
        If a handler is not installed here.
    """

    def __init__(
        self, label: str | None = None, handlers: Iterable[str] = (), tell: bool = False,
    ) -> None:
        name = new_label() if label is None else label.removesuffix(TELLING)
        if not _LABEL.match(name):
            raise ReplayError(f"the label {label!r} cannot be used: take letters, digits, dots, "
                              "colons and dashes, at most 64")
        if label is not None and label.endswith(TELLING) and not tell:
            raise ReplayError(f"the replay {label} tells people: go on with it with --tell")
        self.tell = tell
        self.label = name + (TELLING if tell else "")
        self.handlers = frozenset(handlers)
        known = dispatch.table()
        for handler in sorted(self.handlers - known.keys()):
            raise UnknownTask(handler, known)

    def plan(self, again: Sequence[Again]) -> list[Planned]:
        """Return what would be done; nothing is written."""
        planned = []
        for each in again:
            notice = each.notice
            for choice in self._choose(notice):
                name = choice.registration.name
                if choice.error is not None:
                    what = f"dead: {choice.error}"
                elif callees[name].tells and not self.tell:
                    what = NOT_TOLD
                else:
                    what = "run"
                planned.append(Planned(each.root, notice.topic, notice.offset, name, what))
        return planned

    def submit(self, again: Sequence[Again]) -> None:
        """Write the jobs, in one transaction; those that this replay has already are not doubled.

        Messages that the ledger does not have are kept first.

        Raises
        ------
        LedgerUnavailable
            If they could not be written; then none was.
        """
        choices = [self._choose(each.notice) for each in again]
        drafts: list[Draft] = []
        with outbox() as box:
            new = [each.notice for each, chosen in zip(again, choices, strict=True)
                   if each.root is None and (chosen or not dispatch.is_bulk(each.notice.topic))]
            kept = notice_rows.keep(
                box.connection, [replace(notice, source=SOURCE) for notice in new],
                [identify(notice).identifier for notice in new])
            found = {notice.digest: row.root for notice, row in zip(new, kept, strict=True)}
            for each, chosen in zip(again, choices, strict=True):
                root = each.root if each.root is not None else found.get(each.notice.digest)
                if root is not None:
                    drafts += dispatch.drafts(each.notice, root, chosen)
            box.add([replace(draft, priority=1, replay=self.label,
                             key=with_label(draft.key, self.label)) for draft in drafts])

    def _choose(self, notice: Notice) -> list[Choice]:
        chosen = dispatch.choose(replace(notice, replay=self.label))
        return [c for c in chosen if not self.handlers or c.registration.name in self.handlers]


def new_label() -> str:
    """Return a label that nothing has yet: the time, and two random bytes."""
    return f"{utcnow():%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(2)}"


def from_ledger(chosen: Range) -> tuple[int, Iterator[list[Again]]]:
    """Return how many notices of a range the ledger has, and an iterator over them, by pages.

    Raises
    ------
    ReplayError
        If there is none.
    """
    with read() as connection:
        low, high, number = ranges.bounds(connection, chosen)
    if not number:
        raise ReplayError(f"the ledger has no notice{described(chosen)}")
    return number, _pages(chosen, low, high)


def _pages(chosen: Range, low: int, high: int) -> Iterator[list[Again]]:
    for page in ranges.pages(chosen, low, high):
        with read() as connection:
            found = [Again(notice_rows.load(connection, number), root)
                     for number, root in page.numbers]
        yield found


def look_up(arrived: Sequence[Notice]) -> list[Again]:
    """Return notices that came from elsewhere with the numbers that the ledger has for them."""
    with read() as connection:
        known = ranges.roots(connection, [notice.digest for notice in arrived])
    return [Again(notice, known.get(notice.digest)) for notice in arrived]


def gently(pages: Iterable[list[Again]]) -> Iterator[list[Again]]:
    """Yield pages, with a pause after each as long as it took, in which live messages are kept."""
    for page in pages:
        began = time.monotonic()
        yield page
        time.sleep(min(time.monotonic() - began, 1.0))


def source_named(name: str) -> str:
    """Return the whole name of a source, as ``kafka.gcn`` for ``gcn``.

    Raises
    ------
    ReplayError
        If there is none, neither in the settings nor in the ledger, or more than one.
    """
    known = set(settings().sources)
    try:
        with read() as connection:
            known |= {row["source"] for row in streams.listing(connection)}
    except LedgerError:
        if not known:
            raise
    fitting = sorted({name} & known or {s for s in known if s.partition(".")[2] == name})
    if len(fitting) != 1:
        problem = f"there is no source {name!r}" if not fitting else f"{name!r} can be " + \
            " or ".join(fitting)
        raise ReplayError(f"{problem}; known: {', '.join(sorted(known)) or 'none'}")
    return fitting[0]


def described(chosen: Range) -> str:
    """Return a range in words, with a blank before them."""
    words = [f"of {chosen.source}"] if chosen.source else []
    if chosen.topics:
        words.append("on " + ", ".join(chosen.topics))
    if chosen.partition is not None:
        words.append(f"in partition {chosen.partition}")
    if chosen.since is not None:
        words.append(f"from {chosen.since:%Y-%m-%dT%H:%M:%SZ}")
    if chosen.until is not None:
        words.append(f"to {chosen.until:%Y-%m-%dT%H:%M:%SZ}")
    if chosen.first is not None or chosen.end is not None:
        end = "the end" if chosen.end is None else chosen.end
        words.append(f"with offsets from {chosen.first or 0} up to {end}")
    return "".join(f" {word}" for word in words)
