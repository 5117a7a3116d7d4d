"""Enclosure: namespaces of our own, in which nothing can outlive the run.

As root, the run moves into new network, mount and process namespaces: its two hosts have
addresses of their own, its small disk is seen by nobody else, and when its first process ends,
however it ends, the kernel removes all of it. Elsewhere both hosts share the machine's network,
and what needs root is left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gwbroker.process import die_with_parent

INSIDE = "_CHAOS_INSIDE"
SERVERS = "10.77.7.1"
"""Where the servers listen; on the loopback of host A, so that a cut cable leaves it to A."""
A, B = "10.77.0.1", "10.77.0.2"
HOSTNAMES = {"a": "host-a", "b": "host-b"}
_TOOLS = ("unshare", "nsenter", "ip", "mount", "hostname")


def possible() -> str | None:
    """Return why namespaces cannot be had here, None if they can."""
    if sys.platform != "linux":
        return "not Linux"
    if os.geteuid() != 0:
        return "not root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)}"
    asked = subprocess.run(["unshare", "--net", "--uts", "--mount", "--pid", "--fork",
                            "--mount-proc", "true"], capture_output=True, text=True)
    return (asked.stderr.strip() or "unshare is refused") if asked.returncode else None


def enter(command: Sequence[str]) -> int:
    """Run a command in namespaces of its own; return its exit code."""
    # A shell is the first process, because that one has to bury every orphan; it must not
    # end before the command does, nor be the command, hence the second statement.
    child = subprocess.Popen(
        ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child",
         "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh", *command],
        env={**os.environ, INSIDE: "1"}, preexec_fn=die_with_parent)
    while True:
        # Ctrl-C reaches the command as well, which then ends in its own time.
        with contextlib.suppress(KeyboardInterrupt):
            return child.wait()


class Enclosure:
    """Two hosts with a cable between them, and a small disk."""

    def __init__(self) -> None:
        self.real = INSIDE in os.environ
        self._holder: subprocess.Popen[bytes] | None = None
        self.address = SERVERS if self.real else "127.0.0.1"
        self._sizes: dict[Path, int] = {}

    def open(self) -> None:
        """Build the hosts and the cable."""
        if not self.real:
            return
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--uts", "sleep", "infinity"], preexec_fn=die_with_parent)
        here = os.readlink("/proc/self/ns/net")
        place = Path(f"/proc/{self._holder.pid}/ns/net")
        while os.readlink(place) == here:
            # unshare takes a millisecond or two.
            if self._holder.poll() is not None:
                raise OSError("no network namespace for host B")
        _do("hostname", HOSTNAMES["a"])
        _do("ip", "link", "set", "lo", "up")
        _do("ip", "address", "add", f"{SERVERS}/32", "dev", "lo")
        _do("ip", "link", "add", "cable-a", "type", "veth", "peer", "name", "cable-b",
            "netns", str(self._holder.pid))
        _do("ip", "address", "add", f"{A}/30", "dev", "cable-a")
        _do("ip", "link", "set", "cable-a", "up")
        self._there("hostname", HOSTNAMES["b"])
        self._there("ip", "link", "set", "lo", "up")
        self._there("ip", "address", "add", f"{B}/30", "dev", "cable-b")
        self.mend()

    def prefix(self, host: str) -> list[str]:
        """Return what a command begins with to run on a host."""
        if host == "b" and self._holder is not None:
            return ["nsenter", "--net", "--uts", "--target", str(self._holder.pid)]
        return []

    def _there(self, *command: str) -> None:
        _do(*self.prefix("b"), *command)

    def cut(self, silently: bool) -> None:
        """Cut the cable: host B is told at once, or silently loses all that it sends."""
        if silently:
            _do("ip", "link", "set", "cable-a", "down")
        else:
            self._there("ip", "link", "set", "cable-b", "down")

    def mend(self) -> None:
        """Mend the cable; harmless if it is whole."""
        _do("ip", "link", "set", "cable-a", "up")
        self._there("ip", "link", "set", "cable-b", "up")
        self._there("ip", "route", "replace", f"{SERVERS}/32", "via", A, "dev", "cable-b")

    def disk(self, place: Path, megabytes: int) -> bool:
        """Mount a small disk; return whether there is one."""
        if not self.real:
            return False
        _do("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "chaos", str(place))
        self._sizes[place] = megabytes
        return True

    def fill(self, place: Path) -> None:
        """Let a small disk have no more room than is taken."""
        found = os.statvfs(place)
        taken = (found.f_blocks - found.f_bfree) * found.f_frsize
        _do("mount", "-o", f"remount,size={taken}", str(place))

    def empty(self, place: Path) -> None:
        """Give a small disk its room back."""
        _do("mount", "-o", f"remount,size={self._sizes[place]}m", str(place))

    def close(self) -> None:
        """Take it down; what is forgotten here goes with the namespaces."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
        for place in self._sizes:
            _do("umount", "--lazy", str(place))


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
