"""The settings of the tests' Kafka: quick, small, and strict where the tests look."""

from __future__ import annotations

from pathlib import Path


def properties(folder: Path, ports: list[int], jwks_url: str | None) -> dict[str, object]:
    """Return ``server.properties`` of a broker that is its own controller.

    Parameters
    ----------
    folder : Path
        Where its data are.
    ports : list of int
        Of the doors without password, for SCRAM and for OIDC, and of the controller.
    jwks_url : str, optional
        Where the keys of the tokens are; without it there is no OIDC door.
    """
    doors = ["PLAIN", "SCRAM", *(["OIDC"] if jwks_url else [])]
    at = dict(zip(("PLAIN", "SCRAM", "OIDC", "CONTROLLER"), ports, strict=True))
    login = "org.apache.kafka.common.security"
    values: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{at['CONTROLLER']}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAIN",
        "listeners": ",".join(
            f"{door}://127.0.0.1:{at[door]}" for door in (*doors, "CONTROLLER")),
        "listener.security.protocol.map":
            "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_PLAINTEXT,OIDC:SASL_PLAINTEXT",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config":
            f"{login}.scram.ScramLoginModule required;",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
        "log.dirs": folder / "data",
        "num.partitions": 1,
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 3,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
        "message.max.bytes": 20_000_000,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.segment.delete.delay.ms": 1000,
        # Or the messages that a test dates some days back are removed under its hands.
        "log.retention.ms": -1,
        "num.io.threads": 4,
        "num.network.threads": 2,
        # Or it is shut out for nine seconds after a restart, as if it were a second copy.
        "broker.session.timeout.ms": 1500,
        "broker.heartbeat.interval.ms": 300,
    }
    if jwks_url:
        door = "listener.name.oidc."
        values |= {
            f"{door}sasl.enabled.mechanisms": "OAUTHBEARER",
            # Who does not bring a new token when the old one ends is shown the door.
            f"{door}connections.max.reauth.ms": 3_600_000,
            f"{door}oauthbearer.sasl.jaas.config":
                f"{login}.oauthbearer.OAuthBearerLoginModule required;",
            f"{door}oauthbearer.sasl.server.callback.handler.class":
                f"{login}.oauthbearer.OAuthBearerValidatorCallbackHandler",
            f"{door}oauthbearer.sasl.oauthbearer.jwks.endpoint.url": jwks_url,
            f"{door}oauthbearer.sasl.oauthbearer.expected.audience": "kafka",
            f"{door}oauthbearer.sasl.oauthbearer.clock.skew.seconds": 0,
        }
    return values
