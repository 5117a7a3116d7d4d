"""Our VOEvent client and server talk to those of pygcn and of Comet."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from gwbroker.embedded.vtp import VOEventServer
from gwbroker.streams.transport import parse

from .vtp_peer import Listening

FERMI = Path(str(files("gcn"))) / "tests/data/gbm_flt_pos.xml"

PACKET = """
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="test"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ivorn="ivo://test.example/stream#1"
 xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0
 http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd"><Who>
 <AuthorIVORN>ivo://test.example/author</AuthorIVORN><Date>2026-01-01T00:00:00</Date>
</Who></voe:VOEvent>
"""

PYGCN_LISTEN = """
import sys, gcn
gcn.listen("127.0.0.1", int(sys.argv[1]), iamalive_timeout=5,
           handler=lambda payload, root: print(root.attrib["ivorn"], flush=True))
"""
PYGCN_SERVE = """
import sys, gcn
gcn.serve([sys.argv[2]], port=int(sys.argv[1]), retransmit_timeout=0.05)
"""

# Comet wants another Twisted than we may want to install; it can live anywhere.
COMET = os.environ.get("COMET_BIN") or os.path.dirname(sys.executable)
TWISTD = shutil.which("twistd", path=COMET)
SEND = shutil.which("comet-sendvo", path=COMET)
needs_comet = pytest.mark.skipif(
    not (TWISTD and SEND),
    reason="Comet is not installed; COMET_BIN names the folder of its commands",
)


def free_port() -> int:
    """Return a port that was free a moment ago, for a server that cannot take any."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def running(*command: object, **options):
    """Run a command and end it afterwards."""
    process = subprocess.Popen(
        [str(each) for each in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_open(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until somebody listens on a port."""
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    process.kill()
    pytest.fail(f"no server on port {port}: {process.communicate()[0]}")


def test_pygcn_hears_our_server_and_acknowledges():
    payload = FERMI.read_bytes()
    with (
        VOEventServer(interval=0.1) as server,
        running(sys.executable, "-c", PYGCN_LISTEN, server.port) as process,
    ):
        assert server.wait_subscribed()
        server.broadcast(payload)
        assert server.wait_acked()
        assert server.wait_alive(3)
        assert process.stdout.readline().strip() == parse(payload).ivorn


def test_our_client_hears_the_server_of_pygcn():
    port = free_port()
    server = running(sys.executable, "-c", PYGCN_SERVE, port, FERMI)
    with server, Listening(("127.0.0.1", port)) as listening:
        assert set(listening.wait_kept(3)) == {FERMI.read_bytes()}
        assert listening.wait(lambda: listening.client.state.acknowledged >= 3)


@contextmanager
def comet(tmp_path: Path, *options: object):
    """Run a Comet broker."""
    command = [TWISTD, "-n", f"--pidfile={tmp_path / 'pid'}", "comet", "--verbose",
               "--local-ivo=ivo://test/comet", f"--eventdb={tmp_path}", *options]
    with running(*command, cwd=tmp_path) as process:
        yield process


@needs_comet
def test_our_client_hears_comet_and_comet_gets_the_ack(tmp_path):
    broadcast, receive = free_port(), free_port()
    options = ("--broadcast", f"--broadcast-port={broadcast}", "--receive",
               f"--receive-port={receive}", "--broadcast-test-interval=0")
    packet = PACKET.strip().encode()
    (tmp_path / "packet.xml").write_bytes(packet)
    with comet(tmp_path, *options) as process:
        wait_open(receive, process)
        with Listening(("127.0.0.1", broadcast)) as listening:
            assert listening.wait(lambda: listening.client.state.last_traffic is not None)
            subprocess.run([SEND, f"--port={receive}", f"--file={tmp_path / 'packet.xml'}"],
                           check=True, capture_output=True, timeout=30)
            (payload,) = listening.wait_kept(1)
            assert parse(payload).ivorn == parse(packet).ivorn
            assert any("Ack received from" in line for line in process.stdout)


@needs_comet
def test_comet_hears_our_server_and_acknowledges(tmp_path):
    with (
        VOEventServer(interval=0.2, ask=True) as server,
        comet(tmp_path, f"--remote=127.0.0.1:{server.port}", "--filter=//Who"),
    ):
        assert server.wait_subscribed(timeout=20)
        server.broadcast(FERMI.read_bytes())
        assert server.wait_acked()
        assert server.wait_alive(3)
        assert server.greetings[0].params == (("xpath-filter", "//Who"),)
