"""Sockets: where the embedded Redis listens."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from .errors import ConfigError


def redis_socket(home: Path) -> Path:
    """Return the embedded Redis's Unix socket; short, because the system allows about 100 bytes.

    Raises
    ------
    ConfigError
        If the folder for a long one is somebody else's.
    """
    direct = home / "run" / "redis.sock"
    if len(os.fsencode(direct)) < 100:
        return direct
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"gwbroker-{os.getuid()}"
    _refuse_foreign(folder)
    return folder / f"{name}.sock"


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that somebody else has made: its Redis would not be ours."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(
            "home", "the socket of the embedded Redis",
            f"{folder} must be a folder that is yours and that nobody else can open",
            "Remove it, or set GWBROKER_HOME to a shorter path")
