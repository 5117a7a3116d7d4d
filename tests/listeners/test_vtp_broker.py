"""Our VOEvent broker as it runs: two eternal tasks under Beat, with everything killed."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from gwbroker.conf import settings
from gwbroker.embedded.vtp import VOEventServer
from gwbroker.errors import ConfigError, GWBrokerError
from gwbroker.health import examine
from gwbroker.ledger import leases, streams
from gwbroker.ledger.engine import read

from ..ports import free_port
from ..servers import Broker
from .vtp_clients import Client, Subscriber, packet

RECEIVER, BROADCASTER = (f"gwbroker.listeners.vtp_{name}" for name in ("receiver", "broadcaster"))


def configure(
    environment: pytest.MonkeyPatch, home: Path, more: str = "",
) -> tuple[int, int]:
    """Write the settings of both ports; return them."""
    ports = free_port(), free_port()
    (home / "gwbroker.toml").write_text(
        f'[vtp_receiver]\naddress = "127.0.0.1:{ports[0]}"\nivorn = "ivo://test.example/us"\n'
        f'[vtp_broadcaster]\naddress = "127.0.0.1:{ports[1]}"\nivorn = "ivo://test.example/us"\n'
        + more)
    environment.setenv("GWBROKER_CONFIG", str(home / "gwbroker.toml"))
    settings.cache_clear()
    return ports


def held() -> dict[str, int]:
    """Return which of the two run, with their processes."""
    return {row["name"]: row["pid"] for row in leases.listing()
            if row["held"] and row["state"].startswith("listening")}


def sources_of_notices() -> set[str]:
    """Return which sources have brought something."""
    with read() as connection:
        return {row["source"] for row in streams.listing(connection)}


class Following(threading.Thread):
    """A subscriber that comes back whenever it is cut off, and remembers what it got."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.got: list[bytes] = []
        self.stopping = False
        self.connected = threading.Event()
        self._sock: socket.socket | None = None

    def run(self) -> None:
        """Subscribe, again and again."""
        while not self.stopping:
            try:
                with Subscriber(("127.0.0.1", self.port)) as subscriber:
                    self._sock = subscriber.sock
                    self.connected.set()
                    # Whoever hangs up by itself may miss something, and that is the protocol's.
                    while (event := subscriber.event(timeout=60.0)) is not None:
                        self.got.append(event)
            except (OSError, GWBrokerError):
                time.sleep(0.1)

    def end(self) -> None:
        """Hang up for good."""
        self.stopping = True
        assert self._sock is not None
        self._sock.shutdown(socket.SHUT_RDWR)
        self.join(10)
        assert not self.is_alive()


def submit(port: int, document: bytes) -> None:
    """Send a packet until it is acknowledged, as a good author does."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with Client(("127.0.0.1", port)) as author:
                author.send(document)
                if author.hear() is not None:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nobody acknowledged")


@pytest.mark.slow
def test_what_an_author_was_told_yes_for_reaches_the_subscribers_whatever_is_killed(
    broker: Broker, environment: pytest.MonkeyPatch, home: Path,
):
    upstream = VOEventServer(interval=1.0, ask=True)
    upstream.start()
    receive, broadcast = configure(environment, home, (
        f'[vtp.dead]\naddress = "127.0.0.1:{free_port()}"\n'
        f'[vtp.living]\naddress = "127.0.0.1:{upstream.port}"\nfilters = ["//Who", "//What"]\n'))
    broker.redis()
    broker.worker("general")
    broker.beat()
    broker.wait(lambda: len(held()) == 2, 40, "both ports are open")
    broker.wait(lambda: upstream.greetings, 20, "the living upstream knows what we want")
    assert [value for _, value in upstream.greetings[0].params] == ["//Who", "//What"]
    upstream.broadcast(packet("ivo://test.example/upstream#1"))
    broker.wait(lambda: "vtp.living" in sources_of_notices(), 20, "one upstream is enough")
    follower = Following(broadcast)
    follower.start()
    broker.wait(follower.connected.is_set, 10, "somebody has subscribed")
    sent = [packet(f"ivo://test.example/s#{number}") for number in range(150)]
    ended = threading.Event()

    def author() -> None:
        for document in sent:
            submit(receive, document)
            time.sleep(0.02)
        ended.set()

    threading.Thread(target=author, daemon=True).start()
    for name in (RECEIVER, BROADCASTER):
        broker.wait(lambda: len(follower.got) > 0 and len(held()) == 2, 30, "events flow")
        pid, began, before = held()[name], time.monotonic(), len(follower.got)
        os.kill(pid, signal.SIGKILL)
        broker.wait(lambda pid=pid, name=name: held().get(name, pid) != pid, 15,
                    f"{name} is back")
        print(f"{name} was back after {time.monotonic() - began:.1f} s")
        broker.wait(lambda before=before: len(follower.got) > before or ended.is_set(), 15,
                    "events flow")
    broker.wait(ended.is_set, 40, "the author is through")
    broker.wait(lambda: set(follower.got) >= set(sent), 20, "everything arrived")
    follower.end()
    findings = {each.check: each.text for each in examine()}
    assert "listening on" in findings["vtp_receiver"]
    assert "listening on" in findings["vtp_broadcaster"]
    assert "cannot connect" in findings["vtp.dead"]
    assert packet("ivo://test.example/upstream#1") not in follower.got
    upstream.stop()
    assert max(Counter(follower.got).values()) <= 2, "more than the restart explains"


def test_neither_port_is_open_unless_it_is_configured(home: Path):
    assert settings().vtp_receiver is None
    assert settings().vtp_broadcaster is None
    assert settings().sources == ()


def test_both_ports_are_sources_that_doctor_watches(
    environment: pytest.MonkeyPatch, home: Path,
):
    configure(environment, home)
    assert settings().sources == ("vtp_receiver", "vtp_broadcaster")
    receiver = settings().vtp_receiver
    assert receiver is not None
    assert [str(network) for network in receiver.networks] == ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(("line", "said"), [
    ('address = "8098"', "is not host:port"),
    ('address = "a:1, b:2"', "is not one address"),
    ('address = "127.0.0.1:1"\nwhitelist = ["everybody"]', "'everybody' is not a network"),
    ('address = "127.0.0.1:1"\nwhitelists = []', "Accepted: address, ivorn, max_connections"),
])
def test_a_setting_that_cannot_be_is_refused_with_the_remedy(
    line: str, said: str, environment: pytest.MonkeyPatch, home: Path,
):
    (home / "gwbroker.toml").write_text(f"[vtp_receiver]\n{line}\n")
    environment.setenv("GWBROKER_CONFIG", str(home / "gwbroker.toml"))
    settings.cache_clear()
    with pytest.raises(ConfigError, match=r"vtp_receiver.*") as caught:
        settings()
    assert said in str(caught.value)
