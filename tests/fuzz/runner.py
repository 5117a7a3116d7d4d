"""Running inputs in a child process that may crash, hang or fill the memory, and is watched.

The child writes each input into memory that both share before it begins, so that what ended
it is known whatever the end was. It is judged by processor time, since other work on the
machine is not the parser's fault.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mmap
import os
import resource
import signal
import struct
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from gwbroker.process import die_with_parent, limit_memory

from .mutate.raw import LONGEST
from .targets import ALLOWED, Target

SECONDS = 1.0
"""Processor time that one input may take."""

GROWTH = 100 * 2**20
"""Bytes by which one input may make the process grow."""

ROOM = 1 << 30
"""Bytes of address space beyond the start's; a larger allocation fails at once."""

REGRESSIONS = Path(__file__).parent / "corpus" / "regressions"
_HEADER = struct.Struct("QI")


@dataclass
class Count:
    """What a run came to."""

    inputs: int = 0
    crashes: int = 0
    hangs: int = 0
    memory: int = 0
    found: list[str] = field(default_factory=list)
    """One line each: what happened, and the file that makes it happen again."""

    def line(self, seed: int) -> str:
        """Return the last line of a run."""
        return (f"fuzz: {self.inputs} inputs, {self.crashes} crashes, {self.hangs} hangs, "
                f"{self.memory} over memory, seed {seed}")


def inputs(target: Target, random: Random) -> Iterator[bytes]:
    """Yield damaged inputs for ever; some are damaged twice over."""
    known = target.seeds()
    pool = list(known)
    while True:
        made = target.mutate(random.choice(pool), random)[: LONGEST + 1000]
        yield made
        # A few are kept to be damaged further, which reaches what one step cannot.
        if random.random() < 0.02 and len(made) < 20_000:
            if len(pool) < 2 * len(known) + 50:
                pool.append(made)
            else:
                pool[random.randrange(len(known), len(pool))] = made


def saved(target: Target) -> list[bytes]:
    """Return the inputs that once broke a parser."""
    return [path.read_bytes() for path in sorted(REGRESSIONS.glob(f"{target.name}-*"))]


class Watched:
    """Runs the inputs of one target in children, and counts what becomes of them.

    Parameters
    ----------
    target : Target
        The parser.
    count : Count
        Where to count.
    folder : Path
        Where to save the inputs that break it.
    seconds : float
        Processor time that one input may take.
    """

    def __init__(
        self, target: Target, count: Count, folder: Path = REGRESSIONS, seconds: float = SECONDS,
    ) -> None:
        self.target = target
        self.count = count
        self.folder = folder
        self.seconds = seconds
        self._known: set[str] = set()
        self._shared = mmap.mmap(-1, _HEADER.size + 2 * LONGEST)

    def run(self, source: Iterator[bytes], number: int, until: float = float("inf")) -> None:
        """Run so many inputs, or until a time on the monotonic clock."""
        left = number
        while left > 0 and time.monotonic() < until:
            done = self._child(source, left, until)
            left -= done
            self.count.inputs += done
            if done == 0:
                return
            # The child took them from its own copy of the source.
            for _ in range(done if left else 0):
                next(source, b"")

    def _child(self, source: Iterator[bytes], number: int, until: float) -> int:
        self._shared[: _HEADER.size] = _HEADER.pack(0, 0)
        receive, send = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(receive)
            try:
                _run(self.target, source, number, until, self._shared, send, self.seconds)
            except BaseException:
                # Not the parser, which is guarded, but what makes its inputs.
                traceback.print_exc()
                os._exit(3)
            os._exit(0)
        os.close(send)
        with os.fdopen(receive, "rb") as reports:
            os.set_blocking(reports.fileno(), False)
            buffer = b""
            progress, since = -1, 0.0
            status = None
            while status is None:
                time.sleep(0.05)
                buffer += reports.read() or b""
                ended, code = os.waitpid(pid, os.WNOHANG)
                if ended:
                    status = code
                    continue
                now, _ = self._current()
                spent = _cpu(pid)
                if now != progress:
                    progress, since = now, spent
                elif spent - since > 3 * self.seconds:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    self._note("hang", f"stuck for {spent - since:.1f} s", self._current()[1])
                    status = 0
            buffer += reports.read() or b""
        for line in buffer.splitlines():
            kind, detail, data = json.loads(line)
            self._note(kind, detail, base64.b64decode(data))
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise RuntimeError(f"the mutator of {self.target.name} failed; see above")
        if status and os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            self._note("crash", f"the process died of {name}", self._current()[1])
        return self._current()[0]

    def _current(self) -> tuple[int, bytes]:
        number, length = _HEADER.unpack_from(self._shared)
        return number, self._shared[_HEADER.size : _HEADER.size + length]

    def _note(self, kind: str, detail: str, data: bytes) -> None:
        if kind == "crash":
            self.count.crashes += 1
        elif kind == "hang":
            self.count.hangs += 1
        else:
            self.count.memory += 1
        # Thousands of inputs may show one mistake.
        place = detail.rpartition(" at ")[2] if " at " in detail else detail[:30]
        if (key := f"{kind} {place}") in self._known:
            return
        self._known.add(key)
        path = self.folder / f"{self.target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.count.found.append(f"{self.target.name}: {kind}: {detail} ({path})")


def _cpu(pid: int) -> float:
    """Return the seconds of processor time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss() -> int:
    with open("/proc/self/statm", "rb") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def _run(
    target: Target, source: Iterator[bytes], number: int, until: float, shared: mmap.mmap,
    send: int, seconds: float,
) -> None:
    """Run inputs in this process, the child; report what is wrong, and go on."""
    die_with_parent()
    limit_memory(ROOM)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for index in range(number):
        if index % 64 == 0 and time.monotonic() > until:
            return
        data = next(source, None)
        if data is None:
            return
        shared[: _HEADER.size] = _HEADER.pack(index + 1, len(data))
        shared[_HEADER.size : _HEADER.size + len(data)] = data
        before = _rss()
        problem, spent = _failure(target, data)
        if spent > seconds:
            # A machine that swaps makes anything slow once.
            spent = min(spent, _failure(target, data)[1])
        if problem:
            _report(send, "crash", problem, data)
        if spent > seconds:
            _report(send, "hang", f"{spent:.2f} s", data)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if peak > highest:
            highest = peak
            if peak * 1024 - before > GROWTH:
                _report(send, "memory", f"{(peak * 1024 - before) >> 20} MiB more", data)


def _failure(target: Target, data: bytes) -> tuple[str | None, float]:
    """Return what is wrong with the way in which a target takes an input, and its time."""
    began = time.process_time()
    problem = _problem(target, data)
    return problem, time.process_time() - began


def _problem(target: Target, data: bytes) -> str | None:
    try:
        target.run(data)
    except ALLOWED as e:
        return f"{type(e).__name__} escaped: {str(e)[:200]}"
    # Whatever it is, it is the finding.
    except Exception as e:
        last = traceback.extract_tb(e.__traceback__)[-1]
        return f"{type(e).__name__}: {str(e)[:200]} at {Path(last.filename).name}:{last.lineno}"
    return None


def _report(send: int, kind: str, detail: str, data: bytes) -> None:
    line = json.dumps([kind, detail, base64.b64encode(data).decode()])
    with os.fdopen(os.dup(send), "wb") as pipe:
        pipe.write(line.encode() + b"\n")
