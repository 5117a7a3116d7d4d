"""Holder: which process has a SQLite ledger locked (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import make_url

_WRITE_BYTE = 120
"""The byte of the -shm file that a writer locks (https://www.sqlite.org/walformat.html, 2.3)."""


def holders(url: str) -> str:
    """Return a sentence on who holds the write lock of a ledger; empty if it cannot be known."""
    path = make_url(url).database
    if not path:
        return ""
    found = {pid for file, byte in ((f"{path}-shm", _WRITE_BYTE), (path, None))
             for pid in _locking(file, byte)} - {os.getpid()}
    return " and ".join(_described(pid) for pid in sorted(found))


def _locking(file: str, byte: int | None) -> set[int]:
    try:
        inode = os.stat(file).st_ino
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return set()
    found = set()
    for line in table.splitlines():
        # 1: POSIX  ADVISORY  WRITE 1234 fe:01:5678 120 120; one that waits has an arrow.
        fields = line.split()
        if len(fields) == 8 and fields[3] == "WRITE" \
                and fields[5].rpartition(":")[2] == str(inode) \
                and (byte is None or fields[6] == fields[7] == str(byte)):
            found.add(int(fields[4]))
    return found


def _described(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/comm").read_text().strip()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return f"process {pid} holds it, close it"
    if state in "Tt":
        return (f"process {pid} ({command}) holds it and is stopped: continue it with "
                f"`kill -CONT {pid}`, or end it with `kill -KILL {pid}`, which loses nothing")
    return f"process {pid} ({command}) holds it, close it"
