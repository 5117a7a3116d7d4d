"""HTCondor's own commands, with timeouts and readable errors."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CondorError, CondorUnavailable

TIMEOUT = 60.0
"""Seconds that one of HTCondor's commands may take."""

POLL = 1.0
"""Seconds between looks at the queue; each is a question to the access point."""

STATES = {1: "idle", 2: "running", 3: "stopping", 4: "completed", 5: "held", 6: "transferring",
          7: "suspended"}
"""HTCondor's JobStatus in words (HTCondor manual, job ClassAd attributes); a removed job stays
in the queue for as long as it takes to stop."""

_ATTRIBUTES = ("ClusterId", "ProcId", "GWBrokerProcess", "JobStatus", "EnteredCurrentStatus",
               "ServerTime", "NumJobStarts", "RemoteHost", "RequestCpus", "HoldReason")
_CHANGES = {
    "rm": "JobStatus != 3",
    # Also those that HTCondor itself holds for a moment after a crash: they would come back.
    "hold": "JobStatus != 3 && !(JobStatus == 5 && HoldReasonCode == 1)",
    "release": "JobStatus == 5",
}
_UNREACHABLE = re.compile(r"can't find address|failed to connect|unable to connect|\(null\)|"
                          r"SECMAN|CEDAR|AUTHENTICATE|timed out|not running", re.IGNORECASE)
_TERSE = re.compile(r"^(\d+)\.\d+(?: - (\d+)\.\d+)?$", re.MULTILINE)


@dataclass(frozen=True)
class QueuedProcess:
    """One process as HTCondor's queue sees it; ``since`` is in seconds."""

    cluster: int
    proc: int
    name: str
    state: str
    since: int
    starts: int
    host: str | None
    cpus: int
    reason: str | None


def constraint(home: Path, cluster: int | None = None) -> str:
    """Return the ClassAd expression that is true for the processes of one home only.

    A bare cluster number would do on one access point; on another, or after its queue was
    wiped, the same number belongs to somebody else's jobs.
    """
    quoted = str(home).replace("\\", "\\\\").replace('"', '\\"')
    ours = f'GWBrokerHome == "{quoted}"'
    return ours if cluster is None else f"ClusterId == {cluster} && {ours}"


def submit(description: str, environment: Mapping[str, str]) -> int:
    """Submit a description; return the number of its one cluster.

    Raises
    ------
    CondorError
        If HTCondor refuses it, with its own words.
    CondorUnavailable
        If HTCondor is not installed or its access point does not answer.
    """
    output = _run("condor_submit", "-terse", "-single-cluster", "-",
                  stdin=description, environment=environment)
    match = _TERSE.search(output)
    if match is None:
        raise CondorError(
            f"condor_submit did not say which cluster it made, but {output.strip()!r};"
            " see `gwbroker condor q`")
    return int(match[1])


def queue(condition: str) -> tuple[QueuedProcess, ...]:
    """Return the processes in the queue for which a condition holds, in the queue's order."""
    output = _run("condor_q", "-json", "-constraint", condition,
                  "-attributes", ",".join(_ATTRIBUTES))
    try:
        ads = json.loads(output) if output.strip() else []  # no match: no output at all
        found = [_process(ad) for ad in ads]
    except (ValueError, TypeError, KeyError) as e:
        raise CondorError(f"condor_q -json printed what is not understood ({e!r})") from None
    return tuple(sorted(found, key=lambda p: (p.cluster, p.proc)))


def _process(ad: Mapping[str, Any]) -> QueuedProcess:
    return QueuedProcess(
        cluster=ad["ClusterId"], proc=ad["ProcId"], name=ad["GWBrokerProcess"],
        state=STATES.get(ad["JobStatus"], str(ad["JobStatus"])),
        since=max(0, ad["ServerTime"] - ad["EnteredCurrentStatus"]),
        starts=ad.get("NumJobStarts", 0), host=ad.get("RemoteHost"),
        cpus=ad["RequestCpus"], reason=ad.get("HoldReason"),
    )


def affected(verb: str, condition: str) -> str:
    """Return the condition narrowed to the processes that a verb would change."""
    return f"{condition} && {_CHANGES[verb]}"


def act(verb: str, condition: str) -> None:
    """Remove, hold or release (``rm``, ``hold``, ``release``) where a condition holds."""
    _run(f"condor_{verb}", "-constraint", condition)


def wait_until_gone(condition: str, seconds: float) -> bool:
    """Wait until nothing for which a condition holds is in the queue; return whether it is so."""
    deadline = time.monotonic() + seconds
    while queue(condition):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _run(command: str, *arguments: str, stdin: str = "",
         environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            [command, *arguments], input=stdin, env=environment, capture_output=True, text=True,
            errors="replace", timeout=TIMEOUT, check=False)
    except FileNotFoundError:
        raise CondorUnavailable(
            f"HTCondor's command {command} is not on PATH: run this on an access point of the"
            " pool, or install HTCondor there") from None
    except OSError as e:
        raise CondorUnavailable(f"{command} cannot be run: {e.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CondorUnavailable(
            f"{command} did not answer within {TIMEOUT:g} s: is the access point overloaded?"
        ) from None
    if done.returncode == 0:
        return done.stdout
    said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
    said = said.split(" Extra Info:")[0].removeprefix("Error: ").removeprefix("ERROR: ")
    said = said or f"nothing, and exited with {done.returncode}"
    if _UNREACHABLE.search(said):
        raise CondorUnavailable(
            f"{command} cannot reach HTCondor's access point (condor_schedd); it said: {said}")
    raise CondorError(f"{command} failed: {said}")
