"""The handlers of the chaos run, as a user would write them; copied to a folder of its own."""

import os
import random
import socket
import time

from gwbroker import jobs
from gwbroker.errors import NoticeError
from gwbroker.streams import kafka, voevent

_EFFECT = """INSERT INTO chaos_effects (handler, number, subject, place, host, pid, began)
             VALUES (%s, %s, %s, %s, %s, %s, %s)"""


def effect(handler, alert, failing=0.0):
    """Have an effect in the ledger's database, exactly once: it commits with the job's end."""
    with jobs.transaction() as connection:
        began = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        _work()
        connection.exec_driver_sql(_EFFECT, (
            handler, alert["number"], alert.get("subject"), alert.get("place"),
            socket.gethostname(), os.getpid(), began))
        _work()
        if random.random() < failing:
            raise RuntimeError("it fails now and then, after its effect")


def _work():
    # Mostly short; now and then so long that it is hit by something.
    time.sleep(random.uniform(0.5, 2.0) if random.random() < 0.002 else random.uniform(0, 0.004))


@kafka.handler("chaos.a", "chaos.b", "chaos.late", name="chaos.general", retries=50, backoff=0.5)
def on_general(notice):
    effect("chaos.general", notice.json())


@kafka.handler("gcn.notices.chaos.burst", name="chaos.events", queue="events", retries=50,
               backoff=0.5)
def on_burst(notice):
    effect("chaos.events", notice.json())


@kafka.handler("chaos.map", name="chaos.openmp", queue="openmp", retries=50, backoff=0.5)
def on_map(notice):
    effect("chaos.openmp", notice.json())


@kafka.handler("chaos.flaky", name="chaos.flaky", retries=50, backoff=0.2)
def on_flaky(notice):
    if random.random() < 0.15:
        raise RuntimeError("it fails now and then, before its effect")
    effect("chaos.flaky", notice.json(), failing=0.15)


@kafka.handler("chaos.a", name="chaos.outside", retries=50, backoff=0.5,
               where=lambda alert: alert["number"] % 8 == 0)
def on_outside(notice):
    # One write at the end of a file: a service outside that is told a key with each call.
    line = f"{jobs.idempotency_key()} {notice.json()['number']}\n"
    handle = os.open(os.environ["CHAOS_SINK"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, line.encode())
    os.close(handle)
    _work()


@kafka.handler("chaos.poison", name="chaos.poison", retries=50)
def on_poison(notice):
    raise NoticeError("payload", notice.payload[:20], "is poison, as it should be")


@voevent.handler("ivo://chaos.test/*", name="chaos.packet", retries=50, backoff=0.5)
def on_packet(notice):
    effect("chaos.packet", {"number": int(notice.xml().get("ivorn").rpartition("#")[2])})
