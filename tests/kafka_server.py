"""A real Apache Kafka for the tests: one process, KRaft, on free ports of this machine.

It has three doors: one without a password, whose visitors may do everything; one for users
with a SCRAM password; one for the tokens of `tests.token_server`. What a user may do is
everything until a rule is made for a topic or group, as `Kafka.forbid` does.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from gwbroker.process import die_with_parent

from .kafka_client import KafkaClient
from .kafka_jars import jars, java
from .kafka_properties import properties
from .ports import free_port, listened
from .servers import PATIENCE, _Server

JVM = ["-Xms128m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
       "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
       "-Dorg.slf4j.simpleLogger.showDateTime=true"]


class Kafka(_Server, KafkaClient):
    """One Apache Kafka; ``with Kafka() as kafka`` runs it, and its data go at the end.

    Parameters
    ----------
    jwks : dict, optional
        The public keys whose tokens it takes (RFC 7517); without them it has no OIDC door.
    options : dict, optional
        Further settings of the server, as in ``server.properties``.

    Raises
    ------
    Absent
        If there is no Java 17, or its jars cannot be had.
    """

    def __init__(
        self, jwks: dict[str, Any] | None = None, options: dict[str, object] | None = None,
    ) -> None:
        self._java, self._jars = java(), jars()
        self.folder = Path(tempfile.mkdtemp(prefix="gwbroker-kafka-"))
        self._jwks, self._options = jwks, dict(options or {})
        self._choose_ports()

    def _choose_ports(self) -> None:
        self._ports = [free_port() for _ in range(4)]
        # The door without a password.
        self.bootstrap_servers = f"127.0.0.1:{self._ports[0]}"

    @property
    def scram_servers(self) -> str:
        """The door for users with a SCRAM-SHA-512 password, without TLS."""
        return f"127.0.0.1:{self._ports[1]}"

    @property
    def oidc_servers(self) -> str:
        """The door for OIDC tokens, without TLS."""
        return f"127.0.0.1:{self._ports[2]}"

    @property
    def pid(self) -> int:
        """Its process; 0 while it is down."""
        return self._child.pid if self._child is not None and self._child.poll() is None else 0

    @property
    def log(self) -> str:
        """What the server complained of."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        known = (self.folder / "server.properties").exists()
        if not known:
            self._format()
        for _ in range(3):
            self._launch()
            if self._answers(PATIENCE * 60):
                return
            self.kill()
            if not known:
                # Somebody was quicker to take one of its ports, which it has told nobody yet.
                self._administrator = None
                self._choose_ports()
                self._configure()
        raise AssertionError(f"Kafka did not start; its log ends: {self.log[-2000:]}")

    def _configure(self) -> None:
        values = properties(self.folder, self._ports, self._jwks_url) | self._options
        (self.folder / "server.properties").write_text(
            "".join(f"{name}={value}\n" for name, value in values.items()))

    def _format(self) -> None:
        if self._jwks is not None:
            (self.folder / "jwks.json").write_text(json.dumps(self._jwks))
        self._configure()
        # The first byte is fixed: a name that begins with a dash is taken for an option.
        cluster = base64.urlsafe_b64encode(b"g" + os.urandom(15)).rstrip(b"=").decode()
        done = subprocess.run(
            self._command("kafka.tools.StorageTool", "format", "--cluster-id", cluster,
                          "--config", str(self.folder / "server.properties")),
            capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def _command(self, *arguments: str) -> list[str]:
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._jwks_url}"
        return [self._java, *JVM, allowed, "-cp", f"{self._jars}/*", *arguments]

    @property
    def _jwks_url(self) -> str | None:
        return (self.folder / "jwks.json").as_uri() if self._jwks is not None else None

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            # A session of its own: a Ctrl-C meant for the tests does not end it before them.
            self._child = subprocess.Popen(
                self._command("kafka.Kafka", str(self.folder / "server.properties")),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                preexec_fn=die_with_parent, start_new_session=True)

    def _answers(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        doors = set(self._ports if self._jwks is not None else self._ports[:2])
        while self.pid and time.monotonic() < deadline:
            # Before librdkafka asks, which would log and wait longer than it must.
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._ports[0]), 1).close()
                with contextlib.suppress(KafkaException):
                    # It answers at one door before it finds that another is taken.
                    if self._admin().list_topics(timeout=5).brokers and doors <= listened(self.pid):
                        return True
            time.sleep(0.05)
        return False

    def halt(self) -> None:
        """End it in good order (SIGTERM); its data stay."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL); its data stay."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGCONT)
            self._child.send_signal(number)
            try:
                self._child.wait(20)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait(5)
            self._child = None

    def restart(self) -> None:
        """End it in good order and start it again, on the same ports with the same data."""
        self.halt()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it and remove its data; harmless if that has been done."""
        self._administrator = self._producer = None
        self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
