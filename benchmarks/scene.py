"""Scene: a temporary home with real processes in it, none of which outlives the measurement."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .marks import Marks

if TYPE_CHECKING:
    from gwbroker.supervisor import Process

ROOT = Path(__file__).resolve().parent.parent
PEER_URL = "BENCHMARK_PEER_URL"
GWBROKER = [sys.executable, "-m", "gwbroker"]


class Scene:
    """A temporary home, the settings of this process and its children, and what runs there.

    To be entered before anything reads gwbroker's settings.
    """

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="gwbroker-bench-"))
        self.log: deque[str] = deque(maxlen=2000)
        for name in [n for n in os.environ if n.startswith(("GWBROKER_", "CELERY_"))]:
            del os.environ[name]
        os.environ.update({
            "GWBROKER_HOME": str(self.home), "GWBROKER_CONFIG": str(self.home / "gwbroker.toml"),
            "GWBROKER_HANDLERS": str(ROOT / "benchmarks" / "handlers.py"),
            "GWBROKER_LOG_LEVEL": "WARNING", "PYTHONPATH": str(ROOT)})
        self.configure("")
        self.marks = Marks(self.home / "marks")
        from gwbroker.supervisor import Supervisor

        self.supervisor = Supervisor(self.log.append)

    def configure(self, text: str) -> None:
        """Write the settings."""
        (self.home / "gwbroker.toml").write_text(text)

    def kafka(self, servers: str) -> None:
        """Let the broker listen to a Kafka cluster."""
        self.configure(f'[kafka.bench]\nbootstrap_servers = "{servers}"\nrefresh = 1.0\n'
                       'options = { "fetch.wait.max.ms" = 10 }\n')

    def redis(self) -> None:
        """Start the embedded Redis, and wait until it answers."""
        from gwbroker.conf import settings
        from gwbroker.embedded import redis

        socket = settings().redis_socket
        self.add("redis", redis.command(socket, self.home / "run"), stop_last=True)
        self.wait(lambda: redis.answers(settings().redis_url), 10, "Redis answers")
        # Another database of the same server, so that neither hears the other's workers.
        os.environ[PEER_URL] = f"{settings().redis_url}?virtual_host=1"

    def add(self, name: str, command: list[str], *, stop_last: bool = False) -> Process:
        """Start a process."""
        return self.supervisor.add(name, command, stop_last=stop_last)

    def worker(self, name: str, *arguments: str) -> Process:
        """Start a worker of gwbroker's."""
        return self.add(name, [*GWBROKER, "worker", *arguments])

    def beat(self) -> Process:
        """Start Beat, without which no listener starts."""
        return self.add("beat", [*GWBROKER, "beat", "--loglevel", "WARNING"])

    def peer(self, concurrency: int, *arguments: str) -> Process:
        """Start the bare Celery worker."""
        return self.add("peer", [
            sys.executable, "-m", "celery", "-A", "benchmarks.peer_app", "worker",
            "--concurrency", str(concurrency), "--hostname", "peer@bench",
            "--loglevel", "WARNING", *arguments])

    def end(self, process: Process) -> None:
        """Stop one process."""
        assert process.child is not None
        self.supervisor.processes.remove(process)
        process.child.terminate()
        try:
            process.child.wait(15)
        except subprocess.TimeoutExpired:
            process.child.kill()

    def children(self, process: Process) -> list[int]:
        """Return what a process has started; nothing if it has ended."""
        if process.child is None:
            return []
        try:
            place = Path(f"/proc/{process.child.pid}/task/{process.child.pid}/children")
            return [int(pid) for pid in place.read_text().split()]
        except OSError:
            return []

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until a condition holds.

        Raises
        ------
        TimeoutError
            If it does not in time; the end of the log comes with it.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.supervisor.check()
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join(
                    [f"not within {seconds:g} s: {what}; the log ends:", *self.log][-40:]))
            time.sleep(0.02)

    def close(self) -> None:
        """Stop everything and remove the home."""
        try:
            self.supervisor.stop()
        finally:
            self.marks.close()
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
