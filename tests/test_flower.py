"""Flower shows the workers, queues and named tasks of a running broker."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from . import servers
from .ports import free_port


def test_flower_shows_workers_queues_and_named_tasks(
    broker: servers.Broker, environment: Any,
) -> None:
    port = free_port()
    environment.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    environment.setenv("GWBROKER_FLOWER_PORT", str(port))
    broker.redis()
    broker.worker("events", "-Q", "events")
    broker.add("flower", [*servers.GWBROKER, "flower", "--logging=warning"])

    def get(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return ""

    broker.wait(lambda: get("/healthcheck"), 30, "Flower answers")
    found: dict[str, Any] = {}

    def known() -> bool:
        found.update(json.loads(get("/api/workers?refresh=true") or "{}"))
        return any(worker.get("registered") and worker.get("active_queues")
                   for worker in found.values())

    broker.wait(known, 30, "Flower knows the worker")
    (name, worker), = found.items()
    assert name.startswith("events@")
    assert {queue["name"] for queue in worker["active_queues"]} == {"events"}
    assert "gwbroker.handlers.gravitational_waves.on_gwalert" in worker["registered"]
    assert "gwbroker.tasks.skymaps.localize" in worker["registered"]
    # The page goes by the worker's own signs of life, which come every two seconds.
    broker.wait(lambda: name in get("/workers"), 30, "Flower's page shows the worker")
