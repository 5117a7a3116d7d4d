"""The Kafka listeners: one eternal task per configured cluster."""

from __future__ import annotations

from .. import dispatch
from ..conf import KafkaCluster, settings
from ..intake import accept
from .kafka_reader import KafkaReader
from .listener import Listener, app, task_name


def topics(cluster: KafkaCluster) -> set[str]:
    """Return what is to be read from a cluster: what handlers ask for, and what it names."""
    asked = dispatch.topics()
    if cluster.topic_prefixes:
        asked = {t for t in asked if t.startswith(tuple(cluster.topic_prefixes))}
    if cluster.preset == "scimma":
        # It carries LVK's alerts as well, but as Avro, and GCN's not at all.
        asked = {t for t in asked if not t.startswith(("gcn.", "igwn."))}
    return asked | set(cluster.topics)


def _add(name: str, cluster: KafkaCluster) -> None:
    source = f"kafka.{name}"

    def listen(self: Listener) -> None:
        KafkaReader(source, cluster, topics(cluster), accept, self.is_aborted, self.say).run()

    listen.__doc__ = f"Listen to the Kafka cluster {name}."
    app.task(listen, base=Listener, bind=True, name=task_name(source), shared=False)


for _name, _cluster in settings().kafka.items():
    _add(_name, _cluster)
