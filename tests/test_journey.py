"""All the way: a thousand notices through real processes, each of which is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import func, select

from gwbroker.conf import settings
from gwbroker.embedded.kafka import MockKafka
from gwbroker.embedded.vtp import VOEventServer
from gwbroker.ledger import jobs as rows
from gwbroker.ledger import leases
from gwbroker.ledger.engine import read
from gwbroker.ledger.models import jobs, notices

from .servers import Broker, running

NUMBER = 1000
GENERAL, OPENMP, PACKETS = 450, 200, 350
"""How many notices each handler gets; the packets come over VOEvent TCP, the others by Kafka."""

HANDLERS = '''
import os, time
from gwbroker.streams import kafka, voevent

def note(name, notice):
    """Record the call durably: one write at the end of the file, which nothing can divide."""
    handle = os.open({calls!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, f"{{name}} {{notice.id}} {{notice.sha256}}\\n".encode())
    os.close(handle)
    time.sleep(0.01)

@kafka.handler("journey.general", name="journey.general", backoff=0.2)
def on_general(notice):
    note("journey.general", notice)

@kafka.handler("journey.openmp", name="journey.openmp", queue="openmp", backoff=0.2)
def on_openmp(notice):
    note("journey.openmp", notice)

@voevent.handler("ivo://journey.test/*", name="journey.events", queue="events", backoff=0.2)
def on_packet(notice):
    note("journey.events", notice)
'''

PACKET = """<?xml version="1.0"?>
<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="utility"
 ivorn="ivo://journey.test/source#{number}"><Who><Date>2026-01-01T00:00:00</Date></Who></v:VOEvent>
"""


class Journey:
    """A running broker with both roads, and what has been published and called."""

    def __init__(self, broker: Broker, kafka: MockKafka, vtp: VOEventServer, calls: Path) -> None:
        self.broker = broker
        self.kafka = kafka
        self.vtp = vtp
        self._calls = calls
        self.published: list[bytes] = []
        self._counts: Counter[str] = Counter()

    def publish(self, general: int, openmp: int, packets: int) -> None:
        """Publish so many further notices for each handler."""
        for topic, number in (("journey.general", general), ("journey.openmp", openmp)):
            payloads = [json.dumps({"topic": topic, "number": self._next(topic)}).encode()
                        for _ in range(number)]
            self.kafka.publish(topic, *payloads)
            self.published += payloads
        for _ in range(packets):
            payload = PACKET.format(number=self._next("packet")).encode()
            self.vtp.broadcast(payload)
            self.published.append(payload)

    def _next(self, name: str) -> int:
        self._counts[name] += 1
        return self._counts[name]

    def calls(self) -> Counter[tuple[str, int]]:
        """Return how often each handler was called for each notice."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return Counter((line.split()[0], int(line.split()[1])) for line in lines)

    def called(self, name: str) -> int:
        """Return for how many notices a handler was called."""
        return sum(1 for handler, _ in self.calls() if handler == name)

    def kill(self, name: str, pid: int | None = None) -> None:
        """Kill a process, or one child of it, as `kill -9` does."""
        if pid is None:
            before = self.broker.pid(name)
            self.broker.supervisor.kill(name)
            self.broker.wait(lambda: self.broker.pid(name) not in (0, before), 60,
                             f"{name} is started again")
        else:
            os.kill(pid, signal.SIGKILL)

    def listeners(self) -> set[int]:
        """Return the children of the general worker that listen."""
        return {row["pid"] for row in leases.listing()
                if row["held"]} & set(self.broker.children("general"))

    def wait_more(self, name: str, number: int = 5) -> None:
        """Wait until a handler has been called for so many further notices."""
        goal = self.called(name) + number
        self.broker.wait(lambda: self.called(name) >= goal, 150, f"{name} goes on")


@pytest.fixture
def journey(home: Path, environment: pytest.MonkeyPatch) -> Iterator[Journey]:
    """Workers, Beat, Redis, a Kafka cluster and a VOEvent server, each real."""
    calls = home / "calls"
    (home / "handlers").mkdir()
    (home / "handlers" / "journey.py").write_text(HANDLERS.format(calls=str(calls)))
    environment.setenv("GWBROKER_HANDLERS", str(home / "handlers"))
    with MockKafka() as kafka, VOEventServer(backlog="unacked", interval=5.0) as vtp:
        environment.setenv("GWBROKER_KAFKA", (
            f'{{"local": {{"bootstrap_servers": "{kafka.bootstrap_servers}", "refresh": 1}}}}'))
        environment.setenv("GWBROKER_VTP", f'{{"local": {{"address": "{vtp.host}:{vtp.port}"}}}}')
        settings.cache_clear()
        broker = Broker(home)
        with running(broker):
            broker.start()
            yield Journey(broker, kafka, vtp, calls)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_each_of_a_thousand_notices_is_handled_once_whatever_is_killed(journey: Journey):
    began = time.monotonic()
    broker = journey.broker
    journey.publish(150, 60, 100)
    journey.wait_more("journey.general", 20)

    # The main process of the general worker, which takes listeners and jobs with it.
    journey.kill("general")
    journey.publish(60, 20, 50)
    journey.wait_more("journey.general")

    # Both listeners, each a child of the general worker.
    broker.wait(lambda: len(journey.listeners()) == 2, 60, "both listeners are back")
    for pid in journey.listeners():
        journey.kill("general", pid)
    journey.publish(60, 20, 50)
    journey.wait_more("journey.openmp")

    # The OpenMP worker, in the middle of a job as often as not.
    journey.kill("openmp")
    journey.publish(60, 40, 50)
    journey.wait_more("journey.events")

    # The serial event worker's only child, then the worker.
    for pid in broker.children("events"):
        journey.kill("events", pid)
    journey.wait_more("journey.events")
    journey.kill("events")
    journey.publish(60, 20, 50)

    # Beat, without which nothing is swept; then all that Redis knows.
    journey.kill("beat")
    journey.wait_more("journey.openmp")
    with redis.Redis(unix_socket_path=str(settings().redis_socket)) as client:
        client.flushall()
    journey.publish(60, 40, 50)
    journey.wait_more("journey.general")

    # Redis itself, with every message that it held.
    journey.kill("redis")
    assert len(journey.published) == NUMBER

    def all_done() -> bool:
        with read() as connection:
            kept = connection.execute(select(func.count()).where(
                notices.c.duplicate_of.is_(None)).select_from(notices)).scalar_one()
            return kept == NUMBER and rows.unfinished(connection) == 0

    broker.wait(all_done, 400, "every notice is kept and handled")
    took = time.monotonic() - began
    check(journey)
    print(f"\n{NUMBER} notices in {took:.1f} s, "
          f"{sum(journey.calls().values()) - NUMBER} calls repeated because killed in between")


def check(journey: Journey) -> None:
    """Hold the ledger against what was published and what was called."""
    with read() as connection:
        kept = {bytes(row.digest): row.id for row in connection.execute(
            select(notices.c.id, notices.c.digest).where(notices.c.duplicate_of.is_(None)))}
        found = connection.execute(
            select(jobs).where(jobs.c.handler.startswith("journey."))).mappings().all()
    import hashlib

    assert set(kept) == {hashlib.sha256(each).digest() for each in journey.published}
    assert {row["state"] for row in found} == {"done"}, [dict(r) for r in found
                                                        if r["state"] != "done"][:5]
    assert Counter(row["handler"] for row in found) == {
        "journey.general": GENERAL, "journey.openmp": OPENMP, "journey.events": PACKETS}
    assert {row["notice_id"] for row in found} == set(kept.values())
    calls = journey.calls()
    assert set(calls) == {(row["handler"], row["notice_id"]) for row in found}
    # A job that was killed while it ran has run again, and the ledger knows of each time.
    unexplained = [(row["id"], calls[row["handler"], row["notice_id"]], row["attempts"])
                   for row in found
                   if calls[row["handler"], row["notice_id"]] > row["attempts"]]
    assert unexplained == []
    # No more than run at the same time in the processes that were killed.
    assert sum(calls.values()) - NUMBER <= 12
