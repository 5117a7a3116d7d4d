"""One run: start everything, disturb it, let it come to rest, check."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from pathlib import Path

import psycopg

from .checker import Checker, Findings
from .director import Director
from .enclosure import Enclosure
from .publisher import Publisher
from .report import Recovery, Report
from .stage import Stage

STALLED = 90.0
"""Seconds without any progress after which what is not handled counts as lost."""


DUMPS = {
    "effects": "SELECT * FROM chaos_effects ORDER BY id",
    "notices": 'SELECT id, topic, partition, "offset", received, sent, duplicate_of '
               "FROM notices ORDER BY id",
    "jobs": "SELECT id, notice_id, handler, serial, state, attempts, sends, priority, created, "
            "sent, started, finished, claimant, error FROM jobs ORDER BY id",
}
"""What is kept of the ledger of a run that went wrong."""


class Run:
    """One run.

    Parameters
    ----------
    home : Path
        A folder of its own.
    seed : int
        Decides what is published and disturbed, when and how long.
    minutes, rate, per_minute : float
        For how long; messages per second; faults per minute.
    """

    def __init__(
        self, home: Path, seed: int, minutes: float, rate: float, per_minute: float,
    ) -> None:
        self.home, self.seed, self.minutes = home, seed, minutes
        self._rate, self._per_minute = rate, per_minute

    def go(self) -> Report:
        """Do it all; whatever happens, everything is stopped at the end."""
        enclosure = Enclosure()
        stage: Stage | None = None
        director: Director | None = None
        try:
            enclosure.open()
            stage = Stage(self.home, enclosure)
            stage.open()
            self._wait_for_broker(stage)
            director = Director(stage, random.Random(self.seed), self._per_minute)
            publisher = Publisher(
                stage.kafka.bootstrap_servers, self._rate, random.Random(self.seed + 1),
                stage.vtp, stage.make_late, 20 * self.minutes)
            publisher.start()
            return self._disturb(stage, director, publisher)
        finally:
            if stage is not None:
                with contextlib.suppress(OSError):
                    shutil.copy(stage.postgresql.log, self.home / "postgresql.log")
                    shutil.copy(stage.kafka.folder / "log", self.home / "kafka.log")
                stage.close()
            if director is not None:
                director.close()
            enclosure.close()

    def _wait_for_broker(self, stage: Stage) -> None:
        deadline = time.monotonic() + 90
        while len(stage.listeners()) < 2:
            stage.turn()
            if time.monotonic() > deadline:
                raise AssertionError(f"the broker does not start; see {self.home}/broker.log")
            time.sleep(0.2)

    def _disturb(self, stage: Stage, director: Director, publisher: Publisher) -> Report:
        end = time.monotonic() + 60 * self.minutes
        while time.monotonic() < end:
            stage.turn()
            director.turn()
            time.sleep(0.05)
        director.finish()
        calm, until = time.monotonic(), time.time()
        # Kafka may have come back a moment ago, so that this needs the broker's processes kept.
        publisher.stop()
        checker = Checker(publisher.published, publisher.places, self.home / "sink")
        self._come_to_rest(stage, checker)
        drained = time.monotonic() - calm
        with stage.database() as connection:
            findings: Findings = checker.check(connection)
            self._dump(connection)
            recovery = Recovery(connection, until)
        return Report(self.seed, self.minutes, drained, director.faults, director.left_out,
                      findings, recovery, stage.notes)

    def _dump(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        """Write what explains a finding, or a delay, beside the logs."""
        for name, query in DUMPS.items():
            with (self.home / f"{name}.csv").open("wb") as file, \
                    connection.cursor().copy(f"COPY ({query}) TO STDOUT CSV HEADER") as rows:
                for row in rows:
                    file.write(row)

    def _come_to_rest(self, stage: Stage, checker: Checker) -> None:
        """Wait until all is kept and handled, or nothing goes on any more."""
        before, since = (-1, -1), time.monotonic()
        while True:
            until = time.monotonic() + 1
            while time.monotonic() < until:
                stage.turn()
                time.sleep(0.05)
            try:
                with stage.database() as connection:
                    left = checker.done(connection)
            except psycopg.OperationalError:
                continue
            if left == (0, 0):
                return
            if left != before:
                before, since = left, time.monotonic()
            elif time.monotonic() - since > STALLED:
                stage.say(f"{left[0]} not kept, {left[1]} jobs not finished, and nothing goes on")
                return
