"""Our two open ports and clients that mean no good: everybody else is served all the same."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import resource
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from gwbroker.intake import accept
from gwbroker.ledger import broadcasts
from gwbroker.ledger.engine import read
from gwbroker.listeners import vtp_server
from gwbroker.notice import Notice
from gwbroker.streams.transport import encode

from ..servers import poll
from .test_vtp_hostile import BOMB
from .vtp_clients import Broadcasting, Client, Receiving, Running, Subscriber, packet

GOOD = packet("ivo://test.example/s#1")
NOISE = os.urandom(50_000)
HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GARBAGE = {"4 GiB": b"\xff\xff\xff\xff", "little endian": struct.pack("<I", 500) + GOOD,
           "http": HTTP, "noise": NOISE, "empty frames": b"\0" * 40_000,
           "bomb": encode(BOMB), "nested": encode(b"<a>" * 20_000)}


@pytest.fixture(params=["receiver", "broadcaster"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Each of our servers, with the limits that these tests need."""
    request.getfixturevalue("sqlite")
    made: Running = Receiving(timeout=1.0, max_connections=50, max_per_peer=40) \
        if request.param == "receiver" else \
        Broadcasting(interval=0.5, max_connections=50, max_per_peer=40)
    with made as running:
        yield running


def serves(server: Running, source: str = "127.0.0.9") -> bool:
    """Tell whether a good client, on another host, is served at once."""
    began = time.monotonic()
    if isinstance(server, Receiving):
        with Client(server.address, source) as author:
            author.send(GOOD)
            assert author.answer().role == "ack"
    else:
        with Subscriber(server.address, source=source):
            pass
    # Far less than the time that a connection has, 20 s or more.
    return time.monotonic() - began < 10


def peak() -> int:
    """Return the most memory that this process has ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def sockets() -> int:
    """Return how many sockets this process has open."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_costs_nobody_else_anything(server: Running, garbage: bytes):
    before = peak()
    for _ in range(5):
        with Client(server.address) as client, contextlib.suppress(OSError):
            client.sock.sendall(garbage)
            client.sock.shutdown(socket.SHUT_WR)
            while client.sock.recv(65536):
                pass
    assert serves(server)
    assert peak() - before < 20 * 2**20
    assert server.error is None


def test_a_document_that_is_announced_too_long_ends_the_connection(server: Running):
    with Client(server.address) as client:
        client.sock.sendall(b"\xff\xff\xff\xff")
        while client.hear() is not None:
            pass
    assert serves(server)


def test_half_open_connections_keep_nobody_out_and_are_closed_in_time(server: Running):
    slow = [Client(server.address) for _ in range(60)]
    try:
        for client in slow:
            with contextlib.suppress(OSError):
                client.sock.sendall(encode(GOOD)[:30])
        assert serves(server)
        poll(lambda: len(server.server.connections) == 0, 20, "they are closed")
    finally:
        for client in slow:
            client.sock.close()


def test_slow_authors_on_every_host_make_room_for_one_that_has_something_to_say():
    with Receiving(max_connections=20) as server:
        slow = [Client(server.address, f"127.0.0.{10 + n}") for n in range(20)]
        poll(lambda: len(server.server.connections) == 20, 20, "they have every place")
        assert serves(server)
        assert len(server.server.connections) <= 20
        for client in slow:
            client.sock.close()


def test_who_is_not_in_the_whitelist_is_sent_away():
    network = (ipaddress.ip_network("127.0.0.2/32"),)
    with Receiving(whitelist=network) as server:
        with Client(server.address) as stranger:
            with contextlib.suppress(OSError):
                stranger.send(GOOD)
            assert stranger.hear() is None
        assert not server.notices
        assert serves(server, "127.0.0.2")


def test_a_flood_of_connections_is_bounded(server: Running):
    before = sockets()
    for _ in range(400):
        with contextlib.suppress(OSError):
            Client(server.address).sock.close()
    assert serves(server)
    poll(lambda: sockets() <= before, 20, "no socket is left open")


def test_unfinished_documents_of_many_connections_are_bounded_together(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(vtp_server, "MAX_BUFFERED", 4 * 2**20)
    with Receiving() as server:
        big = [Client(server.address) for _ in range(20)]
        for client in big:
            with contextlib.suppress(OSError):
                client.sock.sendall(struct.pack("!I", 2**20) + b"x" * 900_000)
        poll(lambda: len(server.server.connections) <= 5, 20, "the greedy are dropped")
        assert serves(server)
        assert server.server._buffered <= 4 * 2**20
        for client in big:
            client.sock.close()


def test_an_author_that_never_reads_its_answers_is_bounded():
    with Receiving(timeout=5.0) as server, Client(server.address) as author:
        author.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        author.sock.settimeout(2)
        with contextlib.suppress(OSError):
            for _ in range(300):
                author.sock.sendall(encode(b"<no/>") * 100)
                author.sock.sendall(encode(GOOD) * 100)
        assert serves(server)


@pytest.mark.usefixtures("sqlite")
def test_a_subscriber_that_never_reads_is_dropped_and_holds_up_nobody():
    with (
        Broadcasting(max_unsent=500_000) as server, Subscriber(server.address) as good,
        Subscriber(server.address) as bad,
    ):
        bad.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        poll(lambda: len(server.server.subscribers) == 2, 20, "both are there")

        def begun() -> bool:
            with read() as connection:
                return broadcasts.position(connection, "vtp_broadcaster") is not None

        poll(begun, 10, "it knows where to begin")
        text = "x" * 200_000
        for number in range(40):
            accept([Notice(packet(f"ivo://test.example/s#{number}", text),
                           source="vtp_receiver", topic="voevent")])
            event = good.event()
            assert event is not None
            assert f"s#{number}\"".encode() in event
        poll(lambda: len(server.server.subscribers) == 1, 30, "the other is dropped")


@pytest.mark.usefixtures("sqlite")
def test_huge_and_many_filters_end_the_connection_or_are_left_out():
    with Broadcasting() as server:
        with Subscriber(server.address, "//" + "a" * 100_000) as bad:
            assert bad.refused()
        with Subscriber(server.address, *["//A"] * 1000) as bad:
            assert "at most 10" in bad.refusal()
        assert serves(server)


def began() -> bool:
    """Tell whether the broadcaster knows where to begin."""
    with read() as connection:
        return broadcasts.position(connection, "vtp_broadcaster") is not None


def test_a_host_that_floods_the_receiver_does_not_starve_another():
    junk = encode(b'<v:VOEvent xmlns:v="urn:a" ivorn="a"/>') * 1400
    with Receiving() as receiving, contextlib.ExitStack() as stack:
        floods = [stack.enter_context(Client(receiving.address, "127.0.0.2")) for _ in range(40)]
        for flood in floods:
            flood.sock.setblocking(False)
            flood.sock.send(junk)
        with Client(receiving.address) as author:
            author.send(GOOD)
            assert author.answer().role == "ack"
        assert receiving.server.refused < 20 * 1400  # type: ignore[attr-defined]


@pytest.mark.usefixtures("sqlite")
def test_a_burst_of_packets_gets_no_honest_filter_forbidden():
    documents = [packet(f"ivo://test.example/s#{number}") for number in range(1500)]
    with Broadcasting() as server, Subscriber(server.address, "//What") as picky:
        poll(began, 10, "it knows where to begin")
        accept([Notice(each, source="vtp_receiver", topic="voevent") for each in documents])
        assert [picky.event() for _ in documents] == documents


@pytest.mark.usefixtures("sqlite")
def test_of_a_host_with_slow_filters_one_is_tried_per_connection_and_then_none():
    slow = "//*[count(//*[count(//*[count(//*)={}])=1])=1]"
    big = packet("ivo://test.example/s#big", "</Description>" + "<Param/>" * 200 + "<Description>")
    with Broadcasting() as server, contextlib.ExitStack() as stack:
        poll(began, 10, "it knows where to begin")
        bad = [stack.enter_context(Subscriber(
            server.address, *(slow.format(10 * row + column) for column in range(8)),
            source="127.0.0.2")) for row in range(2)]
        picky = stack.enter_context(Subscriber(server.address, "//What"))
        assert all(each.silent(0.1) for each in (*bad, picky))
        accept([Notice(big, source="vtp_receiver", topic="voevent")])
        assert picky.event() == big
        assert all(each.refused() for each in bad)
        assert len(server.server._filters._forbidden) == 2  # type: ignore[attr-defined]
        again = stack.enter_context(Subscriber(server.address, "//Who", source="127.0.0.2"))
        assert "took too long" in again.refusal()
