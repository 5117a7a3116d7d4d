"""Pairs: the one of two kinds, from the table or from one's own settings."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CoincidenceError
from .far import YEAR
from .kinds import kind
from .pair import Pair
from .table import PAIRS

__all__ = ["PAIRS", "Pair", "find", "fitting", "load", "read", "table_of"]

REQUIRED = ("kinds", "window")
OPTIONAL = (
    "source", "group", "experiment", "rate", "rate_per_year", "rate_source", "far_max",
    "far_source", "publish",
)


def fitting(
    first: str, second: str, group: str | None = None, experiment: str | None = None,
    pairs: Iterable[Pair] | None = None,
) -> tuple[Pair, ...]:
    """Return the pairs of two kinds, in whichever order those are given; see `find`."""
    group, experiment = group and group.lower(), experiment and experiment.lower()
    return tuple(
        pair for pair in _of_kinds(first, second, table_of(pairs))
        if (not group or pair.group in (None, group))
        and (not experiment or pair.experiment in (None, experiment)))


def find(
    first: str, second: str, group: str | None = None, experiment: str | None = None,
    pairs: Iterable[Pair] | None = None,
) -> Pair:
    """Return the pair of two kinds, in whichever order those are given.

    Without a group or experiment the first that the table has for these kinds is taken.

    Parameters
    ----------
    first, second : str
        Kinds, see `kinds.kind`.
    group : str, optional
        Of the first kind of the pair, as ``cbc`` or ``burst``.
    experiment : str, optional
        Of the second kind of the pair, as ``fermi``.
    pairs : iterable of Pair, optional
        Where to look; by default `table.PAIRS`. One's own come first to take precedence.

    Raises
    ------
    CoincidenceError
        If there is no such pair; it names those that there are.
    """
    table = table_of(pairs)
    if found := fitting(first, second, group, experiment, table):
        return found[0]
    if same := _of_kinds(first, second, table):
        raise CoincidenceError(
            "group or experiment",
            f"of {first} and {second} there is only {', '.join(p.name for p in same)}, not"
            f" {' '.join(each for each in (group, experiment) if each)}")
    known = ", ".join(dict.fromkeys(" and ".join(pair.kinds) for pair in table))
    raise CoincidenceError(
        "kinds", f"no pair of {first} and {second} is known, only {known}; pairs of your own can"
        " be added")


def table_of(pairs: Iterable[Pair] | None) -> tuple[Pair, ...]:
    """Return these pairs, or by default those of `table.PAIRS`."""
    return PAIRS if pairs is None else tuple(pairs)


def read(tables: Mapping[str, Any] | Sequence[Any], name: str = "coincidences") -> tuple[Pair, ...]:
    """Return pairs from settings: tables of what `Pair` takes.

    ``kinds`` and ``window`` are needed, everything else may be left out; ``rate_per_year``
    may stand instead of ``rate``, which is in Hz.

    Parameters
    ----------
    tables : sequence or mapping
        As ``[{"kinds": ["xray", "neutrino"], "window": [-500, 500], "rate_per_year": 15}]``,
        or the same by names of one's own.
    name : str
        What to call them in error messages.

    Raises
    ------
    CoincidenceError
        Naming the pair, the key and the value.
    """
    if isinstance(tables, Mapping):
        return tuple(_pair(f"{name}.{key}", table) for key, table in tables.items())
    if isinstance(tables, str) or not isinstance(tables, Sequence):
        raise CoincidenceError(name, f"{tables!r} is not a list of tables")
    return tuple(_pair(f"{name}[{n}]", table) for n, table in enumerate(tables))


def load(path: Path) -> tuple[Pair, ...]:
    """Return the pairs in the tables ``[[coincidences]]`` of a TOML file.

    Raises
    ------
    CoincidenceError
        If the file cannot be read, is no TOML, has no such table or one that is no pair.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise CoincidenceError(str(path), f"cannot be read: {e.strerror or e}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise CoincidenceError(str(path), f"is no TOML: {e}") from e
    found = content.get("coincidences")
    if not isinstance(found, dict | list) or not found:
        raise CoincidenceError(str(path), "has no table [[coincidences]]")
    return read(found, f"{path}: coincidences")


def _pair(where: str, value: Any) -> Pair:
    if not isinstance(value, Mapping):
        raise CoincidenceError(where, f"{value!r} is not a table")
    for key in value:
        if key not in (*REQUIRED, *OPTIONAL):
            raise CoincidenceError(
                f"{where}.{key}", f"is unknown; there are {', '.join((*REQUIRED, *OPTIONAL))}")
    for key in REQUIRED:
        if key not in value:
            raise CoincidenceError(f"{where}.{key}", "is missing")
    given = {"source": where, **value}
    if "rate_per_year" in given:
        if "rate" in given:
            raise CoincidenceError(f"{where}.rate", "is given twice, in Hz and per year")
        yearly = given.pop("rate_per_year")
        if isinstance(yearly, bool) or not isinstance(yearly, int | float):
            raise CoincidenceError(f"{where}.rate_per_year", f"{yearly!r} is not a number")
        given["rate"] = yearly / YEAR
    for key in ("source", "group", "experiment", "rate_source", "far_source"):
        if key in given and given[key] is not None and not isinstance(given[key], str):
            raise CoincidenceError(f"{where}.{key}", f"{given[key]!r} is not text")
    try:
        return Pair(**given)
    except CoincidenceError as e:
        raise CoincidenceError(f"{where}.{e.name}", e.problem) from None


def _of_kinds(first: str, second: str, table: Iterable[Pair]) -> list[Pair]:
    wanted = sorted((kind(first), kind(second)))
    return [pair for pair in table if sorted(pair.kinds) == wanted]
