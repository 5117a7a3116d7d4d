"""How many Python objects Avro bytes would become, found out before any of them is made.

A message of 7 kB can hold millions of records that take a byte each, and each becomes a
dictionary of hundreds of bytes, all while nothing else can run. From the schema follows how many
values a byte can hold at most; only where that allows too many are they counted, by going
through the bytes (Avro specification 1.11, "Binary Encoding").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MOST = 1_000_000
"""Values that one message may hold; a survey alert has a few thousand."""

_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_LEAST = {"int": 1, "long": 1, "bytes": 1, "string": 1, **_SIZES}

Step = Callable[["Cursor"], None]


class TooMany(Exception):
    """The bytes hold more values than `MOST`, or end too early."""


class Cursor:
    """A place in bytes, and how many values were passed."""

    def __init__(self, body: bytes, most: int = MOST) -> None:
        self.body = body
        self.at = 0
        self.values = 0
        self.most = most

    def count(self, number: int = 1) -> None:
        """Count values.

        Raises
        ------
        TooMany
            If there are too many.
        """
        self.values += number
        if self.values > self.most:
            raise TooMany(f"it holds more than {self.most:,} values")

    def skip(self, size: int) -> None:
        """Pass so many bytes."""
        if size < 0 or self.at + size > len(self.body):
            raise TooMany("it ends too early")
        self.at += size

    def long(self) -> int:
        """Read a zig-zag number of variable length."""
        body, at, shift, result = self.body, self.at, 0, 0
        try:
            while (byte := body[at]) & 0x80:
                result |= (byte & 0x7F) << shift
                shift += 7
                at += 1
                if shift > 63:
                    raise TooMany("it has a number that is too long")
        except IndexError:
            raise TooMany("it ends too early") from None
        result |= byte << shift
        self.at = at + 1
        return (result >> 1) ^ -(result & 1)


class Shape:
    """What a type's values look like in bytes.

    Parameters
    ----------
    least : int
        Fewest bytes of a value.
    free : int
        Values that a value of this type adds beside those that its bytes pay for.
    density : float
        Values for each byte, at most, beside those.
    step : callable
        Passes one value at a cursor.
    fixed : int, optional
        Bytes of a value, if all have the same number and are one value each.
    """

    def __init__(
        self, least: int, free: int, density: float, step: Step, fixed: int | None = None,
    ) -> None:
        self.least = least
        self.free = free
        self.density = density
        self.step = step
        self.fixed = fixed


def shape(schema: Any, named: dict[str, Shape] | None = None) -> Shape:
    """Return the shape of a schema as fastavro parses it, which was checked before.

    Parameters
    ----------
    schema : object
        A name, a list of branches, or a mapping.
    named : dict, optional
        Types by name that were met already.
    """
    named = {} if named is None else named
    if isinstance(schema, str):
        return named[schema] if schema in named else _primitive(schema)
    if isinstance(schema, list):
        return _union([shape(each, named) for each in schema])
    kind = schema["type"]
    if kind in ("record", "error"):
        return _record(schema, named)
    if kind == "enum":
        made = named[schema["name"]] = _number()
        return made
    if kind == "fixed":
        size = int(schema["size"])
        made = named[schema["name"]] = Shape(size, 1, 0.0, _skipping(size), size)
        return made
    if kind == "array":
        return _blocks(shape(schema["items"], named), keyed=False)
    if kind == "map":
        return _blocks(shape(schema["values"], named), keyed=True)
    return shape(kind, named)


def _primitive(name: str) -> Shape:
    size = _SIZES.get(name)
    if size is not None:
        return Shape(size, 1, 0.0, _skipping(size), size)
    return _number() if name in ("int", "long") else Shape(1, 1, 0.0, _text)


def _number() -> Shape:
    def step(cursor: Cursor) -> None:
        cursor.long()
        cursor.count()

    return Shape(1, 1, 0.0, step)


def _text(cursor: Cursor) -> None:
    cursor.skip(cursor.long())
    cursor.count()


def _skipping(size: int) -> Step:
    def step(cursor: Cursor) -> None:
        cursor.skip(size)
        cursor.count()

    return step


def _union(branches: list[Shape]) -> Shape:
    steps = [branch.step for branch in branches]

    def step(cursor: Cursor) -> None:
        index = cursor.long()
        if not 0 <= index < len(steps):
            raise TooMany("it has a branch that is not in its schema")
        steps[index](cursor)

    return Shape(1 + min(branch.least for branch in branches),
                 max(branch.free for branch in branches),
                 max(branch.density for branch in branches), step)


def _record(schema: Mapping[str, Any], named: dict[str, Shape]) -> Shape:
    fields = [shape(field["type"], named) for field in schema["fields"]]
    steps = [field.step for field in fields]

    def step(cursor: Cursor) -> None:
        cursor.count()
        for each in steps:
            each(cursor)

    made = named[schema["name"]] = Shape(
        sum(field.least for field in fields), 1 + sum(field.free for field in fields),
        max((field.density for field in fields), default=0.0), step)
    return made


def _blocks(inner: Shape, keyed: bool) -> Shape:
    passing = inner.step
    width = None if keyed else inner.fixed

    def step(cursor: Cursor) -> None:
        cursor.count()
        while number := cursor.long():
            if number < 0:
                number = -number
                cursor.long()
            if width:
                cursor.count(number)
                cursor.skip(number * width)
                continue
            for _ in range(number):
                if keyed:
                    _text(cursor)
                passing(cursor)

    # There are no more items than fit; each is so many values, and its bytes may hold more.
    each = (inner.free + keyed) / max(1, inner.least + keyed)
    return Shape(1, 1, inner.density + each, step)


def check(body: bytes, known: Shape, number: int = 1) -> None:
    """Refuse values that would become too many objects.

    Parameters
    ----------
    body : bytes
        So many values, one after the other.
    known : Shape
        Of their type.
    number : int
        How many there are.

    Raises
    ------
    TooMany
        If they hold more than `MOST`, or are damaged where that is looked for.
    """
    if number * known.free + known.density * len(body) <= MOST:
        return
    cursor = Cursor(body)
    for _ in range(number):
        known.step(cursor)
