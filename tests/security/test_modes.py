"""Files and folders with secrets or data can be opened by their owner only."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gwbroker import shown
from gwbroker.conf import KafkaCluster, settings
from gwbroker.embedded import redis
from gwbroker.errors import ConfigError, SupervisorError
from tests import servers


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("permissions", [0o640, 0o604, 0o660, 0o644, 0o610])
@pytest.mark.parametrize("name", ["client_secret", "password"])
def test_a_secret_file_that_others_can_read_is_refused(tmp_path, name, permissions):
    file = tmp_path / "secret"
    file.write_text("hush-hush")
    file.chmod(permissions)
    security = "oidc" if name == "client_secret" else "plain"
    values = {"bootstrap_servers": "h:1", "security": security, "client_id": "i", "username": "u",
              "token_endpoint": "https://h/t", f"{name}_file": file}
    with pytest.raises(ValueError, match=r"can be read by others; run `chmod 600") as caught:
        KafkaCluster(**values)
    assert "hush-hush" not in str(caught.value)
    file.chmod(0o600)
    assert "hush-hush" not in repr(KafkaCluster(**values))


def test_inline_secrets_in_a_file_that_others_can_read_are_named(tmp_path, environment):
    file = tmp_path / "gwbroker.toml"
    file.write_text('broker_url = "redis://:x@h"\nfetch_hosts = ["a.org"]\n[kafka.a]\n'
                    'bootstrap_servers = "h:1"\npassword = "x"\nusername = "u"\n'
                    'schema_registry = "https://h"\n'
                    '[kafka.a.options]\n"ssl.key.pem" = "x"\n"fetch.min.bytes" = 1\n')
    environment.setenv("GWBROKER_CONFIG", str(file))
    file.chmod(0o640)
    assert set(shown.exposed_secrets()) == {"broker_url", "kafka.a.password",
                                           "kafka.a.options.ssl.key.pem"}
    file.chmod(0o600)
    assert shown.exposed_secrets() == ()
    environment.setenv("GWBROKER_CONFIG", str(tmp_path / "none.toml"))
    assert shown.exposed_secrets() == ()


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_home_ledger_and_socket_are_for_their_owner_only(tmp_path, mask):
    home = tmp_path / "fresh" / "home"
    environment = {**os.environ, "GWBROKER_HOME": str(home)}
    before = os.umask(mask)
    try:
        subprocess.run([*servers.GWBROKER, "notices"], env=environment, check=True,
                       capture_output=True, timeout=60)
        with servers.Redis(home / "run" / "redis.sock") as server:
            assert mode(home / "run") == 0o700
            assert mode(server.socket) & 0o077 == 0
    finally:
        os.umask(before)
    assert mode(home) == 0o700
    # What is in it nobody else can reach, whatever its own permissions.
    assert (home / "ledger.sqlite").exists()


def test_the_embedded_redis_has_no_port(home: Path):
    command = redis.command(home / "run" / "redis.sock", home / "run")
    assert command[command.index("--port") + 1] == "0"


@pytest.fixture
def fallback(environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The socket's place for a home whose own path is too long."""
    import tempfile

    environment.setenv("GWBROKER_HOME", str(tmp_path / ("long" * 30)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    settings.cache_clear()
    return settings().redis_socket


def test_the_fallback_folder_of_the_socket_is_made_private(fallback: Path, tmp_path: Path):
    assert fallback.parent == tmp_path / "tmp" / f"gwbroker-{os.getuid()}"
    for _ in range(2):
        redis.command(fallback, tmp_path / "run")
        assert mode(fallback.parent) == 0o700


@pytest.mark.parametrize("trap", ["a link", "a dangling link", "open", "a file", "foreign"])
def test_a_fallback_folder_that_somebody_else_laid_out_is_refused(
    fallback: Path, tmp_path: Path, trap: str,
):
    place = fallback.parent
    other = tmp_path / "other"
    if trap == "a link":
        other.mkdir(mode=0o700)
        place.symlink_to(other)
    elif trap == "a dangling link":
        place.symlink_to(other)
    elif trap == "open":
        place.mkdir()
        place.chmod(0o777)
    elif trap == "a file":
        place.touch()
    else:
        if os.geteuid():
            pytest.skip("only root can make a folder that is somebody else's")
        place.mkdir(mode=0o700)
        os.chown(place, 65534, 65534)
    with pytest.raises(SupervisorError, match=r"must be a folder that is yours"):
        redis.command(fallback, tmp_path / "run")
    assert not other.exists() or not list(other.iterdir())


@pytest.mark.parametrize("trap", ["a link", "open", "foreign"])
def test_no_process_talks_to_a_redis_in_a_folder_of_somebody_else(
    fallback: Path, tmp_path: Path, trap: str,
):
    # Else whoever makes that folder first, while no broker runs, hears of every job.
    place = fallback.parent
    if trap == "a link":
        (tmp_path / "real").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "real")
    else:
        place.mkdir(mode=0o700)
        place.chmod(0o755 if trap == "open" else 0o700)
        if trap == "foreign":
            if os.geteuid():
                pytest.skip("only root can make a folder that is somebody else's")
            os.chown(place, 65534, 65534)
    with pytest.raises(ConfigError, match=r"must be a folder that is yours .* shorter path"):
        _ = settings().redis_url
