"""What was submitted last from a home: a small file that outlives the terminal."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .errors import CondorError


@dataclass(frozen=True)
class Record:
    """One submission: its cluster, the access point's host, and when (ISO 8601, UTC)."""

    cluster: int
    log_dir: str
    host: str = field(default_factory=socket.gethostname)
    submitted: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def path(home: Path) -> Path:
    """Return the file of a home's record."""
    return home / "condor.json"


def load(home: Path) -> Record | None:
    """Return the record of a home, or None if nothing was submitted from it.

    Raises
    ------
    CondorError
        If the file is there and cannot be understood.
    """
    file = path(home)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        record = Record(**values)
        if type(record.cluster) is not int:
            raise TypeError("cluster is not a number")
    except FileNotFoundError:
        return None
    except OSError as e:
        raise CondorError(f"{file} cannot be read: {e.strerror}") from None
    except (ValueError, TypeError) as e:
        raise CondorError(
            f"{file} is not a record of a submission ({e}); remove it, HTCondor's queue"
            " knows the cluster as well") from None
    return record


def save(home: Path, record: Record) -> None:
    """Write the record, whole or not at all.

    Raises
    ------
    CondorError
        If it cannot be written.
    """
    file = path(home)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        home.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, file)
    except OSError as e:
        raise CondorError(
            f"{file} cannot be written: {e.strerror}; cluster {record.cluster} was submitted"
        ) from None
