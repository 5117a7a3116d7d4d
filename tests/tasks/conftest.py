"""Tasks in this process: a ledger, no wire, every job run here."""

from __future__ import annotations

import pytest

from gwbroker import jobs
from gwbroker.tasks import quiet


@pytest.fixture
def alone(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger, no wire, and no waiting until a burst of alerts is over."""
    monkeypatch.setattr(jobs._wire, "_silent_until", float("inf"))
    monkeypatch.setattr(quiet, "QUIET", -1.0)
