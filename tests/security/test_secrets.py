"""A running broker tells its secrets to nobody, and opens no port but Flower's, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.ports import free_port

MARKS = {name: f"MaRk{name}9f3a" for name in (
    "redis", "database", "sasl", "client", "option", "registry", "file")}


def leaks(where: str, text: str) -> list[str]:
    """Return which secrets a text has, with the line around each."""
    return [f"{where}: {name}: {line[:300]}" for line in text.splitlines()
            for name, mark in MARKS.items() if mark in line]


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Return the TCP addresses and ports on which processes listen, from /proc."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(os.readlink(link))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, _, port = fields[1].rpartition(":")
                found.add((address, int(port, 16)))
    return found


def family(pid: int) -> set[int]:
    """Return a process and all that it has started, directly or not."""
    found = {pid}
    for child in servers.children(pid):
        found |= family(child)
    return found


class Up:
    """`gwbroker up`, with what it prints."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.log = folder / "up.log"
        self.environment = environment
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                [*servers.GWBROKER, "up"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env=environment)

    def stop(self) -> None:
        """Stop it."""
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(40)
        finally:
            self.child.kill()
            self.child.wait()


@pytest.fixture
def redis_server(home: Path):
    """A Redis on TCP that asks for a password; returns its port."""
    from gwbroker.embedded import redis

    port = free_port()
    (home / "run").mkdir(mode=0o700)
    config = home / "run" / "redis.conf"
    config.touch(mode=0o600)
    # In a file, because arguments are for everybody to see.
    config.write_text(f"port {port}\nbind 127.0.0.1\nrequirepass {MARKS['redis']}\nsave \"\"\n")
    binary = redis.command(home / "run" / "x.sock", home / "run")[0]
    child = subprocess.Popen([binary, str(config)], stdout=subprocess.DEVNULL, cwd=home / "run")
    yield port
    child.terminate()
    child.wait()


def settings_file(home: Path, redis_port: int, flower_port: int, database: str) -> Path:
    """Write settings with a secret at every place where there can be one."""
    secret = home / "secret"
    secret.touch(mode=0o600)
    secret.write_text(MARKS["file"])
    path = home / "gwbroker.toml"
    path.touch(mode=0o600)
    path.write_text(f"""
        home = "{home}"
        log_level = "DEBUG"
        flower_port = {flower_port}
        broker_url = "redis://:{MARKS['redis']}@127.0.0.1:{redis_port}/0"
        database_url = "{database}"
        [kafka.plain]
        bootstrap_servers = "127.0.0.1:9"
        security = "plain"
        tls = false
        username = "me"
        password = "{MARKS['sasl']}"
        topics = ["a.topic"]
        schema_registry = "http://me:{MARKS['registry']}@127.0.0.1:9"
        options = {{"ssl.key.password" = "{MARKS['option']}"}}
        [kafka.oidc]
        bootstrap_servers = "127.0.0.1:9"
        security = "oidc"
        tls = false
        client_id = "me"
        client_secret = "{MARKS['client']}"
        token_endpoint = "http://127.0.0.1:9/token"
        topics = ["a.topic"]
        [kafka.file]
        bootstrap_servers = "127.0.0.1:9"
        security = "scram-sha-512"
        tls = false
        username = "me"
        password_file = "{secret}"
        topics = ["a.topic"]
    """)
    return path


@pytest.mark.slow
def test_a_running_broker_tells_its_secrets_to_nobody(
    home: Path, environment: Any, postgresql: servers.PostgreSQL, redis_server: int, tmp_path: Path,
) -> None:
    database = postgresql.fresh("template")
    flower = free_port()
    url = postgresql.url(database).replace("postgres@", f"postgres:{MARKS['database']}@")
    file = settings_file(home, redis_server, flower, url)
    clean = {**{k: v for k, v in os.environ.items() if not k.startswith("GWBROKER_")},
             "GWBROKER_CONFIG": str(file), "FLOWER_UNAUTHENTICATED_API": "true"}
    found: list[str] = []
    up = Up(tmp_path, clean)

    def get(path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{flower}{path}", timeout=10) as answer:
                return answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as e:
            return e.read().decode("utf-8", "replace")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return ""

    try:
        servers.poll(lambda: up.log.read_text().count("ready.") >= 3 and get("/healthcheck"), 90,
                     "three workers and Flower are up")
        # What the listeners trip over is what they would talk about.
        servers.poll(lambda: up.log.read_text().count("127.0.0.1:9") >= 3, 60, "listeners try")
        servers.poll(lambda: len(json.loads(get("/api/workers?refresh=true") or "{}")) >= 3, 60,
                     "Flower knows the workers")
        pids = family(up.child.pid)
        assert len(pids) > 6
        for pid in pids:
            for what in ("cmdline", "environ", "comm"):
                with contextlib.suppress(OSError):
                    text = Path(f"/proc/{pid}/{what}").read_bytes().replace(b"\0", b"\n")
                    found += leaks(f"{what} of {pid}", text.decode("utf-8", "replace"))
        assert listening(pids) == {("0100007F", flower)}, "only Flower listens, on 127.0.0.1"
        names = json.loads(get("/api/workers") or "{}")
        for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks",
                     "/api/queues/length", "/api/task/types", "/metrics", "/nothing",
                     *(f"/worker/{name}" for name in names)):
            page = get(path)
            assert page, path
            found += leaks(f"Flower's {path}", page)
        commands = [["config"], ["config", "--json"], ["doctor", "--json"], ["report"],
                    ["inspect", "conf"], ["inspect", "stats"], ["condor", "submit", "--dry-run"]]
        running = [subprocess.Popen([*servers.GWBROKER, *command], env=clean, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                   for command in commands]
        for command, child in zip(commands, running, strict=True):
            found += leaks(" ".join(command), child.communicate(timeout=90)[0])
    finally:
        up.stop()
    found += leaks("the log", up.log.read_text())
    for place in home.rglob("*"):
        if place.is_file() and place not in (file, home / "secret", home / "run" / "redis.conf"):
            found += leaks(str(place), place.read_bytes().decode("latin-1"))
    postgresql.drop(database)
    assert found == []


def test_no_repr_and_no_error_shows_a_secret(home: Path, environment: Any) -> None:
    from gwbroker import conf, shown
    from gwbroker.errors import ConfigError

    file = settings_file(home, 1, 2, f"postgresql://me:{MARKS['database']}@127.0.0.1/x")
    environment.delenv("GWBROKER_HOME")
    environment.setenv("GWBROKER_CONFIG", str(file))
    conf.settings.cache_clear()
    found = conf.settings()
    shown = [repr(found), str(found), repr(list(found.kafka.values())), repr(shown.effective()),
             found.model_dump_json(exclude={"broker_url", "database_url", "kafka"})]
    good = file.read_text()
    for old, new in (("redis://", "radis://"), ("postgresql://", "mysql://"),
                     ('security = "plain"', 'security = "plane"'), ('client_id = "me"', ""),
                     (f'password = "{MARKS["sasl"]}"', f'pass_word = "{MARKS["sasl"]}"'),
                     (f'"{MARKS["client"]}"', f'["{MARKS["client"]}"]'),
                     (f'"{MARKS["sasl"]}"', f'"{MARKS["sasl"]}')):
        assert old in good
        file.write_text(good.replace(old, new, 1))
        conf.settings.cache_clear()
        with pytest.raises(ConfigError) as caught:
            conf.settings()
        shown.append(f"{caught.value} {caught.value!r} {vars(caught.value)}")
    assert [leak for text in shown for leak in leaks("", text)] == []


@pytest.mark.parametrize(("url", "shown"), [
    ("redis://:s3cret@host/0", "redis://:********@host/0"),
    ("redis://:s3/cret@host/0", "redis://********@host/0"),
    ("redis://:s3?cret@host/0", "redis://********@host/0"),
    ("redis://:s3#cret@host/0", "redis://********@host/0"),
    ("redis://me:s3@cret@host/0", "redis://me:********@host/0"),
    ("postgresql://me@/db?password=s3cret&host=/x", "postgresql://me@/db?password=********&host=/x"),
    ("postgresql://me@/db?sslpassword=s3cret", "postgresql://me@/db?sslpassword=********"),
    ("http://[::1", "********"), ("sqlite:////x/y@z.sqlite", "sqlite:////x/y@z.sqlite"),
])
def test_urls_are_shown_without_their_passwords(url, shown):
    from gwbroker.conf import mask_url

    assert mask_url(url) == shown


@pytest.mark.parametrize(("name", "value", "secret"), [
    ("GWBROKER_KAFKA__GCN__CLIENT_SECRET", "x", True),
    ("GWBROKER_KAFKA__GCN__CLIENT_SECRET_FILE", "/x", False),
    ("GWBROKER_KAFKA", '{"a": {"password": "x"}}', True),
    ("GWBROKER_KAFKA", '{"a": {"options": {"ssl.key.pem": "x"}}}', True),
    ("GWBROKER_KAFKA", '{"a": {"schema_registry": "https://u:x@h"}}', True),
    ("GWBROKER_KAFKA", '{"a": {"password_file": "/x", "token_endpoint": "https://h"}}', False),
    ("GWBROKER_DATABASE_URL", "postgresql://u@/d?password=x", True),
    ("GWBROKER_BROKER_URL", "redis://:x@h", True),
    ("GWBROKER_BROKER_URL", "redis://h", False),
    ("GWBROKER_HOME", "/home/x", False),
    ("OTHER_PASSWORD", "x", False),
])
def test_what_must_not_travel_in_a_jobs_environment_is_known(name, value, secret):
    from gwbroker.condor.secrets import exposed

    assert exposed({name: value}) == ((name,) if secret else ())
