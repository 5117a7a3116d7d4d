"""What librdkafka is told of a Kafka cluster."""

from __future__ import annotations

from typing import Any

import certifi

from ..conf import KafkaCluster


def client_config(cluster: KafkaCluster) -> dict[str, Any]:
    """Return librdkafka's settings for a cluster, secrets included: do not log them."""
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
        secret = cluster.secret()
        values |= {
            "sasl.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": cluster.client_id,
            "sasl.oauthbearer.client.secret": secret.get_secret_value() if secret else "",
            "sasl.oauthbearer.token.endpoint.url": cluster.token_endpoint,
            # Token requests do not look at ssl.ca.location (librdkafka issue 3751).
            "https.ca.location": ca_file,
        }
        if cluster.scope:
            values["sasl.oauthbearer.scope"] = cluster.scope
    elif cluster.security in ("plain", "scram-sha-256", "scram-sha-512"):
        password = cluster.pass_phrase()
        values |= {
            "sasl.mechanisms": cluster.security.upper(),
            "sasl.username": cluster.username,
            "sasl.password": password.get_secret_value() if password else "",
        }
    return values


def consumer_config(cluster: KafkaCluster) -> dict[str, Any]:
    """Return librdkafka's settings for reading a cluster, secrets included."""
    return {
        **client_config(cluster),
        "group.id": cluster.group_id,
        # Only what the ledger has is committed, by us.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # For an offset that has expired or a topic that was made anew; where a new topic
        # begins is seen to when it is assigned.
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "fetch.error.backoff.ms": 200,
        # Several alerts with their sky maps in one answer.
        "fetch.message.max.bytes": 16 * 1024 * 1024,
        # Memory that may hold messages not yet handed to us.
        "queued.max.messages.kbytes": 32768,
        **cluster.options,
    }
