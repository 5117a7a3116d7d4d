"""Filters: which packets a subscriber asked for, decided in a process with a time limit."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..process import die_with_parent
from ..streams.transport import encode
from .vtp_filter_process import ANSWER, LIMIT, READY, YES
from .vtp_server import Server

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds without a verdict after which the process is started again."""

LONGEST = 1024
"""Most characters in a filter."""

MAX_QUESTIONS = 500
"""Packets that wait for a verdict before no more should come."""

LATE = 2.0
"""Seconds that a packet waits for a verdict before the slowest filter has to go."""

SLOW = 0.02
"""Seconds of the processor that a filter takes for a packet, on average, to be blamed for that.

By the clock it may take any time, on a busy machine or while everything stands still.
"""

_REMEMBERED = 1000

COMMAND = (sys.executable, "-m", f"{__package__}.vtp_filter_process")

Verdict = Callable[[frozenset[str]], object]


def problem(expression: str) -> str | None:
    """Return why a text cannot be a filter; None if it can."""
    from lxml import etree

    if len(expression) > LONGEST:
        return f"it has {len(expression)} characters; at most {LONGEST} are taken"
    try:
        etree.XPath(expression, regexp=False)
    except (etree.XPathError, ValueError) as e:
        return f"it is not XPath: {e}"
    return None


@dataclass
class _Question:
    payload: bytes
    left: deque[str]
    answer: Verdict
    number: int
    since: float = field(default_factory=time.monotonic)
    matched: set[str] = field(default_factory=set)


class Filters:
    """Try filters on packets, one after the other, outside this process.

    Verdicts come in the order of the questions. A filter with which the process dies, because
    it takes too much time or memory, is forbidden from then on, and does not match.

    Parameters
    ----------
    server : Server
        In whose loop the answers arrive.
    forbid : callable
        Told of each filter that is forbidden, and why.
    wanted : callable
        Tells whether anybody has a filter still.
    """

    def __init__(
        self, server: Server, forbid: Callable[[str, str], object],
        wanted: Callable[[str], bool],
    ) -> None:
        self._server = server
        self._forbid = forbid
        self._wanted = wanted
        self._questions: deque[_Question] = deque()
        self._cost: Counter[str] = Counter()
        self._tries: Counter[str] = Counter()
        self._patient_until = 0.0
        self._forbidden: set[str] = set()
        self._child: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._asked: deque[str] = deque()
        self._answers = b""
        self._since = 0.0
        self._ready = False

    def __len__(self) -> int:
        """Return the number of packets that wait for a verdict."""
        return len(self._questions)

    @property
    def oldest(self) -> int | None:
        """Number of the packet that waits longest for a verdict."""
        return self._questions[0].number if self._questions else None

    def forbidden(self, expression: str) -> bool:
        """Tell whether a filter took too long before."""
        return expression in self._forbidden

    def ask(
        self, number: int, payload: bytes, expressions: Sequence[str], answer: Verdict,
    ) -> None:
        """Try filters on a packet; `answer` is called later with those that match."""
        self._questions.append(_Question(payload, deque(expressions), answer, number))
        if len(self._questions) == 1:
            self._next()

    def tick(self) -> None:
        """Forbid the slowest filter if it makes others wait; start the process again if it hangs.

        To be called often.
        """
        now = time.monotonic()
        if self._questions and now > max(self._questions[0].since + LATE, self._patient_until):
            self._patient_until = now + LATE / 2
            mean = {each: cost / self._tries[each] for each, cost in self._cost.items()
                    if self._wanted(each)}
            slowest = max(mean, key=lambda each: mean[each], default=None)
            if slowest is not None and mean[slowest] > SLOW:
                self._ban(slowest, "is too slow for so many packets")
        if self._asked and time.monotonic() - self._since > PATIENCE:
            log.warning("the process that tries filters hangs; it is started again")
            self.close()
            self._next()

    def close(self) -> None:
        """Stop the process."""
        if self._socket is not None:
            self._server.unwatch(self._socket)
            self._socket.close()
            self._socket = None
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                COMMAND, stdin=theirs.fileno(), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        ours.settimeout(PATIENCE)
        self._ready = False
        self._answers = b""
        self._socket = ours
        self._server.watch(ours, self._hear)
        return ours

    def _next(self) -> None:
        """Put the first question that is open; answer those that are not."""
        while self._questions:
            question = self._questions[0]
            asked = [each for each in question.left
                     if each not in self._forbidden and self._wanted(each)]
            if asked:
                self._asked = deque(asked)
                self._put(encode(json.dumps(asked).encode()) + encode(question.payload))
                return
            self._questions.popleft()
            question.answer(frozenset(question.matched))
        self._asked.clear()

    def _put(self, frames: bytes) -> None:
        self._since = time.monotonic()
        for _ in range(2):
            try:
                (self._socket or self._start()).sendall(frames)
            except OSError as e:
                # It ended while it had nothing to do: nobody can be blamed.
                log.warning("the process that tries filters cannot be reached: %s", e)
                self.close()
            else:
                return

    def _hear(self) -> None:
        assert self._socket is not None
        try:
            came = self._socket.recv(4096)
        except OSError:
            came = b""
        if not came:
            self._died()
            return
        self._since = time.monotonic()
        answers = self._answers + came
        whole = len(answers) - len(answers) % ANSWER.size
        self._answers = answers[whole:]
        for letter, took in ANSWER.iter_unpack(answers[:whole]):
            if letter == READY:
                self._ready = True
            else:
                expression = self._asked.popleft()
                self._cost[expression] += took
                self._tries[expression] += 1
                question = self._questions[0]
                question.left.remove(expression)
                if letter == YES:
                    question.matched.add(expression)
        if self._ready and not self._asked:
            if len(self._cost) > _REMEMBERED:
                self._cost.clear()
                self._tries.clear()
            self._next()

    def _died(self) -> None:
        ready = self._ready
        self.close()
        if self._asked and ready:
            self._ban(self._asked[0], f"takes more than {LIMIT:g} s, or too much memory")
            self._next()
        elif self._asked:
            log.error("the process that tries filters does not start")

    def _ban(self, expression: str, why: str) -> None:
        if len(self._forbidden) >= _REMEMBERED:
            self._forbidden.clear()
        self._forbidden.add(expression)
        del self._cost[expression], self._tries[expression]
        self._forbid(expression, why)
