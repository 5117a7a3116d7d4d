"""``gwbroker ledger``: schema, checks, pruning, export and backup of the ledger."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from .output import as_json, say

_UNITS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0, "y": 365.25 * 86400.0}


class Age(click.ParamType):  # type: ignore[type-arg]
    """A length of time as ``90d``, in seconds."""

    name = "age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None,
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d{1,9})([hdwy])", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no age; write it as 12h, 90d, 8w or 2y", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


class Progress:
    """Says on standard error, now and then, how far a long command is."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 2.0

    def __call__(self, what: str, count: int) -> None:
        """Say it, if the last time is long ago."""
        if time.monotonic() > self._next:
            self._next = time.monotonic() + 2.0
            click.echo(f"{what}: {count:,}", err=True)


@click.group()
def ledger() -> None:
    """Look after the ledger."""


@ledger.command()
def upgrade() -> None:
    """Bring the ledger's schema up to date; does nothing if it is."""
    from ..ledger import engine, schema

    before = engine.version()
    schema.upgrade()
    after = engine.version()
    click.echo(f"The ledger is at schema {after}." if before == after
               else f"The ledger went from schema {before or 'none'} to {after}.")


@ledger.command()
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def version(json_: bool) -> None:
    """Show the schema of the ledger and the one that this gwbroker needs."""
    from ..ledger import engine

    found = engine.version()
    if json_:
        as_json({"ledger": found, "needed": engine.VERSION})
    else:
        click.echo(f"The ledger has schema {found or 'none'}, this gwbroker needs "
                   f"{engine.VERSION}.")
    if found not in (None, engine.VERSION):
        raise SystemExit(1)


@ledger.command()
@click.option("--sample", type=click.IntRange(1, 30_000), metavar="N",
              help="Read only N payloads, N archives and N products, chosen at random.")
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def check(sample: int | None, json_: bool) -> None:
    """Check that the ledger, its archives and its products are as they were written.

    Reads only, and may run beside everything else. Exit code 1 if anything is wrong; each
    problem is one line that names the culprit and the remedy.
    """
    import importlib

    from .. import dispatch, products
    from ..app import MODULES
    from ..callees import callees
    from ..errors import LedgerError
    from ..ledger import integrity

    dispatch.load()
    for module in MODULES:
        importlib.import_module(module)
    plan = integrity.Plan(products.folder(), set(callees), sample, Progress())
    found = []
    try:
        for problem in integrity.examine(plan):
            found.append(problem)
            if not json_:
                say(f"{problem.check}: {problem.text}")
    except LedgerError as e:
        found.append(integrity.Problem("ledger", str(e)))
        if not json_:
            say(f"ledger: {e}")
    if json_:
        as_json({"ok": not found,
                 "problems": [{"check": p.check, "text": p.text} for p in found]})
    elif not found:
        click.echo("The ledger is sound.")
    if found:
        raise SystemExit(1)


@ledger.command()
@click.option("--older-than", "age", type=Age(), required=True,
              help="Archive the bytes of notices older than this, as 90d.")
@click.option("--forget-after", "end", type=Age(),
              help="And delete the rows of archived notices older than this, as 2y; a copy that "
                   "comes later counts as new.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--vacuum", is_flag=True,
              help="SQLite: give the disk space back afterwards; nobody can write meanwhile.")
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def prune(age: float, end: float | None, dry_run: bool, vacuum: bool, json_: bool) -> None:
    """Move the bytes of old notices to compressed files, and forget their finished jobs.

    The files are under archive/ in home; `gwbroker notices show` and handlers find the bytes
    there. Notices with jobs that are not done, or dead, stay whole. May run beside everything
    else, and be killed and started again.
    """
    from dataclasses import asdict

    from ..ledger import pruning, schema

    if end is not None and end < age:
        raise click.UsageError("--forget-after must be at least --older-than.")
    now, progress = time.time(), Progress()
    done = pruning.prune(
        now - age, None if end is None else now - end, dry_run,
        lambda so_far: progress("notices archived", so_far.notices))
    if vacuum and not dry_run:
        schema.vacuum()
    if json_:
        as_json({**asdict(done), "dry_run": dry_run})
        return
    would = "would be " if dry_run else ""
    click.echo(f"{done.notices} notices ({done.bytes / 1e6:.1f} MB) {would}archived"
               + (f" in {done.files} files" if done.files else "")
               + f", {done.jobs} finished jobs {would}deleted, "
               f"{done.forgotten} old notices {would}forgotten.")


@contextmanager
def _opened(name: str, mode: str) -> Iterator[IO[bytes]]:
    """Open a file, standard input or output for ``-``; gzip by its suffix."""
    import gzip

    if name == "-":
        yield sys.stdout.buffer if mode == "xb" else sys.stdin.buffer
        sys.stdout.flush()
        return
    opener: Any = gzip.open if name.endswith(".gz") else open
    try:
        if mode == "xb":
            # For its owner alone, as the ledger is.
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        file = opener(name, "wb" if mode == "xb" else mode)
    except FileExistsError:
        raise click.ClickException(
            f"{name} exists already; name another file, or remove it") from None
    except OSError as e:
        raise click.ClickException(f"{name or 'a file without a name'}: {e.strerror}") from None
    try:
        with file:
            yield file
    except BaseException:
        if mode == "xb":
            Path(name).unlink(missing_ok=True)
        raise


@ledger.command()
@click.argument("file")
def export(file: str) -> None:
    """Write the whole ledger to FILE as lines of JSON; compressed if it ends in .gz.

    `-` is standard output. It is the ledger of one moment, also beside a running broker.
    """
    from ..ledger import transfer

    try:
        with _opened(file, "xb") as f:
            count = transfer.export(f, Progress())
    except BrokenPipeError:
        # Python would try to write the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.ClickException("whoever read the export has gone") from None
    except OSError as e:
        raise click.ClickException(f"{file}: {e.strerror or e}") from None
    click.echo(f"{count} rows were written.", err=True)


@ledger.command("import")
@click.argument("file")
def import_(file: str) -> None:
    """Read an export into this ledger, which must be empty.

    `-` is standard input. Everything is imported or nothing: a file that was cut or changed
    is refused.
    """
    import zlib

    from ..ledger import transfer

    try:
        with _opened(file, "rb") as f:
            count = transfer.import_(f, Progress())
    except (OSError, EOFError, zlib.error) as e:
        raise click.ClickException(f"{file}: it is damaged or was cut ({e}). Nothing was "
                                   "imported") from None
    click.echo(f"{count} rows were read.", err=True)


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
def backup(file: Path, json_: bool) -> None:
    """Copy a SQLite ledger to FILE, consistently, while it is written to."""
    from ..ledger.backup import backup as make

    made = make(file)
    if json_:
        as_json({"file": str(made.file), "size": made.size, "notices": made.notices})
    else:
        click.echo(f"{made.file} has {made.notices} notices ({made.size / 1e6:.1f} MB).")
