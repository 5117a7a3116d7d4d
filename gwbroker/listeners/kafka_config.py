"""What librdkafka is told of a Kafka cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import certifi

from ..conf import KafkaCluster, settings

MiB = 1024 * 1024
Lane = Literal["live", "old", "bulk"]

READ_AHEAD: dict[Lane, dict[str, Any]] = {
    # Several alerts with their sky maps in one answer; memory for messages not yet handed over.
    "live": {"fetch.message.max.bytes": 16 * MiB, "queued.max.messages.kbytes": 32 * 1024},
    # A backlog waits in Kafka, where it costs nothing, and is fetched in small answers.
    "old": {"fetch.message.max.bytes": 1 * MiB, "queued.max.messages.kbytes": 4 * 1024,
            "queued.min.messages": 500},
    # 10,000 packets of 60 kB may come in a minute.
    "bulk": {"fetch.message.max.bytes": 16 * MiB, "queued.max.messages.kbytes": 64 * 1024,
             "queued.min.messages": 5000},
}
"""How far each lane of a reader reads ahead of what it has handed over."""


def largest() -> int:
    """Return how many bytes an answer of Kafka, or a message in it when unpacked, may have."""
    return max(4 * settings().max_message, 64 * MiB)


def client_config(
    cluster: KafkaCluster, oauth_cb: Callable[[object], tuple[str, float]] | None = None,
) -> dict[str, Any]:
    """Return librdkafka's settings for a cluster, secrets included: do not log them.

    Parameters
    ----------
    cluster : KafkaCluster
        The settings of ours.
    oauth_cb : callable, optional
        Returns a token and its end; needed for ``security = "oidc"``.
    """
    ca_file = str(cluster.ca_file or certifi.where())
    values: dict[str, Any] = {
        "bootstrap.servers": cluster.bootstrap_servers,
        "client.id": "gwbroker",
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 200,
        "reconnect.backoff.max.ms": 10000,
        # Some sites have a broken IPv6 route; librdkafka then tries the next address.
        "broker.address.family": "any",
    }
    if cluster.security == "ssl":
        values |= {"security.protocol": "SSL", "ssl.ca.location": ca_file}
    elif cluster.security != "none":
        values["security.protocol"] = "SASL_SSL" if cluster.tls else "SASL_PLAINTEXT"
        if cluster.tls:
            values["ssl.ca.location"] = ca_file
    if cluster.security == "oidc":
        values["sasl.mechanisms"] = "OAUTHBEARER"
        if oauth_cb is not None:
            values["oauth_cb"] = oauth_cb
    elif cluster.security in ("plain", "scram-sha-256", "scram-sha-512"):
        password = cluster.pass_phrase()
        values |= {
            "sasl.mechanisms": cluster.security.upper(),
            "sasl.username": cluster.username,
            "sasl.password": password.get_secret_value() if password else "",
        }
    return values


def consumer_config(
    cluster: KafkaCluster, oauth_cb: Callable[[object], tuple[str, float]] | None = None,
    lane: Lane = "live",
) -> dict[str, Any]:
    """Return librdkafka's settings for reading a cluster, secrets included.

    Kafka cannot be asked to leave out a message because it is large. What bounds our memory
    is the largest answer that is taken at all (`largest`). A message that comes within it is
    kept whole, whatever its size.

    Parameters
    ----------
    cluster : KafkaCluster
        The settings of ours.
    oauth_cb : callable, optional
        Returns a token and its end; needed for ``security = "oidc"``.
    lane : {"live", "old", "bulk"}
        How far to read ahead.
    """
    ahead = READ_AHEAD[lane]
    answer = max(ahead["fetch.message.max.bytes"], 16 * MiB)
    return {
        **client_config(cluster, oauth_cb),
        "group.id": cluster.group_id,
        # Only what the ledger has is committed, by us.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # For an offset that has expired or a topic that was made anew; where a new topic
        # begins is seen to when it is assigned.
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "fetch.error.backoff.ms": 200,
        # How long librdkafka fetches nothing once it is as far ahead as it may be. By default a
        # second, so that a lane that reads ahead by 500 messages would get 500 a second.
        "fetch.queue.backoff.ms": 10,
        "fetch.max.bytes": answer,
        "receive.message.max.bytes": largest(),
        **ahead,
        **cluster.options,
    }
