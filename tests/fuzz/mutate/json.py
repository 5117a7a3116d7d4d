"""Damage to JSON that stays JSON: other values, keys, depths and twins in the right places."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

from . import raw

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -0.0, 1, -1, 0.5, 360, 400, 1e-320, 1e308, 2**53, 2**63, 2**64, 10**30,
    10**400, float("nan"), float("inf"), "", " ", "0", "-1", "1e999", "NaN", "\0", "\ud800",
    "\u202e",
    "é" * 300, "x" * 10_000, "../../etc/passwd", "-rf", "a/b\\c", "data:;base64,AAAA",
    "2024-01-02T03:04:05Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2024-13-01",
    [], {}, [None], [[]], [1, 2], [1, 2, 3, 4], ["a", 1, None], {"a": 1}, {"": None}, [[1, 2], [3]],
    "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "M1", "T1", "S190814bv",
)
"""Values that have broken somebody's reader of JSON."""


def mutate(data: bytes, random: Random) -> bytes:
    """Change a few places of a JSON value; what is not JSON is damaged as bytes."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return raw.mutate(data, random)
    for _ in range(random.choice((1, 1, 2, 4))):
        value = change(value, random)
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    damaged = _textually(text, random).encode("utf-8", "surrogatepass")
    return raw.mutate(damaged, random) if random.random() < 0.1 else damaged[: raw.LONGEST]


def change(value: Any, random: Random) -> Any:
    """Return a JSON value with one place in it changed."""
    places = list(_places(value))
    # A copy, or the lists among them would end up within themselves.
    other = copy.deepcopy(random.choice(VALUES))
    if not places:
        return other
    parent, key = random.choice(places)
    kind = random.randrange(8)
    if kind <= 3:
        parent[key] = other
    elif kind == 4:
        place, name = random.choice(places)
        parent[key] = copy.deepcopy(place[name])
    elif kind == 5:
        parent[key] = [parent[key]] if random.random() < 0.5 else {"value": parent[key]}
    elif kind == 6 and isinstance(parent, dict):
        parent[random.choice(["", "\0", "$schema", "id", "x" * 300, str(key).upper()])] = (
            parent.pop(key))
    else:
        del parent[key]
    return value


def _places(value: Any) -> Any:
    """Yield every (container, key) in a JSON value."""
    queue = [value]
    while queue:
        holder = queue.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) \
            if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            queue.append(holder[key])


def _textually(text: str, random: Random) -> str:
    """Write it as only text can: deep, with twin keys, odd white space and numbers."""
    kind = random.randrange(30)
    if kind == 0:
        depth = random.choice((100, 1000, 50_000))
        return text.replace("null", "[" * depth + "]" * depth, 1)
    if kind == 1:
        return "[" * random.choice((500, 100_000)) + text
    if kind == 2:
        return text.replace("{", '{"id": 1, "id": [], ', 1)
    if kind == 3:
        return text.replace(": ", ":\t\r\n ").replace("}", ",}", 1)
    if kind == 4:
        return text.replace(": 1", ": 1" + "0" * random.choice((400, 5000)), 1)
    if kind == 5:
        return "\ufeff" + text
    return text
