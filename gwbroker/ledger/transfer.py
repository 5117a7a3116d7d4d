"""Transfer: a whole ledger as lines of JSON, to take it from one database to another.

The first line says what this is and which schema it has, the last how many rows there
were and the SHA-256 of every line before it, so that a file that was cut is recognised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

from sqlalchemy import (
    JSON,
    Connection,
    LargeBinary,
    RowMapping,
    Table,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy.exc import StatementError

from ..errors import LedgerError
from . import body
from .engine import VERSION, snapshot, write
from .faults import explain
from .models import metadata, notices, payloads
from .postgresql import be_patient

FORMAT = "gwbroker ledger 1"
ROWS, SIZE = 500, 8 << 20
"""Rows and bytes that are held in memory at a time."""

Progress = Callable[[str, int], None]


def export(file: IO[bytes], progress: Progress = lambda _what, _count: None) -> int:
    """Write every row of the ledger, as it is at one moment; return their number.

    Parameters
    ----------
    file : binary file
        Where to.
    progress : callable
        Called with the name of a table and how many of its rows were written.

    Raises
    ------
    LedgerUnavailable
        If the ledger cannot be reached.
    """
    digest, total = hashlib.sha256(), 0

    def put(value: Any) -> None:
        line = body.line(value)
        digest.update(line)
        file.write(line)

    with snapshot() as connection:
        put({"format": FORMAT, "schema": VERSION})
        for table in metadata.sorted_tables:
            count = 0
            for row in _rows(connection, table):
                put([table.name, _packed(table, row)])
                count += 1
                if count % ROWS == 0:
                    progress(table.name, count)
            progress(table.name, count)
            total += count
    put({"end": total, "sha256": digest.hexdigest()})
    return total


def _rows(connection: Connection, table: Table) -> Iterator[RowMapping]:
    # By number, because a row may refer to an earlier one of its table.
    order = list(table.primary_key.columns)
    if table is not payloads:
        rows = connection.execution_options(yield_per=ROWS).execute(
            select(table).order_by(*order)).mappings()
        yield from rows
        return
    last = 0
    while True:
        sizes = connection.execute(
            select(payloads.c.notice_id, notices.c.size)
            .join(notices, notices.c.id == payloads.c.notice_id)
            .where(payloads.c.notice_id > last).order_by(payloads.c.notice_id).limit(ROWS)).all()
        if not sizes:
            return
        end, total = last, 0
        for number, size in sizes:
            if total and total + size > SIZE:
                break
            end, total = number, total + size
        yield from connection.execute(
            select(payloads).where(payloads.c.notice_id > last, payloads.c.notice_id <= end)
            .order_by(payloads.c.notice_id)).mappings()
        last = end


def _packed(table: Table, row: RowMapping) -> dict[str, Any]:
    values = {name: value for name, value in row.items() if value is not None}
    for column in table.columns:
        if isinstance(column.type, LargeBinary) and column.name in values:
            value = bytes(values[column.name])
            values[column.name] = value.hex() if column.type.length else body.pack(value)
    return values


def _unpacked(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    unknown = set(values) - set(names)
    if unknown:
        raise ValueError(f"table {table.name} has no {', '.join(sorted(unknown))}")
    row = {name: values.get(name) for name in names}
    for column in table.columns:
        value = row[column.name]
        if isinstance(column.type, LargeBinary) and value is not None:
            row[column.name] = bytes.fromhex(value) if column.type.length else body.unpack(value)
    return row


def import_(
    file: Iterable[bytes], progress: Progress = lambda _what, _count: None,
) -> int:
    """Read an export into an empty ledger, wholly or not at all; return the number of rows.

    Parameters
    ----------
    file : iterable of bytes
        The lines of an export.
    progress : callable
        Called with the name of a table and how many of its rows were read.

    Raises
    ------
    LedgerError
        If the ledger is not empty, or the export is damaged, cut, or of another schema.
    """
    with write() as connection:
        be_patient(connection)
        for table in metadata.sorted_tables:
            if connection.execute(select(1).select_from(table).limit(1)).first():
                raise LedgerError(
                    f"this ledger is not empty: its table {table.name} has rows. Import into a "
                    "new one, before anything else uses it")
        try:
            total = _read(connection, file, progress)
        except (StatementError, OverflowError, UnicodeError) as e:
            # SQLite's driver refuses some values with errors that are not of databases.
            if explain(e) is not None:
                raise
            said = str(getattr(e, "orig", None) or e).splitlines()[0]
            raise LedgerError(f"rows are missing in the export or were changed: {said}. Nothing "
                              "was imported") from e
        if connection.dialect.name == "postgresql":
            _advance_sequences(connection)
    return total


def _read(connection: Connection, file: Iterable[bytes], progress: Progress) -> int:
    digest, total, ended, batch = hashlib.sha256(), 0, False, _Batch(connection, progress)
    for number, line in enumerate(file, 1):
        try:
            if ended:
                raise ValueError("something follows on the end")
            value = json.loads(line)
            if number == 1:
                _check_head(value)
            elif isinstance(value, dict):
                if value != {"end": total, "sha256": digest.hexdigest()}:
                    raise ValueError("rows are missing or were changed before it")
                ended = True
            else:
                name, values = value
                batch.add(name, _unpacked(metadata.tables[name], values), len(line))
                total += 1
        except KeyError as e:
            raise _bad(number, f"there is no table {e}") from e
        except (ValueError, TypeError, AttributeError, RecursionError) as e:
            raise _bad(number, str(e)) from e
        digest.update(line)
    batch.flush()
    if not ended:
        raise LedgerError("the export ends before its end: it was cut. Nothing was imported")
    return total


def _check_head(value: Any) -> None:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError("this is no export of a ledger")
    if value.get("schema") != VERSION:
        raise LedgerError(
            f"the export has schema {value.get('schema')}, this gwbroker needs {VERSION}: run "
            "`gwbroker ledger upgrade` on the old ledger and export it again, both with this "
            "version")


def _bad(number: int, problem: str) -> LedgerError:
    return LedgerError(f"line {number} of the export: {problem}. Nothing was imported")


class _Batch:
    """Rows of one table that are inserted together."""

    def __init__(self, connection: Connection, progress: Progress) -> None:
        self._connection, self._progress = connection, progress
        self._table: Table | None = None
        self._rows: list[dict[str, Any]] = []
        self._size = self._count = 0

    def add(self, name: str, row: dict[str, Any], size: int) -> None:
        """Take a row."""
        if self._table is None or self._table.name != name:
            self.flush()
            self._table, self._count = metadata.tables[name], 0
        elif len(self._rows) >= ROWS or self._size + size > SIZE:
            self.flush()
        self._rows.append(row)
        self._size += size

    def flush(self) -> None:
        """Insert what was taken."""
        if self._table is None or not self._rows:
            return
        # Of a column of JSON nothing else than NULL is written for None.
        self._connection.execute(insert(self._table).values({
            column.name: bindparam(
                column.name, type_=JSON(none_as_null=True) if isinstance(column.type, JSON)
                else column.type)
            for column in self._table.columns}), self._rows)
        self._count += len(self._rows)
        self._rows, self._size = [], 0
        self._progress(self._table.name, self._count)


def _advance_sequences(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if "id" in table.c:
            sequence = func.pg_get_serial_sequence(table.name, "id")
            highest = select(func.max(table.c.id)).scalar_subquery()
            connection.execute(select(func.setval(sequence, highest)).where(
                sequence.is_not(None), highest.is_not(None)))
