"""GCN Circulars: what people write is attached to the event that they write about."""

from __future__ import annotations

import re

from .. import jobs
from ..errors import NoticeError
from ..notice import Notice
from ..streams import gcn
from ..streams.issued import age, issued
from ..streams.subject import words
from ..tasks import events
from .fields import plain
from .unified import load

NAMES = re.compile(
    r"\b(M?S\d{6}[a-z]{1,4}|(?:GRB|XRF|FRB) ?\d{6,8}[A-Z]{0,2}|IceCube-\d{6}[A-Z]"
    r"|GW\d{6}(?:_\d{6})?|EP\d{6}[a-z]|KM3-\d{6}[A-Z])\b", re.ASCII)
LATER = (60.0, 1800.0)
"""Seconds after which a circular whose event is not known is tried again."""

TRIGGERS = (
    # How Fermi's and Swift's own circulars quote their trigger numbers.
    ("Fermi", re.compile(r"Fermi.{0,400}?\(trigger (\d{9})", re.ASCII | re.DOTALL)),
    ("Swift", re.compile(r"Swift.{0,400}?\(trigger ?= ?(\d{6,9})\)", re.ASCII | re.DOTALL)),
)


MAX_AGE = 30 * 86400.0
"""Seconds after which a circular that comes is only kept.

People write about an event for some weeks, and longer about few; what is older comes when GCN
sends its archive again, 40,000 at a time. An edit counts from when it was made.
"""


@gcn.handler(gcn.CIRCULARS, max_age=MAX_AGE)
def on_circular(notice: Notice) -> None:
    """Attach a circular to the event that it is about; it never opens one.

    One of today whose event is not known yet is tried again later, for notice and
    circular come by different roads.
    """
    names = names_in(notice)
    if events.attach(notice, names, alert="circular") is None and is_recent(notice):
        for delay in LATER:
            jobs.submit(events.attach_later, names, delay=delay, notice=notice.id,
                        key=f"circular:{notice.id}:{delay:g}")


def is_recent(notice: Notice) -> bool:
    """Tell whether a circular was written within a day of its arrival."""
    return issued(notice) is not None and age(notice) < 86400


def names_in(notice: Notice) -> list[str]:
    """Return the names under which the event of a circular may be known, best first.

    Raises
    ------
    NoticeError
        If it is not a circular.
    """
    value = load(notice)
    if not words(value.get("circularId")):
        raise NoticeError("circularId", plain(value.get("circularId")), "is missing")
    event, subject = (" ".join(words(value.get(key))) for key in ("eventId", "subject"))
    found = [event] if event else []
    found += [name for text in (event, subject) for name in NAMES.findall(text)]
    body = value.get("body")
    text = body[:5000] if isinstance(body, str) else ""
    for mission, pattern in TRIGGERS:
        trigger = pattern.search(text)
        if trigger:
            found.append(f"{mission.lower()}:{trigger[1]}")
    # A bare number would be taken for the number of an event in the ledger.
    return [name for name in dict.fromkeys(found) if not name.isdigit()]
