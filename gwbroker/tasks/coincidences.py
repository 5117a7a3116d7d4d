"""Coincidences: events of two kinds that may be one, found as soon as either is known.

Both events get the fact ``coincidences``, one entry for each other event, whichever came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from .. import products
from ..jobs import outbox, task
from ..ledger import events as rows
from ..ledger.engine import read
from . import quiet
from .configured import pairs
from .skymaps import standing, store_combined
from .subject import Subject, note

if TYPE_CHECKING:
    from .assessment import Match, Side

FACT = "coincidences"


@task(queue="openmp", retries=3, time_limit=120)
def coincide(event: int) -> None:
    """Look for the events that may be the same source as one, and have each pair assessed.

    What no longer fits, because an event was retracted or its time has changed, is withdrawn.

    Parameters
    ----------
    event : int
        Its number in the ledger.
    """
    from .assessment import match, reach

    known = pairs()
    with read() as connection:
        row = rows.get(connection, event)
        ours = _side(connection, row)
        found: dict[int, Match] = {}
        if ours is not None:
            kinds, longest = reach(ours.kind, known)
            near = rows.between(connection, kinds, ours.t0 - longest, ours.t0 + longest)
            for other in near:
                fits = match(ours, _side(connection, other), known)
                if other["id"] != event and fits is not None:
                    found[other["id"]] = fits
    for entry in row["facts"].get(FACT, ()):
        if entry["event"] not in found and not entry["withdrawn"]:
            why = f"{row['name']} was retracted" if row["state"] == "retracted" else \
                "they do not fit together any more"
            _withdraw(event, entry["event"], why)
    with outbox() as box:
        for fits in found.values():
            box.submit(assess, fits.first.event, fits.second.event, fits.signature,
                       key=fits.key)


@task(queue="openmp", retries=3, time_limit=300)
def assess(first: int, second: int, signature: str) -> None:
    """Work out the joint false-alarm rate of two events, and note it on both.

    Parameters
    ----------
    first, second : int
        Their numbers in the ledger, in the order of their pair.
    signature : str
        Of what they were when this was asked for; if they have changed since, another job has
        been asked for, and this one does nothing.
    """
    from ..skymap.overlap import overlap
    from . import assessment

    with read() as connection:
        found = _match(connection, first, second)
    if found is None or found.signature != signature:
        return
    subjects = standing(first), standing(second)
    both = None
    if subjects[0] is not None and subjects[1] is not None:
        both = overlap(subjects[0].skymap(), subjects[1].skymap())
    result = assessment.assess(found, both)
    value = {**result, "events": [
        {**s.provenance(), "t0": side.t0, "far": side.far} if s is not None else
        {"event": side.event, "t0": side.t0, "far": side.far}
        for s, side in zip(subjects, (found.first, found.second), strict=True)]}
    if _note(found, subjects, result, value) and both:
        with outbox() as box:
            box.submit(illustrate, first, second, signature, urgent=False,
                       key=f"illustrate:{first}:{second}:{signature}")


@task(queue="openmp", retries=3, time_limit=600)
def illustrate(first: int, second: int, signature: str) -> None:
    """Store the combined map of two events and a picture that shows how well theirs agree.

    Maps that nearly exclude each other have the picture alone.

    Parameters
    ----------
    first, second, signature
        As of `assess`.
    """
    from ..skymap.coherence import alt_text, coherence
    from ..skymap.overlap import APART, overlap

    with read() as connection:
        found = _match(connection, first, second)
    ours, theirs = standing(first), standing(second)
    if found is None or found.signature != signature or ours is None or theirs is None:
        return
    if quiet.later():
        return
    maps = (ours.skymap(), theirs.skymap())
    agreement = overlap(*maps)
    if agreement >= APART:
        store_combined(ours, theirs)
    titles = (ours.name, theirs.name)
    said = alt_text(*maps, titles, agreement=agreement)
    for theme in ("light", "dark"):
        name = f"coherence-{second:06d}-{theirs.notice:08d}" + ("-dark" if theme == "dark" else "")
        ours.keep("coherence" if theme == "light" else "coherence-dark", "png",
                  partial(coherence, *maps, titles=titles, theme=theme),
                  {"with": theirs.name, "alt": said}, name=name)


def _side(connection: Connection, row: Mapping[str, Any]) -> Side | None:
    from .assessment import Side

    notice = row["facts"].get("skymap_notice")
    product = None if notice is None else rows.product_of(connection, row["id"], notice, "skymap")
    told = [h["alert"] for h in rows.history(connection, row["id"]) if h["said"] is not None]
    return Side.of(row, told, rows.names(connection, row["id"]),
                   None if product is None else bytes(product["digest"]).hex())


def _match(
    connection: Connection, first: int, second: int, hold: bool = False,
) -> Match | None:
    from .assessment import match

    # In the order of their numbers, so that nobody holds one and waits for the other.
    both = {number: rows.get(connection, number, hold=hold) for number in sorted((first, second))}
    return match(_side(connection, both[first]), _side(connection, both[second]), pairs())


def _note(
    found: Match, subjects: tuple[Subject | None, Subject | None], result: Mapping[str, Any],
    value: Mapping[str, Any],
) -> bool:
    """Note a coincidence on both events, unless they have changed; return whether it is."""
    first, second = found.first.event, found.second.event
    with outbox() as box:
        now = _match(box.connection, first, second, hold=True)
        if now is None or now.signature != found.signature:
            return False
        product = None
        subject = subjects[0] or subjects[1]
        if subject is not None:
            side = found.second if subject.event == first else found.first
            # In here, so that no worker that was slow puts an older one in its place.
            stored = products.store_json(subject.path(
                f"coincidence-{side.event:06d}-{side.map_notice or 0:08d}", "json"), value)
            note(box.connection, subject.event, subject.notice, "coincidence", stored, result)
            product = stored.path
        entry = {**result, "product": product, "signature": found.signature}
        for ours, theirs in ((first, second), (second, first)):
            name = rows.get(box.connection, theirs)["name"]
            _enter(box.connection, ours, {
                "event": theirs, "name": name, "withdrawn": None, **entry})
    return True


def _enter(connection: Connection, event: int, entry: Mapping[str, Any]) -> None:
    facts = rows.get(connection, event)["facts"]
    others = [e for e in facts.get(FACT, ()) if e["event"] != entry["event"]]
    entries = sorted([*others, dict(entry)], key=lambda e: e["event"])
    if entries != facts.get(FACT):
        rows.change(connection, event, {"facts": {**facts, FACT: entries}})


def _withdraw(event: int, other: int, why: str) -> None:
    """Mark the coincidence of two events as withdrawn, on both, if they still do not fit."""
    with outbox() as box:
        if _match(box.connection, event, other, hold=True) is not None:
            return
        for ours, theirs in ((event, other), (other, event)):
            entries: Sequence[Mapping[str, Any]] = rows.get(
                box.connection, ours)["facts"].get(FACT, ())
            for entry in entries:
                if entry["event"] == theirs and not entry["withdrawn"]:
                    _enter(box.connection, ours, {**entry, "withdrawn": why, "publish": False})
