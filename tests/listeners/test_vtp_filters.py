"""Filters are judged by the time of the processor that they take, and by nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from gwbroker.listeners import vtp_filters
from gwbroker.listeners.vtp_filters import Filters
from gwbroker.listeners.vtp_server import Server

from ..servers import poll
from .vtp_clients import LOOPBACK, packet

BIG = packet("ivo://test.example/s#big", "</Description>" + "<Param/>" * 120 + "<Description>")
QUICK, GREEDY = "//What", "//*[count(//*[count(//*)=1])=1]"
"""The second takes some 0.03 s of the processor for this packet, far from 0.25 s."""

ENDLESS = "//*[count(//*[count(//*[count(//*)=1])=1])=1]"


class Asking:
    """Filters in a loop that opens no port, their verdicts, and those that were forbidden."""

    def __init__(self) -> None:
        self.server = Server(("127.0.0.1", 0), LOOPBACK, max_message=1000, max_connections=1,
                             max_per_peer=1)
        self.forbidden: dict[str, str] = {}
        self.verdicts: list[frozenset[str]] = []
        # Whoever has a filter that is forbidden is dropped, and wants it no more.
        self.filters = Filters(self.server, self.forbidden.__setitem__,
                               lambda expression: expression not in self.forbidden)

    def ask(self, *expressions: str) -> None:
        """Try filters on one more packet."""
        self.filters.ask(1, BIG, expressions, self.verdicts.append)

    def turn(self) -> None:
        """Let the loop go round once."""
        self.server.turn(0.02)
        self.filters.tick()

    def stand_still(self) -> None:
        """Let the process stand still until the packet that it is at has waited for long."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + 3 * vtp_filters.LATE
            poll(lambda: self.turn() or time.monotonic() > end, 5, "the packet has waited")
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def wait(self, number: int) -> None:
        """Wait for so many verdicts."""
        def there() -> bool:
            for _ in range(20):
                self.turn()
            return len(self.verdicts) >= number

        poll(there, 60, f"{number} verdicts")

    @property
    def pid(self) -> int:
        """The process that tries filters."""
        assert self.filters._child is not None
        return self.filters._child.pid


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    monkeypatch.setattr(vtp_filters, "LATE", 0.2)
    made = Asking()
    try:
        yield made
    finally:
        made.filters.close()
        made.server.shut()


def test_a_machine_that_stands_still_is_no_filters_fault(
    asking: Asking, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vtp_filters, "SLOW", 0.25)
    asking.ask(QUICK)
    asking.wait(1)
    for number in (2, 3):
        asking.ask(GREEDY)
        put = asking.filters._since
        # It has read the packet, and is at the filter.
        poll(lambda: asking.turn() or asking.filters._since > put, 30, "it has begun")  # noqa: B023
        asking.stand_still()
        asking.wait(number)
    assert asking.forbidden == {}


def test_a_filter_that_takes_the_processors_time_from_others_is_forbidden(
    asking: Asking, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vtp_filters, "SLOW", 0.002)
    # At least a second of work.
    for _ in range(100):
        asking.ask(QUICK, GREEDY)
    asking.wait(100)
    assert asking.forbidden == {GREEDY: "is too slow for so many packets"}
    assert asking.filters.forbidden(GREEDY)
    assert asking.verdicts == [frozenset({QUICK})] * 100


def test_a_filter_that_takes_too_long_for_one_packet_is_forbidden_at_once(asking: Asking) -> None:
    asking.ask(QUICK, ENDLESS)
    asking.wait(1)
    assert asking.forbidden == {ENDLESS: "takes more than 0.25 s, or too much memory"}
    assert asking.verdicts == [frozenset({QUICK})]
