"""Authors: one process that submits VOEvents, each on a connection of its own.

``python -m benchmarks.vtp_authors PORT NUMBER CONCURRENCY SERIES`` prints the seconds that it took
until all were acknowledged.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys
import time

PACKET = """<?xml version="1.0"?>
<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="test"
 ivorn="ivo://benchmark.example/source#{number}">
<Who><AuthorIVORN>ivo://benchmark.example/author</AuthorIVORN>
<Date>2026-01-01T00:00:00</Date></Who>
<What><Param name="Packet_Type" value="999"/></What></v:VOEvent>
"""


def submit(port: int, number: int, concurrency: int, series: str) -> float:
    """Submit packets, so many at a time; return the seconds that it took.

    Raises
    ------
    SystemExit
        If one is not acknowledged.
    """
    waiting = selectors.DefaultSelector()
    answers: dict[socket.socket, bytes] = {}
    began = time.perf_counter()
    started = acknowledged = 0
    while acknowledged < number:
        while started < number and len(answers) < concurrency:
            packet = PACKET.format(number=f"{series}-{started}").encode()
            author = socket.create_connection(("127.0.0.1", port), timeout=30)
            author.sendall(struct.pack("!I", len(packet)) + packet)
            waiting.register(author, selectors.EVENT_READ)
            answers[author] = b""
            started += 1
        for key, _ in waiting.select(60) or sys.exit("no answer within 60 s"):
            author = key.fileobj  # type: ignore[assignment]
            data = author.recv(65536)
            answer = answers[author] = answers[author] + data
            if data and (len(answer) < 4 or len(answer) < 4 + struct.unpack("!I", answer[:4])[0]):
                continue
            if b'role="ack"' not in answer and b"role='ack'" not in answer:
                sys.exit(f"not acknowledged: {answer!r}")
            acknowledged += 1
            waiting.unregister(author)
            del answers[author]
            author.close()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(submit(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
