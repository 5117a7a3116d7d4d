"""Progress: a bar on the terminal for what takes long; nothing in a file or a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, float], None]]:
    """Show how far something is, on standard error; yield what is to be told.

    Parameters
    ----------
    title : str
        What is being done to what.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(),
               TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True,
                  disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(f"{Text(title).plain}: {what}", total=1.0)
            bar.update(tasks[what], completed=done)

        yield tell
