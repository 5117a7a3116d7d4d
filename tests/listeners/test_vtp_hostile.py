"""The VOEvent client and brokers that break the protocol, the network or the XML."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from gwbroker.errors import LedgerUnavailable
from gwbroker.listeners.backoff import Backoff
from gwbroker.streams.transport import encode

from .vtp_peer import ALIVE, Listening, Peer, event

ROOT = Path(__file__).parents[2]
BOMB = (
    b"<?xml version='1.0'?><!DOCTYPE b [<!ENTITY a 'aaaaaaaaaa'>"
    + b"".join(b"<!ENTITY a%d '%s'>" % (i, b"&a%s;" % (str(i - 1).encode() if i else b"") * 10)
               for i in range(9))
    + b"]><VOEvent ivorn='ivo://bomb'>&a8;</VOEvent>"
)
GOOD = event("ivo://good#1")

MEMORY = """
import json, resource, sys
from gwbroker.listeners.vtp_client import VTPClient
import lxml.etree
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
states = []
client = VTPClient([("127.0.0.1", int(sys.argv[1]))], list, lambda: len(states) >= 20, "vtp.test",
                   backoff=(0.01, 0.01), silence=0.2,
                   on_state=lambda s: s.connected or states.append(s.last_error))
before = peak()
client.run()
print(json.dumps([peak() - before, states[-1]]))
"""


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [(b"\xff\xff\xff\xff", "4294967295"), (struct.pack("!I", 8 << 20) + b"<", "said nothing")],
    ids=["4 GiB", "8 MiB"],
)
def test_a_huge_length_costs_no_memory(prefix, problem):
    def script(peer):
        peer.sock.sendall(prefix)
        peer.wait_end()

    with Peer(script) as peer:
        out = subprocess.run(
            [sys.executable, "-c", MEMORY, str(peer.address[1])], cwd=ROOT, check=True,
            stdout=subprocess.PIPE,
        ).stdout
        grown, error = json.loads(out)
        assert len(peer.times) >= 20
    assert grown < 2048, f"grew by {grown} KiB"
    assert problem in error


def test_what_came_before_a_huge_length_is_kept_and_acknowledged():
    answers = []

    def script(peer):
        peer.sock.sendall(encode(GOOD) + b"\xff\xff\xff\xff")
        if not answers:
            answers.append(peer.hear())
        peer.wait_end()

    with Peer(script) as peer, Listening(peer.address, backoff=(30, 60)) as listening:
        assert listening.wait_kept(1) == [GOOD]
        assert listening.wait_error("4294967295 B")
    assert answers[0].role == "ack"


def test_half_a_packet_and_then_silence_ends_in_a_new_connection():
    def script(peer):
        peer.sock.sendall(encode(GOOD)[:20] if len(peers.times) == 1 else encode(GOOD))
        peer.wait_end()

    with Peer(script) as peers, Listening(peers.address, silence=0.3) as listening:
        assert listening.wait_kept(1) == [GOOD]
        # It may have lost patience once more by now.
        assert len(peers.times) >= 2
        assert listening.wait_error("said nothing")


def test_half_a_packet_and_then_the_end_is_told_as_such():
    peer = Peer(lambda peer: peer.sock.sendall(encode(GOOD)[:20]))
    with peer, Listening(peer.address, backoff=(30, 60)) as listening:
        assert listening.wait_error(f"in the middle of a message (16 B of {len(GOOD)})")


def test_a_packet_that_trickles_in_is_bounded_by_a_deadline():
    def script(peer):
        for byte in encode(GOOD):
            peer.sock.sendall(bytes([byte]))
            if threading.Event().wait(0.05):
                return

    options = {"packet_timeout": 0.5, "backoff": (30, 60)}
    with Peer(script) as peer, Listening(peer.address, **options) as listening:
        assert listening.wait_error("did not arrive within 0.5 s")
        assert not listening.notices


def test_packets_that_arrive_byte_by_byte_but_in_time_are_kept():
    def script(peer):
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in encode(ALIVE) + encode(GOOD):
            peer.sock.sendall(bytes([byte]))
        assert [peer.hear().role, peer.hear().role] == ["iamalive", "ack"]
        peer.wait_end()

    with Peer(script) as peers, Listening(peers.address) as listening:
        assert listening.wait_kept(1) == [GOOD]


def test_a_silent_broker_is_left():
    with Peer(lambda peer: peer.wait_end()) as peers, Listening(peers.address, silence=0.2) as it:
        assert it.wait(lambda: len(peers.times) >= 2)


@pytest.mark.parametrize(
    "document",
    [
        b"<not-closed",
        b"\x00\xff\xfe garbage",
        b"<html><body>503</body></html>",
        b"<VOEvent role='test'/>",
        b"<Transport role='shout'/>",
        BOMB,
        b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><VOEvent ivorn='x'>&e;</VOEvent>",
    ],
    ids=["cut", "binary", "html", "no ivorn", "odd role", "bomb", "external entity"],
)
def test_what_cannot_be_read_is_kept_too_and_the_next_packet_flows(document, caplog):
    def script(peer):
        peer.send(document, GOOD)
        answer = peer.hear()
        assert (answer.role, answer.origin) == ("ack", "ivo://good#1")
        peer.wait_end()

    with Peer(script) as peers, Listening(peers.address) as listening:
        assert listening.wait_kept(2) == [document, GOOD]
        assert listening.wait(lambda: listening.client.state.acknowledged == 1)
        assert len(peers.times) == 1
    assert "cannot be acknowledged" in caplog.text


def test_an_empty_message_is_kept_unacknowledged_and_the_link_survives(caplog):
    def script(peer):
        peer.send(b"", GOOD, b"")
        assert peer.hear().role == "ack"
        peer.wait_end()

    with Peer(script) as peers, Listening(peers.address) as listening:
        assert listening.wait_kept(3) == [b"", GOOD, b""]
        assert listening.wait(lambda: listening.client.state.kept == 3)
        assert listening.client.state.acknowledged == 1
        assert len(peers.times) == 1
    assert caplog.text.count("0 B") == 1


def test_an_iamalive_without_origin_is_answered_and_the_link_survives():
    def script(peer):
        peer.send(b"<Transport role='iamalive'/>", GOOD)
        answer = peer.hear()
        assert (answer.role, answer.response) == ("iamalive", "ivo://me/x")
        assert peer.hear().role == "ack"
        peer.wait_end()

    with Peer(script) as peers, Listening(peers.address) as listening:
        assert listening.wait_kept(1) == [GOOD]
        assert listening.wait(lambda: listening.client.state.acknowledged == 1)


def test_answers_from_the_broker_are_ignored():
    def script(peer):
        peer.send(*(f"<Transport role='{role}'/>".encode() for role in ("ack", "nak")), GOOD)
        assert peer.hear().role == "ack"
        peer.wait_end()

    with Peer(script) as peers, Listening(peers.address) as listening:
        assert listening.wait_kept(1) == [GOOD]


def test_packets_sent_just_before_the_broker_hangs_up_are_kept():
    sent = [event(f"ivo://a#{i}") for i in range(200)]

    def script(peer):
        if len(peers.times) == 1:
            peer.send(*sent)
            peer.sock.shutdown(socket.SHUT_WR)
        peer.wait_end()

    with Peer(script) as peers:
        listening = Listening(peers.address, max_held=3)
        listening.outage = LedgerUnavailable("locked")
        with listening:
            assert listening.wait(lambda: listening.attempts > 2)
            listening.outage = None
            assert listening.wait_kept(200) == sent


def test_a_broker_that_never_reads_is_left():
    def script(peer):
        while True:
            peer.send(*[ALIVE] * 100)

    with Peer(script) as peers, Listening(peers.address, silence=0.5) as listening:
        assert listening.wait_error("took no byte", 30)


def test_pauses_grow_when_a_broker_takes_connections_and_drops_them(pauses):
    with Peer(lambda peer: peer.send(ALIVE)) as peers:
        with Listening(peers.address, backoff=(0.05, 0.8)) as listening:
            assert listening.wait(lambda: len(peers.times) >= 7, 30)
        gaps = [b - a for a, b in pairwise(peers.times)][:6]
    for gap, pause, longest in zip(gaps, pauses, (0.1, 0.2, 0.4, 0.8, 0.8, 0.8), strict=False):
        assert longest / 2 <= pause <= longest
        assert gap >= pause
    # A machine may delay each of them, but hardly all.
    assert min(gap - pause for gap, pause in zip(gaps, pauses, strict=False)) < 0.3


def test_pauses_start_again_after_a_connection_that_carried_traffic_for_a_while(pauses):
    def script(peer):
        def exchange():
            peer.send(ALIVE)
            peer.hear()

        if len(peers.times) == 4:
            exchange()
            end = time.monotonic() + 0.4
            while time.monotonic() < end:
                exchange()
            # The client has seen to what the first of these tells it when it answers the second.
            exchange()
            exchange()

    with Peer(script) as peers:
        with Listening(peers.address, backoff=(0.1, 60), settle=0.3) as listening:
            assert listening.wait(lambda: len(peers.times) >= 5, 30)
        gaps = [b - a for a, b in pairwise(peers.times)]
    assert pauses[2] >= 0.4
    assert gaps[2] >= pauses[2]
    assert pauses[3] <= 0.2


def test_pauses_lie_between_the_shortest_and_the_longest_and_differ():
    backoff = Backoff(1, 60)
    pauses = [backoff.next() for _ in range(2000)]
    assert all(1 <= each <= 60 for each in pauses)
    assert 1 <= pauses[0] <= 2 <= pauses[1] <= 4 <= pauses[2] <= 8
    assert all(each >= 30 for each in pauses[6:])
    assert len(set(pauses)) > 1900
    backoff.reset()
    assert backoff.next() <= 2


def test_waiting_costs_no_processor_time():
    with Peer(lambda peer: peer.sock.sendall(encode(GOOD)) or peer.wait_end()) as peers:
        listening = Listening(peers.address, max_held=1)
        listening.outage = LedgerUnavailable("locked")
        with listening:
            assert listening.wait(lambda: listening.attempts > 2)
            before = os.times()
            assert not listening.wait(lambda: bool(listening.notices), 1.0)
            after = os.times()
    assert after.user + after.system - before.user - before.system < 0.2
