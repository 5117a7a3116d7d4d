"""The port for subscribers: who gets what, once, and who is dropped."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from gwbroker.intake import accept
from gwbroker.ledger import broadcasts
from gwbroker.ledger.engine import read
from gwbroker.listeners.vtp_broker import known
from gwbroker.notice import Notice, utcnow
from gwbroker.streams import transport

from ..servers import poll
from .vtp_clients import Broadcasting, Subscriber, packet

pytestmark = pytest.mark.usefixtures("sqlite")

ONE, TWO, THREE = (packet(f"ivo://test.example/s#{number}", f"text {number}")
                   for number in (1, 2, 3))


def keep(*documents: bytes, source: str = "vtp_receiver", topic: str = "voevent") -> None:
    """Keep packets as the receiver does, each in a transaction of its own."""
    for document in documents:
        accept([Notice(document, source=source, topic=topic)])


def position() -> int | None:
    """Return up to where the ledger thinks that everything was delivered."""
    with read() as connection:
        return broadcasts.position(connection, "vtp_broadcaster")


@pytest.mark.parametrize("ledger", ["sqlite", "postgresql"], indirect=True)
def test_everybody_gets_every_packet_in_order_as_it_came(ledger: str):
    with (
        Broadcasting() as server, Subscriber(server.address) as one,
        Subscriber(server.address) as two,
    ):
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE, TWO, THREE)
        for subscriber in (one, two):
            assert [subscriber.event() for _ in range(3)] == [ONE, TWO, THREE]


def test_a_late_subscriber_gets_only_what_is_new():
    keep(ONE)
    with Broadcasting(resume=0.0) as server, Subscriber(server.address) as first:
        poll(lambda: position() == 1, 10, "it begins with what is new")
        keep(TWO)
        assert first.event() == TWO
        with Subscriber(server.address) as second:
            keep(THREE)
            assert second.event() == THREE
            assert first.event() == THREE


def test_a_packet_goes_out_once_per_ivorn_whoever_brings_it_again():
    with Broadcasting() as server, Subscriber(server.address) as subscriber:
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE, ONE)
        keep(packet("ivo://test.example/s#1", "other bytes"))
        keep(ONE, TWO, source="vtp.comet")
        keep(b"not xml", b"<VOEvent/>", THREE)
        assert [subscriber.event(), subscriber.event()] == [ONE, THREE]
        keep(TWO)
        assert subscriber.event() == TWO
        assert subscriber.silent(0.4)


def test_who_does_not_answer_iamalive_is_dropped_at_the_next():
    with Broadcasting(interval=0.3) as server:
        began = time.monotonic()
        with Subscriber(server.address) as silent:
            assert silent.refused()
        assert 0.5 < time.monotonic() - began < 15


def test_who_answers_iamalive_stays():
    with Broadcasting(interval=0.5) as server, Subscriber(server.address) as subscriber:
        for _ in range(4):
            question = subscriber.answer()
            assert (question.role, question.origin) == ("iamalive", "ivo://test.example/broker")
            subscriber.send(question.answer("ivo://test.example/s").to_xml())


def test_who_stops_acknowledging_is_dropped_and_the_others_get_everything():
    with (
        Broadcasting(interval=2.0, max_outstanding=3) as server,
        Subscriber(server.address) as bad, Subscriber(server.address) as good,
    ):
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE, TWO, THREE)
        assert [good.event() for _ in range(3)] == [ONE, TWO, THREE]
        while bad.event(acked=False) is not None:
            pass
        keep(packet("ivo://test.example/s#4"))
        assert good.event() == packet("ivo://test.example/s#4")


def test_a_nak_is_an_answer():
    with (
        Broadcasting(interval=1.0, max_outstanding=1) as server,
        Subscriber(server.address) as subscriber,
    ):
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE)
        assert subscriber.event(acked=False) == ONE
        subscriber.send(transport.nak("ivo://test.example/s#1", "ivo://s", "no").to_xml())
        for _ in range(3):
            subscriber.send(subscriber.answer().answer("ivo://s").to_xml())


def test_a_subscriber_gets_what_one_of_its_filters_matches():
    with (
        Broadcasting() as server,
        Subscriber(server.address, "//Description[contains(., '2')]",
                   "/voe:VOEvent[@ivorn='ivo://test.example/s#3']") as some,
        Subscriber(server.address, "//Nothing") as none, Subscriber(server.address) as all_,
    ):
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE, TWO, THREE)
        assert [all_.event() for _ in range(3)] == [ONE, TWO, THREE]
        assert [some.event() for _ in range(2)] == [TWO, THREE]
        assert none.silent(0.3)


@pytest.mark.parametrize(("expression", "reason"), [
    ("//[", "not XPath"), ("a" * 2000, "at most 1024"), ("1 +", "not XPath"),
])
def test_a_filter_that_is_none_is_left_out_and_the_subscriber_is_told(
    expression: str, reason: str,
):
    with Broadcasting() as server, Subscriber(server.address, expression) as subscriber:
        assert reason in subscriber.refusal()
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE)
        assert subscriber.event() == ONE


def test_too_many_filters_are_left_out():
    with (
        Broadcasting(max_filters=2) as server,
        Subscriber(server.address, "//A", "//B", "//What", "//Who") as subscriber,
    ):
        assert "at most 2" in subscriber.refusal()
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE)
        assert subscriber.silent(0.5)


def test_a_filter_written_the_old_way_is_taken():
    with Broadcasting() as server, Subscriber(server.address) as subscriber:
        question = transport.authenticate("ivo://x").answer("ivo://s")
        text = question.to_xml().replace(
            b"</TimeStamp>", b"</TimeStamp><Meta><filter type='xpath'>//Nothing</filter></Meta>")
        subscriber.send(text)
        poll(lambda: position() is not None, 10, "it knows where to begin")
        with Subscriber(server.address) as other:
            keep(ONE)
            assert other.event() == ONE
        assert subscriber.silent(0.3)


@pytest.mark.parametrize("expression", [
    "//*[count(//*[count(//*[count(//*[count(//*)=1])=1])=1])=1]",
    "document('/etc/passwd')", "ext:read('/etc/passwd')", "$variable",
])
def test_a_hostile_filter_costs_only_its_own_subscriber(expression: str):
    big = packet("ivo://test.example/s#big", "</Description>" + "<Param/>" * 500 + "<Description>")
    with (
        Broadcasting() as server, Subscriber(server.address, expression) as bad,
        Subscriber(server.address) as good, Subscriber(server.address, "//What") as picky,
    ):
        poll(lambda: position() is not None, 10, "it knows where to begin")
        began = time.monotonic()
        keep(big, ONE)
        assert good.event() == big
        assert good.event() == ONE
        # A filter that hangs would hold them up for 20 s.
        assert time.monotonic() - began < 10
        assert [picky.event(), picky.event()] == [big, ONE]
        if expression.startswith("//*"):
            assert bad.refused()
        else:
            assert bad.silent(0.2)


def test_what_was_not_acknowledged_before_a_restart_is_sent_to_who_connects_after_it():
    with Broadcasting(resume=0.0) as server, Subscriber(server.address) as subscriber:
        poll(lambda: position() is not None, 10, "it knows where to begin")
        keep(ONE, TWO)
        assert subscriber.event() == ONE
        assert subscriber.event(acked=False) == TWO
        poll(lambda: position() == 1, 10, "the first is delivered")
        server.stop()
    keep(THREE)
    for _ in range(2):
        # Twice, as if the first was killed before anybody came back.
        with Broadcasting(resume=60.0) as server:
            time.sleep(0.5)
            with Subscriber(server.address) as subscriber:
                assert [subscriber.event(), subscriber.event()] == [TWO, THREE]
            assert position() == 1


def test_what_is_too_old_is_not_sent():
    keep(THREE)
    with Broadcasting(resume=0.0):
        poll(lambda: position() == 1, 10, "it begins")
    accept([Notice(ONE, source="vtp_receiver", topic="voevent",
                   received=utcnow() - timedelta(hours=2))])
    keep(TWO)
    with Broadcasting(max_age=3600) as server, Subscriber(server.address) as subscriber:
        assert subscriber.event() == TWO


def test_what_authors_have_submitted_is_known_by_ivorn(ledger: str):
    keep(ONE, TWO)
    keep(THREE, source="vtp.comet")
    names = [f"ivo://test.example/s#{number}" for number in (1, 2, 3, 4)]
    both = {name: {Notice(document).digest} for name, document in zip(names, (ONE, TWO),
                                                                      strict=False)}
    assert known(names) == both
    assert [known([name]) for name in names] == [
        {names[0]: both[names[0]]}, {names[1]: both[names[1]]}, {}, {}]
