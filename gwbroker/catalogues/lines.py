"""Lines: a stream of text as lines of bounded length, whatever comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

LONGEST = 1_000_000
"""Most bytes of a line: what somebody says of one candidate, and a thousand times more."""


def lines(stream: BinaryIO, longest: int = LONGEST) -> Iterator[bytes]:
    """Yield the lines of a stream as they come, in little memory.

    Parameters
    ----------
    stream : binary file
        Read until its end.
    longest : int
        Most bytes of a line. Of a longer one the first `longest` and one are yielded, so that it
        can be seen that it was too long; the rest is read and forgotten.
    """
    while line := stream.readline(longest + 1):
        rest = line
        while len(rest) > longest and not rest.endswith(b"\n"):
            rest = stream.readline(longest + 1)
        yield line
