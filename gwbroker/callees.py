"""Callees: the handlers and tasks of this process, by name, and how each is to be called."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import HandlerError, UnknownTask
from .streams.registry import origin

LONGEST_PAUSE = 3600.0


@dataclass(frozen=True)
class Callee:
    """A function that jobs call: a handler or a task, with how it is to be called."""

    name: str
    function: Callable[..., Any] = field(repr=False)
    queue: str = "general"
    retries: int = 5
    backoff: float = 2.0
    time_limit: float = 300.0
    tells: bool = False
    """Whether it tells people or publishes, which a replay does only when asked to."""

    def pause(self, attempts: int) -> float:
        """Return the seconds to wait after so many attempts: doubling, jittered."""
        longest = min(self.backoff * 2.0 ** min(attempts - 1, 30), LONGEST_PAUSE)
        return longest * random.uniform(0.5, 1.0)


callees: dict[str, Callee] = {}
"""Every handler and task of this process, by name."""

handlers: set[str] = set()
"""Names of the callees that take a notice; the others are tasks and take arguments."""


def add(callee: Callee) -> None:
    """Make a function known by its name.

    Raises
    ------
    HandlerError
        If the name is taken by another function.
    """
    known = callees.get(callee.name)
    if known is not None and origin(known.function) != origin(callee.function):
        raise HandlerError(
            callee.name, f"the name is taken by {origin(known.function)}",
            "Choose another with name=\"...\"")
    callees[callee.name] = callee


def callee(name: str) -> Callee:
    """Return a handler or task by name.

    Raises
    ------
    UnknownTask
        If it is not installed here.
    """
    try:
        return callees[name]
    except KeyError:
        raise UnknownTask(name, callees) from None


def name_of(function: Callable[..., Any]) -> str:
    """Return the name under which a function was registered.

    Raises
    ------
    UnknownTask
        If it was not.
    """
    for name, known in callees.items():
        if known.function is function:
            return name
    raise UnknownTask(f"{function.__module__}.{function.__name__}", callees)
