"""What the tests of listeners share."""

from __future__ import annotations

import pytest

from gwbroker.listeners.backoff import Backoff


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every pause that is asked for between two tries, in order.

    By the clock a pause is never shorter, but on a busy machine it may be any longer.
    """
    asked: list[float] = []
    ask = Backoff.next

    def note(backoff: Backoff) -> float:
        asked.append(ask(backoff))
        return asked[-1]

    monkeypatch.setattr(Backoff, "next", note)
    return asked
