"""A pickle on the wire is refused by the worker, which lives on and does its work."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import uuid
from pathlib import Path
from typing import Any

import redis

from tests import servers


class Bomb:
    """What runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Return what unpickling calls."""
        import os

        return os.system, (f"touch {self.mark}",)


def _message(body: bytes, content_type: str) -> str:
    number = str(uuid.uuid4())
    return json.dumps({
        "body": base64.b64encode(body).decode(), "content-encoding": "binary",
        "content-type": content_type,
        "headers": {"lang": "py", "task": "gwbroker.handlers.circulars.on_circular",
                    "id": number, "root_id": number},
        "properties": {"correlation_id": number, "delivery_mode": 2, "delivery_tag": number,
                       "delivery_info": {"exchange": "", "routing_key": "general"},
                       "priority": 0, "body_encoding": "base64"}})


def test_a_pickle_on_the_wire_is_refused_and_the_worker_lives(
    broker: servers.Broker, sqlite: str, home: Path, tmp_path: Path,
) -> None:
    from gwbroker.conf import settings

    mark = tmp_path / "unpickled"
    broker.redis()
    broker.worker("general", "-c", "1")
    broker.wait(lambda: any("ready" in line for line in broker.lines), 60, "the worker is ready")
    pid = broker.pid("general")
    bodies = [pickle.dumps(Bomb(mark), protocol) for protocol in (0, 2, 5)]
    with redis.Redis(unix_socket_path=str(settings().redis_socket)) as wire:
        for body in bodies:
            for kind in ("application/x-python-serialize", "application/x-yaml", "application/json",
                         "text/plain", "nonsense"):
                wire.lpush("general", _message(body, kind))
        wire.lpush("general", "not even JSON")
        wire.lpush("general", b"\xff\xfe{}")
        broker.wait(lambda: wire.llen("general") == 0, 20, "the worker has taken them")
    circular = tmp_path / "circular.json"
    circular.write_text('{"circularId": 1, "subject": "x", "body": "y"}')
    done = subprocess.run(
        [*servers.GWBROKER, "replay", str(circular), "--stream", "gcn", "--topic", "gcn.circulars",
         "--wait", "30"], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    broker.turn()
    assert "handled by" in done.stdout, "\n".join([done.stdout, *broker.lines[-60:]])
    broker.turn()
    assert broker.pid("general") == pid
    assert not mark.exists()
    log = "\n".join(broker.lines)
    assert "ContentDisallowed" in log, log
    assert "is no message, and was dropped" in log
