"""How many VOEvent packets a second are acknowledged over TCP?

`VTPClient` with the ledger behind it, against pygcn's client, which keeps nothing and
acknowledges before it calls anybody. The server is the same, and they take turns.

And our receiver for authors with the ledger behind it, against Comet's, both with a broadcaster
beside it. The author is the same: one process, each packet on a connection of its own.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .result import Bound, Result
from .scene import ROOT, Scene

if TYPE_CHECKING:
    from gwbroker.embedded.vtp import VOEventServer

# Scene forgets every GWBROKER_ variable.
PEERS = os.environ.get("GWBROKER_PEERS") or str(ROOT / ".venv-peers" / "bin")

PACKET = """<?xml version="1.0"?>
<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="utility"
 ivorn="ivo://benchmark/source#{number}"><Who><Date>2026-01-01T00:00:00</Date></Who>
<What><Param name="Packet_Type" value="999"/></What></v:VOEvent>
"""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    ours, theirs, *broadcasters = _free_ports(4)
    with Scene() as scene:
        scene.configure(f'[vtp_receiver]\naddress = "127.0.0.1:{ours}"\n'
                        f'[vtp_broadcaster]\naddress = "127.0.0.1:{broadcasters[0]}"\n')
        scene.redis()
        yield _clients(quick)
        yield from _receivers(scene, quick, ours, theirs, broadcasters[1])


def _clients(quick: bool) -> Result:
    """Measure our client and pygcn's."""
    from gwbroker import dispatch
    from gwbroker.embedded.vtp import VOEventServer
    from gwbroker.ledger.engine import check

    rounds, size = (2, 500) if quick else (4, 2000)
    ours = theirs = 0.0
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
    return Result("vtp", "packets acknowledged", total / ours, "packets/s", "pygcn, no ledger",
                  total / theirs, note=f"{total} packets, ours kept durably")


def _receivers(
    scene: Scene, quick: bool, ours: int, theirs: int, broadcaster: int,
) -> Iterator[Result]:
    """Measure our receiver and Comet's, with one author and with many."""
    peer = shutil.which("twistd", path=PEERS)
    scene.worker("general")
    scene.beat()
    ports = [ours]
    if peer:
        (scene.home / "comet").mkdir()
        scene.add("comet", [
            peer, "-n", f"--pidfile={scene.home}/comet/pid", "comet", "--quiet", "--receive",
            f"--receive-port={theirs}", "--broadcast", f"--broadcast-port={broadcaster}",
            "--local-ivo=ivo://benchmark.example/comet", f"--eventdb={scene.home}/comet",
            "--broadcast-test-interval=0"])
        ports.append(theirs)
    scene.wait(lambda: all(map(_open, ports)), 60, "the receivers listen")
    rounds = 2
    for concurrency, number in ((1, 200), (16, 500)) if quick else ((1, 500), (16, 2000)):
        took = dict.fromkeys(ports, 0.0)
        for each in range(rounds):
            for port in ports:
                took[port] += _submit(port, number, concurrency, f"{concurrency}-{each}")
        who = "1 author" if concurrency == 1 else f"{concurrency} authors"
        total = rounds * number
        yield Result(
            "vtp", f"submissions acknowledged, {who}", total / took[ours], "packets/s",
            "Comet" if peer else "", total / took[theirs] if peer else None,
            bounds=(Bound("ratio", ">=", 3.0),) if concurrency > 1 else (),
            note=f"{total} packets, ours kept durably, with the jobs of the handlers")


def _submit(port: int, number: int, concurrency: int, series: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.vtp_authors", str(port), str(number),
         str(concurrency), series], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout)


def _free_ports(number: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


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
