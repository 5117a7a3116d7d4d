"""The VOEvent client and a broker that behaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gwbroker.embedded.vtp import VOEventServer
from gwbroker.errors import LedgerUnavailable, TransportError
from gwbroker.listeners.vtp_client import VTPClient

from .vtp_peer import Listening, Peer, event

ROOT = Path(__file__).parents[2]

CHILD = """
import signal, sys, threading, time
from gwbroker.listeners.vtp_client import VTPClient
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
def accept(notices):
    print("got", notices[0].payload.decode(), flush=True)
    {in_accept}
VTPClient([("127.0.0.1", {port})], accept, stopping.is_set, "vtp.test").run()
print("ended", flush=True)
"""


@contextmanager
def child(port: int, in_accept: str = "pass") -> Iterator[subprocess.Popen[str]]:
    """Run a client in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD.format(port=port, in_accept=in_accept)], cwd=ROOT,
        stdout=subprocess.PIPE, text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_packet_is_kept_as_it_came_and_then_acknowledged():
    payload = event("ivo://a/b#1&amp;x=<".replace("<", "&lt;"))
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        server.broadcast(payload)
        assert server.wait_acked()
        (notice,) = listening.notices
        assert (notice.payload, notice.source, notice.topic) == (payload, "vtp.test", "voevent")


def test_a_packet_is_not_acknowledged_before_accept_has_returned():
    order = []

    def script(peer):
        peer.send(event("ivo://a#1"))
        order.append((peer.hear().role, len(seen)))
        peer.wait_end()

    seen = []

    def accept(notices):
        time.sleep(0.2)  # Time in which a premature ack would arrive.
        seen.extend(notices)

    with Peer(script) as peer, Listening(peer.address, accept=accept) as listening:
        assert listening.wait(lambda: bool(order) or listening.client.state.acknowledged == 1)
        listening.stop()
    assert order == [("ack", 1)]


def test_a_duplicate_is_acknowledged_each_time():
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        for _ in range(3):
            server.broadcast(event("ivo://a#1"))
        assert server.wait_acked(3)
        assert len(listening.notices) == 3


def test_iamalive_and_authenticate_are_answered():
    server = VOEventServer(interval=0.05, ask=True)
    with server, Listening((server.host, server.port), filters=["//Who", "//What"]) as listening:
        assert server.wait_alive(3)
        (greeting,) = server.greetings
        assert greeting.response == "ivo://me/x"
        assert greeting.params == (("xpath-filter", "//Who"), ("xpath-filter", "//What"))
        assert listening.client.state.last_traffic is not None


def test_many_packets_are_kept_in_order_and_all_acknowledged():
    with VOEventServer() as server, Listening((server.host, server.port), max_held=7) as listening:
        assert server.wait_subscribed()
        sent = [event(f"ivo://a#{i}") for i in range(500)]
        for payload in sent:
            server.broadcast(payload)
        assert server.wait_acked(500)
        assert [each.payload for each in listening.notices] == sent


def test_a_packet_of_several_megabytes_is_kept():
    payload = event("ivo://a#1").replace(b"/>", b">" + b"x" * 7_000_000 + b"</v:VOEvent>")
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        server.broadcast(payload)
        assert server.wait_acked()
        assert listening.notices[0].payload == payload


def test_nothing_is_acknowledged_when_the_process_is_killed_while_it_keeps():
    with VOEventServer(backlog="unacked") as server:
        with child(server.port, "time.sleep(600)") as process:
            assert server.wait_subscribed(timeout=30)
            server.broadcast(event("ivo://a#1"))
            assert process.stdout.readline().startswith("got")
            process.send_signal(signal.SIGKILL)
        assert not server.wait_acked(timeout=0.3)
        with Listening((server.host, server.port)) as listening:
            assert server.wait_acked()
            assert len(listening.notices) == 1


def test_a_terminated_process_ends_soon():
    with VOEventServer() as server, child(server.port) as process:
        assert server.wait_subscribed(timeout=30)
        start = time.monotonic()
        process.terminate()
        out, _ = process.communicate(timeout=60)
        # Whatever it may wait for takes 10 s or longer.
        assert time.monotonic() - start < 8
        assert out == "ended\n"


def test_while_the_ledger_is_away_packets_wait_and_iamalive_is_answered():
    server = VOEventServer(interval=0.05)
    with server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        listening.outage = LedgerUnavailable("the disk is full")
        server.broadcast(event("ivo://a#1"))
        server.broadcast(event("ivo://a#2"))
        assert listening.wait(lambda: listening.attempts >= 3 and listening.client.state.held == 2)
        alive = server._alive
        assert server.wait_alive(alive + 3)
        assert not server.wait_acked(timeout=0)
        state = listening.client.state
        assert (state.held, state.kept, state.last_error) == (2, 0, "the disk is full")
        listening.outage = None
        assert server.wait_acked(2)
        assert listening.wait_kept(2) == [event("ivo://a#1"), event("ivo://a#2")]
        assert listening.wait(lambda: listening.client.state.held == 0)


def test_when_the_memory_is_full_the_network_waits_and_nothing_is_lost():
    with VOEventServer() as server:
        listening = Listening((server.host, server.port), max_held=5, silence=0.5)
        listening.outage = LedgerUnavailable("locked")
        with listening:
            assert server.wait_subscribed()
            sent = [event(f"ivo://a#{i}") for i in range(3000)]
            for payload in sent:
                server.broadcast(payload)
            assert listening.wait(lambda: listening.attempts >= 8)
            assert listening.client.state.held == 5
            assert server.subscribers == 1  # The pause was not taken for the broker's silence.
            listening.outage = None
            assert server.wait_acked(3000, timeout=20)
            assert [each.payload for each in listening.notices] == sent


def test_packets_that_wait_survive_the_loss_of_the_connection():
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        listening.outage = LedgerUnavailable("locked")
        server.broadcast(event("ivo://a#1"))
        assert listening.wait(lambda: listening.attempts >= 1)
        states = len(listening.states)
        server.drop()
        assert listening.wait_lost(states)
        listening.outage = None
        assert listening.wait_kept(1) == [event("ivo://a#1")]
        assert not server.wait_acked(timeout=0)


def test_a_last_attempt_to_keep_is_made_when_stopping(caplog):
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        listening.outage = LedgerUnavailable("locked")
        server.broadcast(event("ivo://a#1"))
        assert listening.wait(lambda: listening.attempts >= 1)
        listening.outage = None
        listening.stop()
        assert server.wait_acked()
        assert len(listening.notices) == 1
    assert "did not take" not in caplog.text


def test_what_the_ledger_never_took_is_counted_in_the_log_when_stopping(caplog):
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        listening.outage = LedgerUnavailable("locked")
        server.broadcast(event("ivo://a#1"))
        assert listening.wait(lambda: listening.attempts >= 1)
        assert listening.stop() < 8
        assert not server.wait_acked(timeout=0.1)
    assert "1 packets that the ledger did not take" in caplog.text


def test_a_bug_in_accept_ends_the_run_unacknowledged():
    def accept(notices):
        raise ZeroDivisionError

    with VOEventServer(backlog="all") as server:
        server.broadcast(event("ivo://a#1"))
        client = VTPClient([(server.host, server.port)], accept, lambda: False, "vtp.test")
        with pytest.raises(ZeroDivisionError):
            client.run()
        assert not client.state.connected
        assert not server.wait_acked(timeout=0.1)


def test_health_tells_what_happens():
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        server.broadcast(event("ivo://a#1"))
        assert listening.wait(lambda: listening.client.state.acknowledged == 1)
        state = listening.states[-1]
        assert (state.connected, state.received, state.kept, state.held) == (True, 1, 1, 0)
        assert state.last_message is not None
        listening.stop()
        assert not listening.states[-1].connected


def test_an_error_is_forgotten_once_the_next_attempt_has_succeeded():
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        listening.outage = LedgerUnavailable("locked")
        server.broadcast(event("ivo://a#1"))
        assert listening.wait(lambda: listening.client.state.last_error == "locked")
        listening.outage = None
        assert listening.wait_kept(1)
        assert listening.wait(lambda: listening.states[-1].last_error is None)
        states = len(listening.states)
        server.drop()
        assert listening.wait_lost(states)
        assert listening.wait_error("closed")
        assert listening.wait(lambda: listening.states[-1].connected)
        assert listening.states[-1].last_error is None


def test_wrong_options_are_refused_at_once():
    def client(addresses, **options):
        return VTPClient(addresses, list, lambda: True, "vtp.test", **options)

    with pytest.raises(ValueError, match=r"vtp\.test"):
        client([])
    with pytest.raises(ValueError, match="70000"):
        client([("localhost", 70000)])
    with pytest.raises(TransportError):
        client([("localhost", 1)], own_ivorn="ivo://\x00")
