"""Publishing what confluent-kafka would not: Kafka headers whose names are not UTF-8."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import confluent_kafka  # so that its librdkafka is loaded

_END, _TOPIC, _PARTITION, _VALUE, _FLAGS, _HEADERS = 0, 1, 3, 4, 7, 10
_PRODUCER, _COPY = 0, 2


def _library() -> ctypes.CDLL:
    assert confluent_kafka.libversion()
    path = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()
                if "librdkafka" in line)
    found = ctypes.CDLL(path)
    found.rd_kafka_conf_new.restype = ctypes.c_void_p
    found.rd_kafka_new.restype = ctypes.c_void_p
    found.rd_kafka_headers_new.restype = ctypes.c_void_p
    return found


def publish(
    servers: str, topic: str, partition: int, payload: bytes,
    headers: Sequence[tuple[bytes, bytes]],
) -> None:
    """Publish a message with these headers, and wait until it is there."""
    library = _library()
    said = ctypes.create_string_buffer(512)
    settings = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(settings, b"bootstrap.servers", servers.encode(), said, 512)
    client = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, settings, said, 512))
    assert client.value, said.value
    made = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(len(headers))))
    for name, value in headers:
        library.rd_kafka_header_add(made, name, ctypes.c_ssize_t(len(name)), value,
                                    ctypes.c_ssize_t(len(value)))
    error = library.rd_kafka_producev(
        client, _TOPIC, ctypes.c_char_p(topic.encode()), _PARTITION, ctypes.c_int(partition),
        _VALUE, ctypes.c_char_p(payload), ctypes.c_size_t(len(payload)), _FLAGS,
        ctypes.c_int(_COPY), _HEADERS, made, _END)
    assert error == 0, error
    assert library.rd_kafka_flush(client, 10_000) == 0
    library.rd_kafka_destroy(client)
