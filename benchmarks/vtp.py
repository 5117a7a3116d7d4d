"""How many VOEvent packets a second are acknowledged over TCP?

`VTPClient` with the ledger behind it, against pygcn's client, which keeps nothing and
acknowledges before it calls anybody. The server is the same, and they take turns.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .result import Result
from .scene import Scene

if TYPE_CHECKING:
    from gwbroker.embedded.vtp import VOEventServer

PACKET = """<?xml version="1.0"?>
<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="utility"
 ivorn="ivo://benchmark/source#{number}"><Who><Date>2026-01-01T00:00:00</Date></Who>
<What><Param name="Packet_Type" value="999"/></What></v:VOEvent>
"""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds, size = (2, 500) if quick else (4, 2000)
    ours = theirs = 0.0
    with Scene() as scene:
        scene.redis()
        from gwbroker import dispatch
        from gwbroker.embedded.vtp import VOEventServer
        from gwbroker.ledger.engine import check

        dispatch.load()
        check()
        for number in range(rounds):
            for client in (_ours, _theirs):
                with VOEventServer(interval=60) as server:
                    elapsed = _time(server, client, number, size)
                if client is _ours:
                    ours += elapsed
                else:
                    theirs += elapsed
    total = rounds * size
    yield Result("vtp", "packets acknowledged", total / ours, "packets/s", "pygcn, no ledger",
                 total / theirs, note=f"{total} packets, ours kept durably")


def _time(
    server: VOEventServer, client: Callable[[int, object], None], series: int, size: int,
) -> float:
    # A process of its own, as in reality: the server must not share its interpreter.
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    process = context.Process(target=client, args=(server.port, stop), daemon=True)
    process.start()
    if not server.wait_subscribed(1, 30):
        raise TimeoutError("the client did not connect")
    began = time.perf_counter()
    for number in range(size):
        server.broadcast(PACKET.format(number=f"{client.__name__}-{series}-{number}").encode())
    if not server.wait_acked(size, 120):
        raise TimeoutError("not every packet was acknowledged")
    elapsed = time.perf_counter() - began
    stop.set()
    process.terminate()
    process.join(10)
    return elapsed


def _ours(port: int, stop: object) -> None:
    from gwbroker.intake import accept
    from gwbroker.listeners.vtp_client import VTPClient

    VTPClient([("127.0.0.1", port)], accept, stop.is_set, "vtp.bench").run()  # type: ignore[attr-defined]


def _theirs(port: int, stop: object) -> None:
    from gcn import voeventclient

    logging.disable(logging.CRITICAL)
    voeventclient.listen(host="127.0.0.1", port=port, handler=lambda payload, root: None)
