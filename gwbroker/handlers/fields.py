"""Reading a message's fields one by one, noting what is wrong instead of giving up."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from ..errors import NoticeError
from ..streams.subject import clean
from ..streams.voevent import as_number, as_time

T = TypeVar("T")

TEXT = 500
"""Longest text that is kept as a fact, in characters; the notice itself is kept whole."""


def shown(value: Any) -> str:
    """Return a value for a sentence: short, printable, however deeply it is nested."""
    return clean(reprlib.repr(value), 80)


class Fields:
    """The fields of one message, and the flags of what is wrong with them.

    Parameters
    ----------
    values : mapping
        A JSON object, or the parameters of a VOEvent.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.flags: list[str] = []

    def flag(self, name: str, problem: str) -> None:
        """Note that something is wrong with a field."""
        text = clean(f"{name}: {problem}", TEXT)
        if text not in self.flags:
            self.flags.append(text)

    def attempt(self, read: Callable[[], T]) -> T | None:
        """Return what a function reads, or note why it cannot and return None."""
        try:
            return read()
        except NoticeError as e:
            self.flag(e.field, f"{e.problem} (found {shown(e.value)})")
            return None

    def number(
        self, name: str, low: float = -math.inf, high: float = math.inf, shape: str = "[]",
    ) -> float | None:
        """Return a finite number within limits; `shape` says which of them are included."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        return self.within(name, value, low, high, shape)

    def within(
        self, name: str, value: Any, low: float, high: float, shape: str = "[]",
    ) -> float | None:
        """Return a value as a finite number within limits; otherwise note it and return None."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self.flag(name, f"{shown(value)} is not a number")
            return None
        try:
            number = as_number(name, value) if isinstance(value, str) else float(value)
        except (NoticeError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            text = clean(value, 80) if isinstance(value, str) else "it"
            self.flag(name, f"{text} is not a finite number")
            return None
        above = number >= low if shape[0] == "[" else number > low
        below = number <= high if shape[1] == "]" else number < high
        if above and below:
            return number
        if math.isinf(high):
            wanted = f"not {'at least' if shape[0] == '[' else 'more than'} {low:g}"
        else:
            wanted = f"not in {shape[0]}{low:g}, {high:g}{shape[1]}"
        self.flag(name, f"{number:g} is {wanted}")
        return None

    def text(self, name: str, limit: int = TEXT) -> str | None:
        """Return a text; numbers count as text too."""
        value = self.values.get(name)
        if isinstance(value, str):
            return clean(value, limit) or None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(plain(value))
        return None

    def time(self, name: str) -> datetime | None:
        """Return a time (UTC)."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.flag(name, f"{shown(value)} is not a time in ISO 8601")
            return None
        return self.attempt(lambda: as_time(name, clean(value)))


def plain(value: Any, depth: int = 3) -> Any:
    """Return a JSON value that can be stored and shown: finite, printable, not too large.

    What cannot be is None.
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return clean(value, TEXT)
    if isinstance(value, int):
        return value if abs(value) < 2**53 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth and isinstance(value, list | tuple):
        return [plain(each, depth - 1) for each in value[:50]]
    if depth and isinstance(value, Mapping):
        return {clean(str(k), 80): plain(v, depth - 1) for k, v in list(value.items())[:50]}
    return None


def facts(**values: Any) -> dict[str, object]:
    """Return the facts that there are: those that are not None or empty."""
    made = {name: plain(value) for name, value in values.items()}
    return {name: value for name, value in made.items() if value not in (None, "", [], {})}
