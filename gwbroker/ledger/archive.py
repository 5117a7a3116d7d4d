"""Archive: compressed files with the bytes of old notices, which the ledger needs no more.

``<home>/archive/2026/11/<first>-<last>-<digest>.jsonl.gz``: one line of JSON for each notice.
A file is written once and never changed; its name says what is in it, so that two runs
that write the same write the same file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from ..conf import settings
from ..errors import LedgerError, NotFound
from . import body

_MAKING = ".making-"


@dataclass(frozen=True)
class Entry:
    """A notice as it goes into an archive: its number, its bytes, and what else is known."""

    id: int
    digest: bytes
    payload: bytes
    facts: dict[str, Any]


def folder() -> Path:
    """Return the folder of all archives; hosts that share a ledger share it."""
    return settings().home / "archive"


def file(name: str) -> Path:
    """Return the path of an archive.

    Raises
    ------
    LedgerError
        If its name leads out of the folder.
    """
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise LedgerError(f"an archive cannot be called {name!r}; run `gwbroker ledger check`")
    return folder() / parts


def store(entries: Sequence[Entry], month: float) -> str:
    """Write notices to an archive, safe on disk, read back and compared; return its name.

    Parameters
    ----------
    entries : sequence of Entry
        Some notices, by number.
    month : float
        A time in the month to which they belong.

    Raises
    ------
    LedgerError
        If the disk is full or cannot be written, or gives back something else.
    """
    lines = b"".join(_line(entry) for entry in entries)
    digest = hashlib.sha256(lines).hexdigest()[:16]
    name = (f"{datetime.fromtimestamp(month, UTC):%Y/%m}/"
            f"{entries[0].id:010d}-{entries[-1].id:010d}-{digest}.jsonl.gz")
    target = file(name)
    try:
        _write(target, gzip.compress(lines, compresslevel=6, mtime=0))
        found = {number: hashlib.sha256(payload).digest() for number, payload in read(name)}
    except OSError as e:
        raise LedgerError(
            f"the archive {target} cannot be written: {e.strerror or e}; make room, or mend the "
            "permissions. Nothing was deleted") from e
    if found != {entry.id: entry.digest for entry in entries}:
        raise LedgerError(f"the archive {target} does not read as it was written: is the disk "
                          "sound? Nothing was deleted")
    return name


def _line(entry: Entry) -> bytes:
    values = {"id": entry.id, **entry.facts, "sha256": entry.digest.hex(),
              **body.pack(entry.payload)}
    return body.line(values)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_MAKING)
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    # The names of file, month and year have to outlive a power cut as well.
    for place in (target.parent, *target.parents[1:4]):
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sweep() -> None:
    """Remove what killed runs left half written; call it while no other run writes."""
    for left in folder().glob(f"*/*/{_MAKING}*"):
        left.unlink(missing_ok=True)


def read(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each notice in an archive.

    Raises
    ------
    OSError
        If it cannot be read.
    LedgerError
        If it is damaged.
    """
    try:
        with gzip.open(file(name), "rb") as f:
            for line in f:
                values = json.loads(line)
                yield int(values["id"]), body.unpack(values)
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError, KeyError, TypeError) as e:
        raise _damaged(name, f"{type(e).__name__}: {e}") from e


def fetch(name: str, number: int, digest: bytes) -> bytes:
    """Return the bytes of one notice.

    Raises
    ------
    NotFound
        If the archive is not there, or not in it; it names the file.
    LedgerError
        If it is damaged.
    """
    path = file(name)
    try:
        status = path.stat()
        payload = _opened(name, path, status.st_mtime_ns, status.st_size).get(number)
    except OSError as e:
        raise NotFound("archive", f"{path} ({e.strerror}), which has the bytes of notice "
                       f"{number}: mount it, or restore it from a backup") from e
    if payload is None:
        raise NotFound("notice", f"{number} in its archive {path}; run `gwbroker ledger check`")
    if hashlib.sha256(payload).digest() != digest:
        raise _damaged(name, f"the bytes of notice {number} are not those that arrived")
    return payload


# Who asks for one notice of an archive mostly asks for its neighbours next.
@lru_cache(maxsize=1)
def _opened(name: str, _path: Path, _changed: int, _size: int) -> dict[int, bytes]:
    return dict(read(name))


def _damaged(name: str, problem: str) -> LedgerError:
    return LedgerError(
        f"the archive {file(name)} is damaged ({problem}); restore it from a backup")


def problems(name: str, wanted: Iterable[tuple[int, bytes]]) -> Iterator[str]:
    """Yield what is wrong with an archive that should have these notices with these digests."""
    path = file(name)
    try:
        found = {number: hashlib.sha256(payload).digest() for number, payload in read(name)}
    except OSError as e:
        yield (f"archive {path}: {e.strerror}: mount it, or restore it from a backup")
        return
    except LedgerError as e:
        yield str(e)
        return
    for number, digest in wanted:
        if number not in found:
            yield f"notice {number}: it is not in its archive {path}: restore it from a backup"
        elif found[number] != digest:
            yield (f"notice {number}: the bytes in its archive {path} are not those that "
                   "arrived: restore it from a backup")
