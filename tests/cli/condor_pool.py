"""An HTCondor that behaves as recorded: small executables on a PATH of the test's own.

They replay what HTCondor's commands printed on a real pool (``condor_recordings.json``) and
note how they were called. For a real pool, put its commands on PATH instead: the commands of
gwbroker cannot tell the difference.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from pathlib import Path

from click.testing import CliRunner

from gwbroker.cli import gwbroker

RECORDINGS = json.loads((Path(__file__).parent / "condor_recordings.json").read_text())

# Replays the files 1, 2, ... of its own folder in turn, the last one for ever.
PLAYER = """#!/bin/sh
here={folder}
printf '%s\\n' "$@" > "$here/$$.new"
env > "$here/$$.env"
[ "$1" = -terse ] && cat > "$here/$$.stdin"
n=1
while [ -e "$here/call.$n" ]; do n=$((n + 1)); done
for kind in env stdin; do [ -e "$here/$$.$kind" ] && mv "$here/$$.$kind" "$here/$kind.$n"; done
mv "$here/$$.new" "$here/call.$n"
while [ ! -e "$here/$n.rc" ]; do n=$((n - 1)); done
cat "$here/$n.out"
cat "$here/$n.err" >&2
exit "$(cat "$here/$n.rc")"
"""


class Pool:
    """The commands of an HTCondor that behaves as recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)

    def plays(self, *names: str) -> None:
        """Let each command give these recordings, in this order."""
        for name in names:
            recording = RECORDINGS[name]
            self.answers(recording["command"], recording["rc"], recording["stdout"],
                         recording["stderr"])

    def answers(self, command: str, rc: int, stdout: str, stderr: str) -> None:
        """Let a command give one more answer."""
        here = self.folder / command
        if not here.exists():
            here.mkdir()
            self.script(command, PLAYER.format(folder=shlex.quote(str(here))))
        number = len(list(here.glob("*.rc"))) + 1
        (here / f"{number}.rc").write_text(str(rc))
        (here / f"{number}.out").write_text(stdout)
        (here / f"{number}.err").write_text(stderr)

    def script(self, command: str, text: str) -> None:
        """Install a command."""
        file = self.bin / command
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def calls(self, command: str) -> list[list[str]]:
        """The arguments of each call of a command."""
        here = self.folder / command
        return [(here / f"call.{n}").read_text().splitlines()
                for n in range(1, len(list(here.glob("call.*"))) + 1)]

    def stdin(self, command: str) -> str:
        """What the first call of a command read."""
        return (self.folder / command / "stdin.1").read_text()

    def environment(self, command: str) -> dict[str, str]:
        """The environment of the first call of a command."""
        lines = (self.folder / command / "env.1").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


def install(environment, folder: Path) -> Pool:
    """Put a pool without any answers on PATH, and make settings that suit one."""
    pool = Pool(folder)
    environment.setenv("PATH", f"{pool.bin}{os.pathsep}/usr/bin{os.pathsep}/bin")
    environment.setenv("GWBROKER_BROKER_URL", "redis://redis.example:6379/0")
    environment.setenv("GWBROKER_DATABASE_URL", "postgresql://db.example/gwbroker")
    return pool


def run(*args: str):
    """Run ``gwbroker condor``, in this process."""
    return CliRunner().invoke(gwbroker, ["condor", *args])


def submit(*args: str):
    """Run ``gwbroker condor submit`` for a program that is there."""
    return run("submit", "--executable", sys.executable, *args)


def constraints(pool: Pool, command: str) -> list[str]:
    """What each call of a command was about."""
    return [call[call.index("-constraint") + 1] for call in pool.calls(command)]
