"""The embedded VOEvent broker."""

from __future__ import annotations

import socket

import pytest

from gwbroker.embedded.vtp import VOEventServer
from gwbroker.errors import TransportError
from gwbroker.streams import transport
from gwbroker.streams.transport import Decoder, Packet, Transport, encode, parse

EVENT = b"<VOEvent ivorn='ivo://a#1'/>"
OTHER = b"<VOEvent ivorn='ivo://a#2'/>"


class Client:
    """A subscriber that says what it is told to say."""

    def __init__(self, server: VOEventServer) -> None:
        self.sock = socket.create_connection((server.host, server.port), timeout=5)
        self.decoder = Decoder()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def say(self, message: Transport) -> None:
        self.sock.sendall(encode(message.to_xml()))

    def hear(self) -> bytes | None:
        while (payload := self.decoder.next()) is None:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.decoder.feed(data)
        return payload


def test_every_subscriber_gets_a_packet_and_acks_are_counted():
    with VOEventServer() as server, Client(server) as one, Client(server) as two:
        assert server.wait_subscribed(2)
        delivery = server.broadcast(EVENT)
        assert one.hear() == two.hear() == EVENT
        one.say(transport.ack("ivo://a#1", "ivo://one"))
        assert server.wait_acked(1)
        assert (delivery.acks, delivery.naks) == (1, 0)
        two.say(transport.nak("ivo://a#1", "ivo://two", "no"))
        two.say(transport.iamalive("ivo://x"))
        assert server.wait_alive(1)
        assert (delivery.acks, delivery.naks) == (1, 1)


def test_the_same_packet_twice_needs_two_acks():
    with VOEventServer() as server, Client(server) as client:
        assert server.wait_subscribed()
        server.broadcast(EVENT)
        server.broadcast(EVENT)
        client.say(transport.ack("ivo://a#1", "ivo://one"))
        assert not server.wait_acked(2, timeout=0.1)
        client.say(transport.ack("ivo://a#1", "ivo://one"))
        assert server.wait_acked(2)
        assert [each.acks for each in server.deliveries] == [1, 1]


@pytest.mark.parametrize(
    ("backlog", "expected"), [("none", []), ("unacked", [OTHER]), ("all", [EVENT, OTHER])]
)
def test_a_late_subscriber_gets_the_backlog_that_was_chosen(backlog, expected):
    with VOEventServer(backlog=backlog, ask=True) as server:
        with Client(server) as early:
            assert server.wait_subscribed()
            server.broadcast(EVENT)
            server.broadcast(OTHER)
            early.say(transport.ack("ivo://a#1", "ivo://early"))
            assert server.wait_acked(1)
        with Client(server) as late:
            heard = []
            while isinstance(parse(payload := late.hear()), Packet):
                heard.append(payload)
            assert heard == expected


def test_iamalive_comes_regularly_and_a_client_that_does_not_answer_is_dropped():
    with VOEventServer(interval=0.05) as server, Client(server) as client:
        roles = []
        while (payload := client.hear()) is not None:
            roles.append(parse(payload).role)
        assert roles == ["iamalive"] * 3


def test_a_client_is_asked_who_it_is():
    with VOEventServer(ask=True) as server, Client(server) as client:
        question = parse(client.hear())
        assert question.role == "authenticate"
        client.say(question.answer("ivo://me", ("//Who",)))
        client.say(transport.iamalive("ivo://x"))
        assert server.wait_alive()
        assert server.greetings[0].params == (("xpath-filter", "//Who"),)


def test_a_client_that_talks_nonsense_harms_nobody():
    with VOEventServer() as server, Client(server) as bad, Client(server) as good:
        assert server.wait_subscribed(2)
        bad.sock.sendall(encode(b"") + encode(b"<x") + encode(EVENT) + b"\xff\xff\xff\xff")
        assert bad.hear() is None
        server.broadcast(OTHER)
        assert parse(good.hear()) == Packet("ivo://a#2")


def test_bytes_that_are_no_voevent_are_sent_as_they_are():
    with VOEventServer() as server, Client(server) as client:
        assert server.wait_subscribed()
        assert server.broadcast(b"<x").ivorn is None
        assert client.hear() == b"<x"


def test_dropped_clients_may_come_back():
    with VOEventServer(ask=True) as server, Client(server) as client:
        assert parse(client.hear()).role == "authenticate"
        server.drop()
        assert client.hear() is None
        with Client(server) as again:
            assert parse(again.hear()).role == "authenticate"
            server.broadcast(EVENT)
            assert again.hear() == EVENT


def test_what_was_sent_just_before_the_stop_arrives():
    with VOEventServer(ask=True) as server, Client(server) as client:
        assert parse(client.hear()).role == "authenticate"
        server.broadcast(EVENT)
        server.stop()
        assert client.hear() == EVENT
        assert client.hear() is None


def test_it_stops_twice_and_then_refuses_to_send():
    server = VOEventServer()
    server.start()
    server.stop()
    server.stop()
    with pytest.raises(TransportError, match="not running"):
        server.broadcast(EVENT)


def test_a_port_that_is_taken_is_an_error_at_the_start():
    with VOEventServer() as server, pytest.raises(OSError, match="in use"):
        VOEventServer(port=server.port).start()
