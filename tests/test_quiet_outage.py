"""While the ledger is away the log says so once in a while, not every second with a traceback."""

from __future__ import annotations

import logging

import pytest

from gwbroker import eternal
from gwbroker.ledger import engine
from gwbroker.listeners.listener import Listener, app
from gwbroker.seldom import Seldom
from gwbroker.tasks import upkeep

from .ledger.test_unavailable import forget_connections, stopped_in_a_transaction

RUNS: list[int] = []


@app.task(base=Listener, bind=True, name="gwbroker.listeners.test.outage", shared=False)
def listen(self: Listener) -> None:
    """Would note that it runs."""
    RUNS.append(1)


@pytest.mark.usefixtures("sqlite")
def test_what_runs_every_second_says_once_that_the_ledger_is_away(
    environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    forget_connections(environment, busy=0.05)
    # Other tests of this process may have said it a moment ago.
    environment.setattr(upkeep, "_now_and_then", Seldom(upkeep.log))
    environment.setattr(eternal, "_now_and_then", Seldom(eternal.log))
    with stopped_in_a_transaction(), caplog.at_level(logging.INFO, "gwbroker"):
        guard = eternal.Guard(listen, "me")
        for _ in range(5):
            upkeep.sweep()
            upkeep.forget_heartbeats()
            listen()
            guard._renew()
    said = [(record.name, record.getMessage().split(": ")[0]) for record in caplog.records
            if "the ledger" in record.getMessage()]
    assert sorted(said) == [
        ("gwbroker.eternal", "gwbroker.listeners.test.outage"),
        ("gwbroker.eternal", "gwbroker.listeners.test.outage does not start"),
        ("gwbroker.tasks.upkeep", "old heartbeats stay for now"),
        ("gwbroker.tasks.upkeep", "the ledger is not swept")]
    assert not any(record.exc_info for record in caplog.records)
    assert RUNS == []
    assert not guard.must_stop
    engine.dispose()
