"""Our VOEvent client and servers talk to those of pygcn and of Comet, each its own process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from gwbroker.embedded.vtp import VOEventServer
from gwbroker.intake import accept
from gwbroker.ledger import broadcasts
from gwbroker.ledger.engine import read
from gwbroker.listeners.vtp_broker import known
from gwbroker.listeners.vtp_receiver import Receiver
from gwbroker.streams.transport import parse

from ..peers import peer
from ..ports import free_port
from ..servers import PATIENCE, poll
from .vtp_clients import LOOPBACK, Broadcasting, Receiving, Running, Subscriber
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

INTERVAL = 1.5
"""Seconds between two signs of life, within which processes of others have to answer."""

PYGCN_LISTEN = """
import sys, gcn
gcn.listen("127.0.0.1", int(sys.argv[1]), iamalive_timeout=5,
           handler=lambda payload, root: print(root.attrib["ivorn"], flush=True))
"""
PYGCN_SERVE = """
import sys, gcn
gcn.serve([sys.argv[2]], port=int(sys.argv[1]), retransmit_timeout=0.05)
"""


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
    end = time.monotonic() + PATIENCE * 60
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


def send(port: int, file: Path) -> str:
    """Send a file with Comet's author; return what it says."""
    done = subprocess.run([peer("comet-sendvo"), f"--port={port}", f"--file={file}"],
                          check=False, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


@contextmanager
def comet(tmp_path: Path, *options: object):
    """Run a Comet broker."""
    command = [peer("twistd"), "-n", f"--pidfile={tmp_path / 'pid'}", "comet", "--verbose",
               "--local-ivo=ivo://test/comet", f"--eventdb={tmp_path}", *options]
    with running(*command, cwd=tmp_path) as process:
        yield process


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
            assert "was sent successfully" in send(receive, tmp_path / "packet.xml")
            (payload,) = listening.wait_kept(1)
            assert parse(payload).ivorn == parse(packet).ivorn
            assert any("Ack received from" in line for line in process.stdout)


def test_comet_hears_our_server_and_acknowledges(tmp_path):
    with (
        VOEventServer(interval=0.2, ask=True) as server,
        comet(tmp_path, f"--remote=127.0.0.1:{server.port}", "--filter=//Who"),
    ):
        assert server.wait_subscribed(timeout=90)
        server.broadcast(FERMI.read_bytes())
        assert server.wait_acked()
        assert server.wait_alive(3)
        assert server.greetings[0].params == (("xpath-filter", "//Who"),)


def test_comet_is_an_author_of_our_receiver(tmp_path):
    file = tmp_path / "packet.xml"
    with Receiving() as receiving:
        port = receiving.address[1]
        file.write_text(PACKET.strip())
        assert "Event was sent successfully" in send(port, file)
        assert "Event was sent successfully" in send(port, file)
        file.write_text(PACKET.strip().replace("2026-01-01", "2026-01-02"))
        said = send(port, file)
    assert "NOT sent successfully" in said
    assert "its ivorn is that of another packet" in said
    assert [each.payload for each in receiving.notices] == [PACKET.strip().encode()]


@pytest.mark.usefixtures("sqlite")
def test_from_an_author_over_our_broker_to_subscribers_of_three_makes(tmp_path):
    (tmp_path / "saved").mkdir()
    packets = [PACKET.strip().replace("stream#1", f"stream#{number}") for number in range(3)]
    receiver = Running(lambda stop: Receiver(
        ("127.0.0.1", 0), accept, known, stop, "ivo://test/us", whitelist=LOOPBACK))
    with (
        receiver, Broadcasting(interval=INTERVAL) as broadcaster,
        comet(tmp_path, f"--remote=127.0.0.1:{broadcaster.address[1]}",
              "--filter=//Nothing", "--filter=/*[contains(@ivorn, '#1')]", "--save-event",
              f"--save-event-directory={tmp_path / 'saved'}") as other,
        running(sys.executable, "-c", PYGCN_LISTEN, broadcaster.address[1]) as pygcn,
        Listening(broadcaster.address) as ours,
    ):
        def all_there() -> bool:
            with read() as connection:
                begun = broadcasts.position(connection, "vtp_broadcaster") is not None
            return begun and len(broadcaster.server.subscribers) == 3 and all(
                each.ready for each in broadcaster.server.subscribers.values())

        poll(all_there, 30, "all have subscribed")
        for number, text in enumerate(packets):
            (tmp_path / f"{number}.xml").write_text(text)
            assert "Event was sent" in send(receiver.address[1], tmp_path / f"{number}.xml")
        assert ours.wait_kept(3) == [text.encode() for text in packets]
        # Between them it says that it does not know `authenticate`.
        heard = (line.strip() for line in pygcn.stdout if line.startswith("ivo://"))
        for number in range(3):
            assert next(heard) == f"ivo://test.example/stream#{number}"
        saved = tmp_path / "saved"
        poll(lambda: list(saved.iterdir()), 30, "Comet has saved what it wanted")
        (file,) = saved.iterdir()
        assert "stream#1" in file.read_text()
        # Who does not answer one sign of life gets no other.
        subscribers = broadcaster.server.subscribers
        third = max(each.alive_at for each in subscribers.values()) + 3 * INTERVAL
        poll(lambda: all(each.alive_at >= third for each in tuple(subscribers.values())), 30,
             "three more signs of life")
        assert len(subscribers) == 3
        poll(lambda: not any(each.outstanding for each in tuple(subscribers.values())), 15,
             "all acknowledged")
        assert other.poll() is None


def test_comet_goes_from_broker_to_broker(tmp_path, sqlite):
    """Comet's broker brings us what its author sent; nothing of it goes out again in a circle."""
    broadcast, receive = free_port(), free_port()
    with (
        Broadcasting() as ours,
        comet(tmp_path, "--broadcast", f"--broadcast-port={broadcast}", "--receive",
              f"--receive-port={receive}", "--broadcast-test-interval=0",
              f"--remote=127.0.0.1:{ours.address[1]}") as process,
    ):
        wait_open(broadcast, process)
        with Listening(("127.0.0.1", broadcast), accept=accept) as listening:
            assert listening.wait(lambda: listening.client.state.last_traffic is not None)
            (tmp_path / "one.xml").write_text(PACKET.strip())
            assert "Event was sent" in send(receive, tmp_path / "one.xml")
            assert listening.wait(lambda: listening.client.state.acknowledged == 1)
            with Subscriber(ours.address) as subscriber:
                assert subscriber.silent(0.5)
