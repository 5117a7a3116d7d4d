"""The VOEvent client and the ways to its brokers: connecting, going over, coming back, stopping."""

from __future__ import annotations

import logging
import socket

from gwbroker.embedded.vtp import VOEventServer

from ..ports import closed_port
from .vtp_peer import ALIVE, Listening, Peer, event


def test_a_dead_address_does_not_keep_the_client_from_the_other():
    with VOEventServer() as server, closed_port() as port:
        dead = ("127.0.0.1", port)
        with Listening(dead, (server.host, server.port), backoff=(30, 60)) as listening:
            assert server.wait_subscribed()
            assert listening.client.state.address == f"127.0.0.1:{server.port}"
            assert listening.wait_error("refused")


def test_the_other_address_takes_over_when_the_first_goes():
    with VOEventServer() as first, VOEventServer() as second:
        addresses = [(each.host, each.port) for each in (first, second)]
        with Listening(*addresses, backoff=(30, 60)) as listening:
            assert first.wait_subscribed()
            first.stop()
            assert second.wait_subscribed()
            second.broadcast(event("ivo://a#1"))
            assert second.wait_acked()
            assert len(listening.notices) == 1


def test_a_broker_that_comes_back_is_found_again():
    with VOEventServer() as server:
        port = server.port
        with Listening(("localhost", port)) as listening:
            assert server.wait_subscribed()
            states = len(listening.states)
            server.stop()
            assert listening.wait_lost(states)
            with VOEventServer(port=port) as again:
                assert again.wait_subscribed()
                again.broadcast(event("ivo://a#1"))
                assert again.wait_acked()


def test_stopping_waits_for_nothing_in_any_state():
    # For an answer it would wait longer: 150 s, 50 s and 50 s.
    soon = 8
    with VOEventServer() as server, Listening((server.host, server.port)) as listening:
        assert server.wait_subscribed()
        assert listening.stop() < soon
    with closed_port() as port, Listening(("127.0.0.1", port), backoff=(50, 60)) as listening:
        assert listening.wait(lambda: listening.client.state.last_error is not None)
        assert listening.stop() < soon
    with socket.socket() as deaf:
        # A full queue of connections makes the next one wait for an answer.
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        with socket.create_connection(address), \
                Listening(address, connect_timeout=50) as listening:
            assert not listening.wait(lambda: listening.client.state.connected, 0.5)
            assert listening.client.state.last_error is None
            assert listening.stop() < soon


def test_a_connection_that_is_never_answered_is_given_up_in_time():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        with socket.create_connection(address), Listening(address, connect_timeout=0.3) as it:
            assert it.wait(lambda: it.client.state.last_error is not None)
            assert "timed out" in it.client.state.last_error


def test_a_name_that_does_not_exist_is_an_error_that_passes():
    with Listening(("no-such-host.invalid", 8099)) as listening:
        assert listening.wait(lambda: listening.client.state.last_error is not None, 20)
        assert "no-such-host.invalid" in listening.client.state.last_error


def test_a_reconnecting_client_does_not_fill_the_log(caplog):
    caplog.set_level(logging.INFO)
    peer = Peer(lambda peer: peer.send(ALIVE))
    with peer, Listening(peer.address, backoff=(0.01, 0.02)) as listening:
        assert listening.wait(lambda: len(peer.times) > 30)
    assert 1 <= len(caplog.records) <= 3
