"""What a test does with its Kafka: topics, messages, offsets, users and what they may do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from .servers import PATIENCE, poll

WORDS = {  # of the rules; Kafka has more
    "read": AclOperation.READ, "describe": AclOperation.DESCRIBE, "write": AclOperation.WRITE,
    "all": AclOperation.ALL,
}
PASSING = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE,
           KafkaError._TRANSPORT, KafkaError.BROKER_NOT_AVAILABLE,
           KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
           # All brokers are fenced: the controller has not heard of them since a start or freeze.
           KafkaError.INVALID_REPLICATION_FACTOR)
SECONDS = 20.0
"""How long the server may say so, times `PATIENCE`."""

KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


class KafkaClient:
    """A client that may do everything with a Kafka."""

    bootstrap_servers: str
    _administrator: AdminClient | None = None
    _producer: Producer | None = None

    def _admin(self) -> AdminClient:
        if self._administrator is None:
            self._administrator = AdminClient(self._client())
        return self._administrator

    def _client(self) -> dict[str, Any]:
        return {"bootstrap.servers": self.bootstrap_servers, "log_level": 0,
                "error_cb": lambda error: None, "reconnect.backoff.max.ms": 200,
                "socket.timeout.ms": 10_000}

    def _topics(self) -> dict[str, Any]:
        return _patiently(lambda: self._admin().list_topics(timeout=10).topics)

    def create_topic(
        self, name: str, partitions: int = 1, config: dict[str, str] | None = None,
    ) -> str:
        """Make a topic, which is there on return; returns its name."""
        made = NewTopic(name, partitions, 1, config=config or {})
        _done(lambda: self._admin().create_topics([made], operation_timeout=10))
        self._settled(name, partitions)
        return name

    def delete_topic(self, name: str) -> None:
        """Remove a topic, which is gone on return."""
        _done(lambda: self._admin().delete_topics([name], operation_timeout=10))
        poll(lambda: name not in self._topics(), 10,
             f"{name} is gone")

    def add_partitions(self, name: str, total: int) -> None:
        """Let a topic have so many partitions."""
        asked = NewPartitions(name, total)
        _done(lambda: self._admin().create_partitions([asked], operation_timeout=10))
        self._settled(name, total)

    def _settled(self, name: str, partitions: int) -> None:
        def there() -> bool:
            found = self._topics().get(name)
            return found is not None and found.error is None and len(found.partitions) == \
                partitions and all(p.leader >= 0 for p in found.partitions.values())
        poll(there, 10, f"{name} has {partitions} partitions")

    def publish(
        self, topic: str, *payloads: bytes, key: bytes | None = None, partition: int = -1,
        headers: Iterable[tuple[str, bytes]] = (), timestamp: int = 0, timeout: float = 30,
    ) -> None:
        """Publish messages, and wait until the server has them; timestamp in ms of Unix time.

        Raises
        ------
        KafkaException
            If it refuses one.
        AssertionError
            If it has not taken them in time.
        """
        refused: list[Any] = []

        def report(error: Any, message: Any) -> None:
            if error is not None:
                refused.append(error)

        if self._producer is None:
            self._producer = Producer({
                **self._client(), "linger.ms": 1, "message.max.bytes": 20_000_000,
                "queue.buffering.max.messages": 1_000_000, "enable.idempotence": True})
        producer = self._producer
        for payload in payloads:
            producer.produce(topic, payload, key=key, partition=partition, headers=list(headers),
                             timestamp=timestamp, on_delivery=report)
            producer.poll(0)
        assert not producer.flush(timeout), f"Kafka did not take what was published on {topic}"
        if refused:
            raise KafkaException(refused[0])

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return a group's committed offset for each partition of a topic that has one."""
        asked = ConsumerGroupTopicPartitions(group)
        [found] = _done(lambda: self._admin().list_consumer_group_offsets([asked])).values()
        return {p.partition: p.offset for p in found.topic_partitions
                if p.topic == topic and p.offset >= 0}

    def forget_offsets(self, group: str) -> None:
        """Forget what a group has committed, as Kafka does some days after the last commit."""
        _done(lambda: self._admin().delete_consumer_groups([group]))

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset after the last message of each partition."""
        partitions = self._topics()[topic].partitions
        asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}
        found = _done(lambda: self._admin().list_offsets(asked))
        return {place.partition: result.offset for place, result in found.items()}

    def expire(self, topic: str, before: int, partition: int = 0) -> None:
        """Remove the messages of a partition before an offset, as retention does."""
        _done(lambda: self._admin().delete_records([TopicPartition(topic, partition, before)]))

    def add_user(self, name: str, password: str) -> None:
        """Make a user of the SCRAM door."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        _done(lambda: self._admin().alter_user_scram_credentials(
            [UserScramCredentialUpsertion(name, info, password.encode())]))

    def forbid(self, user: str, name: str, word: str = "all", kind: str = "topic") -> None:
        """Forbid a user to read, describe, write or do anything with a topic or a group.

        As soon as there is a rule for it, other users may do nothing with it at all.
        """
        rules = [self._rule(user, name, word, kind, AclPermissionType.DENY)]
        if word != "all":
            rules.append(self._rule(user, name, "all", kind, AclPermissionType.ALLOW))
        _done(lambda: self._admin().create_acls(rules))

    def permit(self, user: str, name: str, kind: str = "topic") -> None:
        """Take back all that `forbid` said of a user and a topic or group."""
        _done(lambda: self._admin().delete_acls([AclBindingFilter(
            KINDS[kind], name, ResourcePatternType.LITERAL, f"User:{user}", "*",
            AclOperation.ANY, AclPermissionType.ANY)]))

    def _rule(
        self, user: str, name: str, word: str, kind: str, how: AclPermissionType,
    ) -> AclBinding:
        return AclBinding(KINDS[kind], name, ResourcePatternType.LITERAL, f"User:{user}", "*",
                          WORDS[word], how)


def _done(ask: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
    """Return what the server answers to each part of a question."""
    return _patiently(lambda: {name: future.result(PATIENCE * SECONDS)
                               for name, future in ask().items()})


def _patiently(ask: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
    """Return what the server answers; ask again while it says that its trouble will pass."""
    deadline = time.monotonic() + PATIENCE * SECONDS
    while True:
        try:
            return ask()
        except KafkaException as e:
            # After a freeze or a restart, for example, there is no connection for a moment.
            if time.monotonic() > deadline or e.args[0].code() not in PASSING:
                raise
        time.sleep(0.1)
