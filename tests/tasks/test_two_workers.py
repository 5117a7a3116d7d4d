"""Two OpenMP workers at once, one of them killed: each coincidence comes out once, and equal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import update

from gwbroker import jobs, products
from gwbroker.ledger import engine
from gwbroker.ledger.models import jobs as table
from gwbroker.tasks import quiet

from .stage import NUMBERS, burst, dead, event, merger, record, run_everything, unfinished

WORKER = f"""
import os, random, signal, sys, time
from pathlib import Path
from gwbroker import jobs
from gwbroker.ledger import engine
from gwbroker.ledger import jobs as rows
from gwbroker.tasks import assessment, events

jobs.stay_here()
real, mark = assessment.assess, Path(sys.argv[2])

def assess(*args):
    # Both are at it at the same moment.
    (mark / sys.argv[1]).touch()
    while not (mark / "killed").exists() or not (mark / "spared").exists():
        time.sleep(0.01)
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args)

assessment.assess = assess
while True:
    with engine.read() as connection:
        left = [job["id"] for job in rows.listing(connection) if job["state"] in ("sent", "pending")
                and job["handler"].rpartition(".")[2] in {NUMBERS}]
    if not left:
        break
    jobs.run(random.choice(left))
"""


@pytest.fixture
def alone(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger of each kind, and no wire."""
    monkeypatch.setattr(jobs._wire, "_silent_until", float("inf"))
    monkeypatch.setattr(quiet, "QUIET", -1.0)


@pytest.mark.usefixtures("alone")
def test_two_workers_at_both_events_of_a_coincidence_agree_also_if_one_is_killed(
    tmp_path: Path,
) -> None:
    mergers, bursts = ("S170817a", "S170817b"), ("fermi:1", "fermi:2")
    for number, name in enumerate(mergers):
        record(merger(name), f"{{{number}}}".encode())
    for number, name in enumerate(bursts, 2):
        record(burst(name, identifiers=(name,)), f"{{{number}}}".encode())
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, how, str(tmp_path)])
               for how in ("killed", "spared")]
    try:
        assert [worker.wait(240) for worker in workers] == [-signal.SIGKILL, 0]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    (lost,) = [job["id"] for job in unfinished() if job["state"] == "running"]
    with engine.write() as connection:
        # Its worker has given no sign of life for long.
        connection.execute(update(table).where(table.c.id == lost).values(lease_until=-1.0))
    jobs.sweep([])
    run_everything(*NUMBERS)
    assert not dead()
    for names, others in ((mergers, bursts), (bursts, mergers)):
        for name in names:
            found = event(name)["facts"]["coincidences"]
            assert [c["name"] for c in found] == list(others)
            for entry in found:
                (same,) = [c for c in event(entry["name"])["facts"]["coincidences"]
                           if c["name"] == name]
                assert same | {"name": "", "event": 0} == entry | {"name": "", "event": 0}
                assert entry["overlap"] > 1
                written = json.loads((products.folder() / entry["product"]).read_text())
                assert written["overlap"] == entry["overlap"]
