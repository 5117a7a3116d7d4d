"""The Kafka listeners: one eternal task for each reader of each configured cluster."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from .. import dispatch
from ..conf import KafkaCluster, settings
from ..errors import LedgerError
from ..intake import accept
from ..ledger import topics as rows
from ..ledger.engine import read, write
from .kafka_reader import KafkaReader
from .listener import Listener, app, task_name

log = logging.getLogger(__name__)


def topics(cluster: KafkaCluster) -> set[str]:
    """Return what is to be read from a cluster: what handlers ask for, and what it names."""
    asked = dispatch.topics()
    if cluster.topic_prefixes:
        asked = {t for t in asked if t.startswith(tuple(cluster.topic_prefixes))}
    if cluster.preset == "scimma":
        # It carries LVK's alerts as well, as Avro, but GCN's not at all.
        asked = {t for t in asked if not t.startswith("gcn.")}
    return asked | set(cluster.topics)


def _crowded() -> bool:
    with read() as connection:
        return rows.crowded(connection)


def _note(source: str, progress: Sequence[rows.Progress]) -> None:
    # Counts are no promise: nobody waits for the disk.
    with write(durable=False) as connection:
        rows.note(connection, source, progress)


def _known(reader: str, asked: set[str]) -> set[str]:
    """Return the topics of which a reader has read something before."""
    try:
        with read() as connection:
            return rows.known(connection, reader)
    except LedgerError:
        # What is read again is recognised; what is left out is lost.
        return asked


def _add(name: str, cluster: KafkaCluster, index: int) -> None:
    source = f"kafka.{name}"

    def listen(self: Listener) -> None:
        if cluster.group_looks_random:
            log.warning("%s: the group_id %s looks random: a new one for each start would read "
                        "everything again, or lose what came meanwhile", source, cluster.group_id)
        asked = topics(cluster)
        KafkaReader(
            source, cluster, asked, accept, self.is_aborted, self.say,
            share=(index, cluster.readers), bulk=dispatch.bulk_topics(),
            crowded=_crowded, note=_note, known=lambda: _known(source, asked)).run()

    listen.__doc__ = f"Listen to the Kafka cluster {name}."
    listener = cluster.reader_names(source)[index]
    app.task(listen, base=Listener, bind=True, name=task_name(listener), shared=False)


for _name, _cluster in settings().kafka.items():
    for _index in range(_cluster.readers):
        _add(_name, _cluster, _index)
