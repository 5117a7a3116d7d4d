"""The supervisor keeps processes running, says why they ended, and leaves none behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gwbroker.errors import SupervisorError
from gwbroker.supervisor import Supervisor

from .servers import PATIENCE, of_session, poll

FOR_EVER = "import time\nprint('ready', flush=True)\ntime.sleep(1000)"
STUBBORN = ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOR_EVER)


class Watched(Supervisor):
    """A supervisor that remembers its log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        super().__init__(self.lines.append)

    def python(self, name: str, code: str, *, stop_last: bool = False) -> int:
        """Keep Python code running; return its pid."""
        process = self.add(name, [sys.executable, "-c", code], stop_last=stop_last)
        assert process.child is not None
        return process.child.pid

    def pid(self, name: str) -> int:
        """Return the pid of a process now."""
        child = next(p.child for p in self.processes if p.name == name)
        assert child is not None
        return child.pid

    def wait(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Watch until a condition holds, for so many seconds times `PATIENCE`."""
        end = time.monotonic() + PATIENCE * seconds
        self.watch(lambda: condition() or time.monotonic() > end)
        assert condition(), self.lines

    def wait_line(self, text: str, times: int = 1) -> None:
        """Watch until a text was logged so often."""
        self.wait(lambda: sum(text in line for line in self.lines) >= times)


@pytest.fixture
def supervisor() -> Iterator[Watched]:
    """A supervisor, stopped at the end."""
    made = Watched()
    yield made
    made.stop(patience=2)


def test_each_line_has_the_name_of_its_process(supervisor: Watched):
    supervisor.python("one", "import sys\nprint('out')\nprint('err', file=sys.stderr)\n" + FOR_EVER)
    supervisor.python("another", FOR_EVER)
    supervisor.wait_line("ready", 2)
    assert {"one     │ out", "one     │ err", "another │ ready"} <= {
        line if line.startswith("another") else line.replace("one │", "one     │")
        for line in supervisor.lines}


def test_a_killed_process_is_started_again_at_once(supervisor: Watched):
    before = supervisor.python("one", FOR_EVER)
    supervisor.wait_line("ready")
    supervisor.kill("one")
    supervisor.wait(lambda: supervisor.pid("one") != before)
    supervisor.wait_line("ready", 2)
    # And not "in 2 s".
    assert any(line.endswith("ended with SIGKILL; starting it again") for line in supervisor.lines)


def test_a_process_that_fails_at_once_comes_back_with_growing_pauses(supervisor: Watched):
    supervisor.python(
        "one", "import time\nprint('at', time.time(), flush=True)\nraise SystemExit(1)")
    supervisor.wait_line("│ at", 4)
    times = [float(line.split()[-1]) for line in supervisor.lines if "│ at" in line]
    assert re.findall(r"again in (\d+) s", "\n".join(supervisor.lines))[:2] == ["2", "4"]
    # How much longer it takes depends on the machine too.
    assert times[2] - times[1] > 1.9
    assert times[3] - times[2] > 3.9
    assert any("exit code 1" in line for line in supervisor.lines)


def test_a_wrong_setting_stops_everything_with_the_reason(supervisor: Watched):
    supervisor.python("one", "print('hom: is not a setting')\nraise SystemExit(2)")
    with pytest.raises(SupervisorError, match="one cannot start"):
        supervisor.wait(lambda: False)


def test_stopping_is_polite_first_and_servers_go_last(supervisor: Watched):
    code = ("import signal, sys, time\n"
            "def end(*_):\n    print('ends', time.time(), flush=True)\n    sys.exit()\n"
            "signal.signal(signal.SIGTERM, end)\n" + FOR_EVER)
    supervisor.python("server", code, stop_last=True)
    supervisor.python("client", code)
    supervisor.wait_line("ready", 2)
    supervisor.stop()
    ends = {line.split()[0]: float(line.split()[-1]) for line in supervisor.lines
            if "ends" in line}
    assert ends["client"] < ends["server"]


def test_who_does_not_stop_is_killed(supervisor: Watched):
    pid = supervisor.python("one", STUBBORN)
    supervisor.wait_line("ready")
    supervisor.stop(patience=0.5)
    assert not of_session(pid)
    assert any("so it is killed" in line for line in supervisor.lines)


def test_a_stopped_supervisor_starts_nothing_again(supervisor: Watched):
    before = supervisor.python("one", FOR_EVER)
    supervisor.wait_line("ready")
    supervisor.stop()
    supervisor.check()
    assert supervisor.pid("one") == before
    assert not of_session(before)


def test_an_unknown_process_cannot_be_killed(supervisor: Watched):
    with pytest.raises(SupervisorError, match="no process 'two'"):
        supervisor.kill("two")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_when_the_supervisor_is_killed_its_processes_end_too():
    code = (
        "import sys, time\n"
        "from gwbroker.supervisor import Supervisor\n"
        "s = Supervisor(lambda line: print(line, flush=True))\n"
        "p = s.add('one', [sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print(p.child.pid, flush=True)\n"
        "s.watch(lambda: False)\n")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                          cwd=Path(__file__).parents[1]) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert of_session(pid)
        parent.kill()
    poll(lambda: not of_session(pid), 10, "the child has ended")


@pytest.mark.slow
def test_up_runs_everything_and_ends_cleanly_at_ctrl_c(home: Path, environment):
    environment.setenv("GWBROKER_FLOWER_PORT", "0")
    with (home / "log").open("w") as log:
        up = subprocess.Popen([sys.executable, "-m", "gwbroker", "up"], stdout=log,
                              stderr=subprocess.STDOUT, env=dict(os.environ))
    try:
        text = lambda: (home / "log").read_text()  # noqa: E731
        poll(lambda: "gwbroker is up" in text() and text().count(" ready.") >= 3, 120,
             "three workers are ready")
        second = subprocess.run([sys.executable, "-m", "gwbroker", "up"], capture_output=True,
                                text=True, timeout=120, check=False)
        assert second.returncode == 1
        assert "another `gwbroker up` runs with this home" in second.stderr
        mine = [int(p) for p in Path(f"/proc/{up.pid}/task/{up.pid}/children").read_text().split()]
        assert len(mine) == 5
        up.send_signal(signal.SIGINT)
        assert up.wait(60) == 0
        assert "so it is killed" not in text()
        assert text().rstrip().endswith("Stopped.")
        assert "Traceback" not in text()
        assert [pid for leader in mine for pid in of_session(leader)] == []
    finally:
        up.kill()
        up.wait()
