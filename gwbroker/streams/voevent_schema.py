"""What the VOEvent recommendations ask of a packet, checked before an author is told yes.

Facts from the IVOA recommendations "Sky Event Reporting Metadata" 1.1 and 2.0, the proposed
2.1, and their schemas. Where prose and schema differ the schema counts; like every reader
here, the check goes by local names, because authors put the parts into a namespace or not.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ..errors import NoticeError
from .voevent import ROLES, as_number, as_time, local

if TYPE_CHECKING:
    from lxml.etree import _Element

NAMESPACES = {
    f"http://www.ivoa.net/xml/VOEvent/v{version}": version for version in ("1.1", "2.0", "2.1")
}
"""The namespaces of the root element, and the version that each stands for."""

LONGEST_IVORN = 1024

PARTS = ("Who", "What", "WhereWhen", "How", "Why", "Citations", "Description", "Reference")
"""What a packet consists of; each at most once."""

WITHIN = {
    "Who": ("AuthorIVORN", "Date", "Description", "Reference", "Author"),
    "What": ("Param", "Group", "Table", "Description", "Reference"),
    "How": ("Description", "Reference"),
    "Why": ("Name", "Concept", "Inference", "Description", "Reference"),
    "Citations": ("EventIVORN", "Description"),
}
"""What some of the parts consist of."""

CITES = ("followup", "supersedes", "retraction")

# IVOA Identifiers 2.0: an authority of at least three characters, a path, and after the number
# sign what tells one packet from the next.
_IVORN = re.compile(
    r"ivo://[A-Za-z0-9][\w.~*'()-]{2,}(/[^\s#<>\"{}|\\^`]*)?#[^\s#<>\"{}|\\^`]+", re.ASCII)


def check(root: _Element) -> None:
    """Make sure that a document is a VOEvent 1.1, 2.0 or 2.1.

    Parameters
    ----------
    root : lxml element
        Its root.

    Raises
    ------
    NoticeError
        With the first thing that is wrong.
    """
    namespace, _, name = root.tag.rpartition("}") if isinstance(root.tag, str) else ("", "", "")
    if name != "VOEvent":
        raise NoticeError("root element", root.tag, "is not VOEvent")
    namespace = namespace.lstrip("{")
    if namespace not in NAMESPACES:
        raise NoticeError("namespace", namespace, f"is not one of {', '.join(NAMESPACES)}")
    if root.get("version") != NAMESPACES[namespace]:
        raise NoticeError("VOEvent/@version", root.get("version"),
                          f"is not {NAMESPACES[namespace]}, as its namespace says")
    check_ivorn(root.get("ivorn"))
    if root.get("role", "observation") not in ROLES:
        raise NoticeError("VOEvent/@role", root.get("role"), f"is not one of {', '.join(ROLES)}")
    _check_names(root, "VOEvent", PARTS)
    for part in root:
        name = local(part)
        if name in WITHIN:
            _check_names(part, name, WITHIN[name])
        if name in _CHECKS:
            _CHECKS[name](part)
    for reference in root.iter("{*}Reference"):
        if not (reference.get("uri") or "").strip():
            raise NoticeError("Reference/@uri", reference.get("uri"), "is missing")


def check_ivorn(ivorn: str | None) -> None:
    """Make sure that a text can be the identifier of a packet.

    Raises
    ------
    NoticeError
        If it is missing, too long, or not of the form ``ivo://authority/path#id``.
    """
    if not ivorn:
        raise NoticeError("VOEvent/@ivorn", ivorn, "is missing")
    if len(ivorn) > LONGEST_IVORN or not _IVORN.fullmatch(ivorn):
        raise NoticeError("VOEvent/@ivorn", ivorn, "is not of the form ivo://authority/path#id")


def _check_names(parent: _Element, name: str, allowed: tuple[str, ...]) -> None:
    count = Counter(local(child) for child in parent if isinstance(child.tag, str))
    for child, times in count.items():
        if child not in allowed:
            raise NoticeError(name, child, f"has a part that is not one of {', '.join(allowed)}")
        if times > 1 and (name == "VOEvent" or child in ("AuthorIVORN", "Date")):
            raise NoticeError(f"{name}/{child}", times, "is there more than once")


def _check_who(part: _Element) -> None:
    for child in part:
        if local(child) == "Date":
            as_time("Who/Date", child.text)


def _check_where_when(part: _Element) -> None:
    for name in ("C1", "C2", "C3", "Error2Radius"):
        for number in part.iter("{*}" + name):
            if (number.text or "").strip():
                as_number(f"WhereWhen//{name}", number.text)


def _check_why(part: _Element) -> None:
    if part.get("importance"):
        as_number("Why/@importance", part.get("importance"))


def _check_citations(part: _Element) -> None:
    cited = [child for child in part if local(child) == "EventIVORN"]
    if not cited:
        raise NoticeError("Citations", None, "cites nothing")
    for each in cited:
        if each.get("cite", CITES[0]) not in CITES:
            raise NoticeError("EventIVORN/@cite", each.get("cite"),
                              f"is not one of {', '.join(CITES)}")


_CHECKS = {"Who": _check_who, "WhereWhen": _check_where_when, "Why": _check_why,
           "Citations": _check_citations}
