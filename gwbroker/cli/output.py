"""How commands write: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from unicodedata import category

import click

NUMBER = click.IntRange(1, 2**63 - 1)
"""The number of a row, or of rows, as both kinds of ledger count."""


def iso(seconds: float | None) -> str | None:
    """Return a time of the ledger as ISO 8601 in UTC."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def with_times(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a row with these fields as ISO 8601."""
    return {**row, **{name: iso(row[name]) for name in names if name in row}}


def as_json(value: Any) -> None:
    """Write JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def as_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str,
) -> None:
    """Write a table, or one sentence if there is nothing to show."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if not rows:
        click.echo(empty)
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold",
                         justify="right" if column in ("id", "size", "90 %") else "left")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        # Into a file or a pipe: nobody wants lines folded at 80 letters there.
        console = Console(width=200)
    console.print(table)


def visible(cell: Any) -> str:
    """Return a cell as text in which nothing commands the terminal: names come from strangers.

    Control characters are written out, and those that turn the direction of writing.
    """
    text = "" if cell is None else str(cell)
    return "".join(ascii(c)[1:-1] if category(c) in ("Cc", "Cf") and c != "\n" else c
                   for c in text)


def say(line: Any, err: bool = False) -> None:
    """Write text in which something from a stranger may stand."""
    click.echo(visible(line), err=err)


def short(text: str | None, length: int = 70) -> str:
    """Return a text cut to one line of this length."""
    line = " ".join((text or "").split())
    return line if len(line) <= length else line[: length - 1] + "…"


def when(seconds: float | None) -> str:
    """Return a time as people in a control room read it: UTC, to the second."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun: 1 galaxy, 2,000 galaxies."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def area(square_degrees: float) -> str:
    """Return an area as people read it: a small one in the unit of the eyepiece."""
    value = square_degrees
    unit, scale = ("deg²", 1.0) if value >= 1 else ("arcmin²", 3600.0) if value >= 1 / 3600 \
        else ("arcsec²", 3600.0**2)
    value *= scale
    return f"{value:,.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}" if value >= 1 else \
        f"{value:.2g} {unit}"
