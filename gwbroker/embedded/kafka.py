"""A Kafka cluster that speaks the real protocol, inside this process (librdkafka's mock)."""

from __future__ import annotations

from types import TracebackType

from confluent_kafka import Producer

from ..errors import SupervisorError


class MockKafka:
    """A Kafka cluster for the demo and quick tests; it forgets everything at its end.

    Parameters
    ----------
    brokers : int
        How many brokers it has.
    """

    def __init__(self, brokers: int = 1) -> None:
        self.producer = Producer({
            "test.mock.num.brokers": brokers, "bootstrap.servers": "unused", "log_level": 0,
            "linger.ms": 0, "message.max.bytes": 20_000_000})
        found = self.producer.list_topics(timeout=10).brokers.values()
        self.bootstrap_servers = ",".join(f"{b.host}:{b.port}" for b in found)

    def publish(self, topic: str, *payloads: bytes, timeout: float = 10.0) -> None:
        """Publish messages and wait until the cluster has them.

        Raises
        ------
        SupervisorError
            If it has not in time.
        """
        for payload in payloads:
            self.producer.produce(topic, payload)
            self.producer.poll(0)
        if self.producer.flush(timeout):
            raise SupervisorError(f"the mock Kafka did not take a message on {topic}")

    def close(self) -> None:
        """Stop it."""
        self.producer.flush(1)

    def __enter__(self) -> MockKafka:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
