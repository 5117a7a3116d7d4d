"""The Celery app: its queues, its settings, and what each of its processes does at its start."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from typing import Any

from celery import Celery, signals
from kombu.entity import Queue

from .conf import settings
from .oneline import attach
from .process import die_with_parent, limit_memory
from .streams.registry import QUEUES
from .wire import PRIORITIES, install

# Named as strings, so that the graph of imports has no circle.
MODULES = (
    "gwbroker.jobs",
    "gwbroker.tasks.annotations",
    "gwbroker.tasks.coincidences",
    "gwbroker.tasks.downloads",
    "gwbroker.tasks.events",
    "gwbroker.tasks.plans",
    "gwbroker.tasks.skymaps",
    "gwbroker.tasks.upkeep",
    "gwbroker.listeners.kafka",
    "gwbroker.listeners.vtp",
    "gwbroker.listeners.vtp_broker",
)

HEAVY = ("healpy", "astropy.io.fits", "matplotlib.figure", "gwbroker.skymap.plot",
         "gwbroker.skymap.fits", "gwbroker.skymap.regions", "gwbroker.skymap.make",
         "gwbroker.skymap.alt", "gwbroker.skymap.occultation", "gwbroker.skymap.overlap",
         # What is not urgent comes last.
         "gwbroker.skymap.volumeplot", "gwbroker.skymap.view", "gwbroker.skymap.coherence")
"""What the OpenMP worker imports before its first job, because it takes seconds."""


def _client_url(url: str) -> str:
    """Return a Redis URL as the redis package writes it."""
    return url.replace("redis+socket://", "unix://")


def make() -> Celery:
    """Return the Celery app for the settings in force."""
    install()
    made = Celery("gwbroker", include=list(MODULES))
    url = settings().redis_url
    over_tcp = not url.startswith("redis+socket:")
    # A Redis whose host is lost hangs rather than refuses.
    patience: dict[str, Any] = {"socket_connect_timeout": 5, "socket_timeout": 10,
                                "health_check_interval": 25}
    if over_tcp:
        patience["socket_keepalive"] = True
    made.conf.update(
        broker_url=url,
        # celery-eternal needs a result backend; nothing else writes results.
        result_backend=url,
        task_ignore_result=True,
        result_expires=3600,
        singleton_backend_url=_client_url(url),
        singleton_backend_kwargs={"socket_timeout": 2, "socket_connect_timeout": 2},
        redis_socket_timeout=5,
        singleton_key_prefix="gwbroker:lock:",
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue="general",
        task_create_missing_queues=False,
        task_routes={"gwbroker.listeners.*": {"queue": "listeners"}},
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=60.0,
        # What handlers print, and tracebacks of threads, stay in one piece.
        worker_redirect_stdouts=False,
        # Flower asks for these while it runs; without it nobody reads what costs a tenth.
        worker_send_task_events=False,
        task_send_sent_event=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Messages hold no more than a job's number, which the sweep can send again: Redis
        # need not note what is delivered and what acknowledged, which would take a third of
        # the time of a job. And nobody is to wait for a Redis that is away (kombu would, 6 s
        # for each message): the sweep sends later.
        broker_transport_options={"ack_emulation": False, "max_retries": 0,
                                  "queue_order_strategy": "priority",
                                  # Flower counts what waits by these.
                                  "priority_steps": PRIORITIES, **patience},
        redis_socket_connect_timeout=5,
        redis_socket_keepalive=over_tcp,
        task_publish_retry=False,
        beat_scheduler="gwbroker.schedule:QuietScheduler",
        beat_max_loop_interval=1.0,
        enable_utc=True,
        timezone="UTC",
    )
    return made


app = make()
app.set_default()


def _find_handlers(**_: Any) -> None:
    importlib.import_module("gwbroker.dispatch").load()


class _Quiet(logging.Filter):
    """Drops what Celery says about the task that runs every second."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or "gwbroker.tasks.upkeep." not in record.getMessage()


def _be_quiet(logger: logging.Logger | None = None, **_: Any) -> None:
    if logger is not None:
        attach(logger)
    logging.getLogger("celery.app.trace").addFilter(_Quiet())
    # "Task received", before every "succeeded": the ledger knows better, and it is written
    # before the task starts.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)


def _start_child(**_: Any) -> None:
    die_with_parent()
    limit_memory(settings().max_memory)
    if "openmp" in os.environ.get("_GWBROKER_QUEUES", "").split(","):
        threading.Thread(target=_preload, name="preload", daemon=True).start()


def _preload() -> None:
    for name in HEAVY:
        importlib.import_module(name)


signals.import_modules.connect(_find_handlers, weak=False)
signals.after_setup_logger.connect(_be_quiet, weak=False)
signals.worker_process_init.connect(_start_child, weak=False)
