"""The port for authors: what is taken, refused and acknowledged, and when."""

from __future__ import annotations

import threading
import time

import pytest

from gwbroker.errors import TransportError
from gwbroker.listeners.vtp_receiver import Receiver
from gwbroker.streams import transport

from .vtp_clients import LOOPBACK, Client, Receiving, packet


def submit(receiving: Receiving, document: bytes) -> transport.Transport:
    """Send a document on a connection of its own, as authors do; return the answer."""
    with Client(receiving.address) as author:
        author.send(document)
        return author.answer()


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_a_packet_is_kept_as_it_came_and_acknowledged_under_its_ivorn(version: str):
    document = packet("ivo://test.example/stream#1", version=version)
    with Receiving() as receiving:
        answer = submit(receiving, document)
    assert (answer.role, answer.origin) == ("ack", "ivo://test.example/stream#1")
    assert answer.response == "ivo://test.example/broker"
    assert [(n.payload, n.source, n.topic) for n in receiving.notices] == [
        (document, "vtp_receiver", "voevent")]


def test_a_packet_is_not_acknowledged_before_it_is_kept():
    with Receiving() as receiving:
        receiving.at_work.clear()
        with Client(receiving.address) as author:
            author.send(packet("ivo://test.example/stream#1"))
            assert author.silent(0.3)
            receiving.at_work.set()
            assert author.answer().role == "ack"


def test_the_same_packet_again_is_acknowledged_again_and_kept_once():
    document = packet("ivo://test.example/stream#1")
    with Receiving() as receiving:
        assert [submit(receiving, document).role for _ in range(3)] == ["ack"] * 3
    assert len(receiving.notices) == 1


def test_another_packet_with_an_ivorn_that_is_taken_is_refused():
    with Receiving() as receiving:
        assert submit(receiving, packet("ivo://test.example/stream#1", "one")).role == "ack"
        answer = submit(receiving, packet("ivo://test.example/stream#1", "two"))
    assert (answer.role, answer.origin) == ("nak", "ivo://test.example/stream#1")
    assert "another packet" in (answer.result or "")
    assert len(receiving.notices) == 1


def test_duplicates_that_arrive_together_are_told_apart():
    one, two = (packet("ivo://test.example/stream#1", text) for text in ("one", "two"))
    with Receiving() as receiving, Client(receiving.address) as author:
        author.send(one, one, two, packet("ivo://test.example/stream#2"))
        assert [author.answer().role for _ in range(4)] == ["ack", "ack", "nak", "ack"]
    assert len(receiving.notices) == 2


@pytest.mark.parametrize(("document", "reason"), [
    (b"<not-closed", "not well-formed"),
    (b"", "empty"),
    (b"<html/>", "unknown document"),
    (b"<!DOCTYPE x [<!ENTITY e 'a'>]><VOEvent ivorn='ivo://a#1'>&e;</VOEvent>", "document type"),
    (transport.iamalive("ivo://x").to_xml(), "not what authors send"),
    (b"<VOEvent ivorn='ivo://abc/d#1' version='2.0'/>", "namespace"),
    (packet("ivo://test.example/stream"), "ivo://authority/path#id"),
    (packet("ivo://test.example/" + "x" * 2000 + "#1"), "ivo://authority/path#id"),
    (packet("ivo://test.example/s#1").replace(b'role="test"', b'role="joke"'), "role"),
])
def test_what_is_no_voevent_is_refused_with_the_reason(document: bytes, reason: str):
    with Receiving() as receiving:
        answer = submit(receiving, document)
    assert answer.role == "nak"
    assert reason in (answer.result or "")
    assert not receiving.notices


def test_the_next_packet_on_a_connection_is_taken_after_one_that_was_refused():
    with Receiving() as receiving, Client(receiving.address) as author:
        author.send(packet("ivo://no"), packet("ivo://test.example/s#1"))
        assert {author.answer().role, author.answer().role} == {"nak", "ack"}


def test_an_author_that_waits_for_the_end_of_the_connection_sees_it_soon():
    with Receiving(linger=0.2) as receiving, Client(receiving.address) as author:
        author.send(packet("ivo://test.example/s#1"))
        assert author.answer().role == "ack"
        began = time.monotonic()
        assert author.hear() is None
        # The time that it has for another packet would be 20 s.
        assert time.monotonic() - began < 10


def test_packets_of_many_authors_share_a_transaction():
    with Receiving() as receiving:
        receiving.at_work.clear()
        authors = [Client(receiving.address) for _ in range(30)]
        for number, author in enumerate(authors):
            author.send(packet(f"ivo://test.example/s#{number}"))
        receiving.at_work.set()
        for author in authors:
            assert author.answer().role == "ack"
            author.sock.close()
    assert sum(receiving.batches) == 30
    assert len(receiving.batches) < 10


def test_a_short_absence_of_the_ledger_is_only_a_delay():
    with Receiving() as receiving:
        receiving.away = True
        with Client(receiving.address) as author:
            author.send(packet("ivo://test.example/s#1"))
            assert author.silent(0.5)
            receiving.away = False
            assert author.answer().role == "ack"
    assert len(receiving.notices) == 1


def test_while_the_ledger_stays_away_nobody_is_told_yes_and_the_connection_ends():
    with Receiving(timeout=0.5) as receiving:
        receiving.away = True
        with Client(receiving.address) as author:
            author.send(packet("ivo://test.example/s#1"))
            assert author.hear() is None
        receiving.away = False
        assert submit(receiving, packet("ivo://test.example/s#1")).role == "ack"
    assert len(receiving.notices) == 1


def test_a_port_that_is_taken_is_a_clear_error():
    with Receiving() as receiving:
        other = Receiver(receiving.address, list, lambda _: {}, lambda: True, "ivo://x",
                         whitelist=LOOPBACK)
        with pytest.raises(TransportError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*in use"):
            other.run()


def test_an_idle_receiver_costs_no_processor_time():
    with Receiving() as receiving, Client(receiving.address):
        before = time.process_time()
        assert not threading.Event().wait(1.0)
        assert time.process_time() - before < 0.1
