"""The peer: a Celery app with one task and no ledger, as small as one can be."""

from __future__ import annotations

import os
import time

from celery import Celery

from benchmarks.marks import mark
from benchmarks.scene import PEER_URL

app = Celery("peer", broker=os.environ[PEER_URL])
app.conf.update(
    accept_content=["json"], task_ignore_result=True, worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True, task_default_queue="peer",
    worker_proc_alive_timeout=60.0,
)


@app.task(name="peer.begin")  # type: ignore[untyped-decorator]
def begin(asked: float) -> None:
    """Say when it began; does nothing else."""
    now = time.time()
    mark(asked, now)
