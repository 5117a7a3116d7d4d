"""A process that tries subscribers' XPath filters on packets, and may be killed for it.

An expression of forty characters can keep libxml2 busy for hours, and nothing but the end of
its process stops it: the kernel sees to that, by a timer that counts the time of the processor,
so that a busy machine accuses nobody. Over the socket that is its standard input come pairs of
frames, a JSON list of expressions and a packet; back goes an `ANSWER` when the packet is parsed,
and one for each expression, with the time of the processor that it took.
"""

from __future__ import annotations

import json
import math
import resource
import signal
import socket
import struct
import time

from ..errors import NoticeError
from ..notice import parse_xml
from ..streams.transport import Decoder

LIMIT = 0.25
"""Seconds of the processor that one filter may take for one packet."""

MEMORY = 512 * 1024 * 1024
READY, YES, NO, FAILED = b"r", b"1", b"0", b"x"
ANSWER = struct.Struct("=cd")
"""One of these letters, and seconds of the processor."""


def main() -> None:
    """Answer until the other end is closed."""
    from lxml import etree

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    peer = socket.socket(fileno=0)

    def say(letter: bytes, took: float = 0.0) -> None:
        peer.sendall(ANSWER.pack(letter, took))

    decoder = Decoder(1 << 30)
    frames: list[bytes] = []
    say(READY)
    while data := peer.recv(1 << 20):
        decoder.feed(data)
        while (frame := decoder.next()) is not None:
            frames.append(frame)
        while len(frames) >= 2:
            expressions, packet = json.loads(frames.pop(0)), frames.pop(0)
            try:
                root = parse_xml(packet)
            except NoticeError:
                for _ in expressions:
                    say(FAILED)
                continue
            # What it took so far is no filter's doing.
            say(READY)
            names = {"voe": etree.QName(root).namespace or "urn:none"}
            for expression in expressions:
                signal.setitimer(signal.ITIMER_PROF, LIMIT)
                began = time.process_time()
                try:
                    found = etree.XPath(expression, namespaces=names, regexp=False)(root)
                except etree.XPathError:
                    verdict = FAILED
                else:
                    # Not a number is false in XPath and true in Python.
                    nan = isinstance(found, float) and math.isnan(found)
                    verdict = YES if found and not nan else NO
                say(verdict, time.process_time() - began)
            signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
