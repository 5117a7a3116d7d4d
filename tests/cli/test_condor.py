"""``gwbroker condor`` against what HTCondor's commands were recorded to do.

The commands are small executables on a PATH of the test's own that replay recordings
(``condor_recordings.json``) and note how they were called. For a real pool, give another
``pool`` fixture: nothing below it knows that there is none.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gwbroker.cli import gwbroker
from gwbroker.condor import pool as commands

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


@pytest.fixture
def pool(environment, home, tmp_path):
    """A pool on PATH, and settings that suit one."""
    pool = Pool(tmp_path / "pool")
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


def test_submit_sends_one_description_and_remembers_the_cluster(pool, home):
    pool.plays("q_nothing", "submit")
    done = submit("--openmp-workers", "2", "--openmp-cpus", "8")
    assert done.exit_code == 0, done.output
    assert "Submitted 6 processes as cluster 10" in done.output
    assert pool.calls("condor_submit") == [["-terse", "-single-cluster", "-"]]
    text = pool.stdin("condor_submit")
    assert f"gwbroker = {sys.executable}\n" in text
    assert f"home = {home}\n" in text
    assert "  openmp-2, 8, " in text
    record = json.loads((home / "condor.json").read_text())
    assert record["cluster"] == 10
    assert Path(record["log_dir"]).is_dir()


def test_what_is_submitted_is_what_dry_run_prints(pool):
    pool.plays("q_nothing", "submit")
    printed = submit("--dry-run", "--log-dir", "logs")
    assert printed.exit_code == 0, printed.output
    assert pool.calls("condor_q") == pool.calls("condor_submit") == []
    assert not Path("logs").exists()
    assert submit("--log-dir", "logs").exit_code == 0
    assert pool.stdin("condor_submit") == printed.stdout
    assert f"log_dir = {Path('logs').absolute()}\n" in printed.stdout


def test_dry_run_needs_no_htcondor(pool):
    assert submit("--dry-run").exit_code == 0


def test_the_settings_in_force_travel_under_absolute_paths(pool, home, environment):
    Path("gwbroker.toml").write_text('handlers = ["somewhere"]\n')
    environment.setenv("GWBROKER_HOME", os.path.relpath(home))
    pool.plays("q_nothing", "submit")
    assert submit().exit_code == 0
    travelled = pool.environment("condor_submit")
    assert travelled["GWBROKER_CONFIG"] == str(Path("gwbroker.toml").absolute())
    assert Path(travelled["GWBROKER_HOME"]).is_absolute()
    assert travelled["GWBROKER_BROKER_URL"] == "redis://redis.example:6379/0"


def test_a_second_submit_is_refused_while_one_is_in_the_queue(pool):
    pool.plays("q_running", "submit")
    refused = submit()
    assert refused.exit_code == 1
    assert "cluster 10 of this home is in the queue already (5 processes)" in refused.output
    assert pool.calls("condor_submit") == []
    assert submit("--force").exit_code == 0
    assert len(pool.calls("condor_submit")) == 1


def test_a_deployment_that_is_still_stopping_counts_as_running(pool):
    pool.plays("q_stopping", "submit")
    assert submit().exit_code == 1
    assert pool.calls("condor_submit") == []


def test_a_lost_record_does_not_hide_a_running_deployment(pool, home):
    pool.plays("q_nothing", "submit", "q_running")
    assert submit().exit_code == 0
    (home / "condor.json").unlink()
    assert submit().exit_code == 1


def test_a_description_that_htcondor_refuses_is_reported_in_its_words(pool, home):
    pool.plays("q_nothing", "submit_refused")
    refused = submit("--append", "requirements = (")
    assert refused.exit_code == 1
    assert "condor_submit failed: Parse error in expression: Requirements = (()" in refused.output
    assert not (home / "condor.json").exists()


@pytest.mark.parametrize("line", ["queue 5", "nonsense", "a = 1\nqueue"])
def test_a_line_to_append_must_be_one_command(pool, line):
    refused = submit("--append", line)
    assert refused.exit_code == 2
    assert "key = value" in refused.output


def test_a_secret_in_the_environment_stops_the_submit(pool, environment):
    environment.setenv(
        "GWBROKER_KAFKA",
        '{"gcn": {"preset": "gcn", "client_id": "i", "client_secret": "hunter2"}}')
    refused = submit()
    assert refused.exit_code == 2
    assert "GWBROKER_KAFKA: a job's environment can be read by everybody" in refused.output
    assert "hunter2" not in refused.output


def test_a_broker_must_be_configured(pool, environment):
    environment.delenv("GWBROKER_BROKER_URL")
    refused = submit()
    assert refused.exit_code == 2
    assert "broker_url: is not set" in refused.output


def test_a_ledger_that_serves_one_host_only_is_warned_of(pool, environment):
    environment.delenv("GWBROKER_DATABASE_URL")
    warned = submit("--dry-run")
    assert warned.exit_code == 0
    assert "SQLite, which serves one host only" in warned.stderr


def test_a_log_folder_that_cannot_be_made_stops_the_submit(pool):
    pool.plays("q_nothing", "submit")
    Path("file").touch()
    refused = submit("--log-dir", "file/logs")
    assert refused.exit_code == 1
    assert "cannot be made" in refused.output
    assert pool.calls("condor_submit") == []


def test_a_sites_own_folder_of_descriptions_is_used(pool, tmp_path):
    from gwbroker.condor import description

    own = tmp_path / "own"
    own.mkdir()
    for file in description.folder().glob("*.sub"):
        (own / file.name).write_text(file.read_text().replace("512MB", "768MB"))
    assert "beat, 1, 768MB, beat" in submit("--dry-run", "--files", str(own)).output


def test_q_shows_each_process_and_exits_0_when_all_run(pool):
    pool.plays("q_running")
    done = run("q")
    assert done.exit_code == 0, done.output
    for name in ("general-1", "openmp-1", "events", "beat", "flower"):
        assert name in done.output


def test_q_writes_json(pool):
    pool.plays("q_crashed")
    done = run("q", "--json")
    found = {p["name"]: p for p in json.loads(done.stdout)}
    assert found["openmp-1"]["state"] == "held"
    assert found["openmp-1"]["reason"] == (
        "openmp-1 stopped 14 s after its start with signal 9; it will be started again")
    assert found["general-1"]["state"] == "running"
    assert found["general-1"]["host"] == "slot1_5@vm"
    assert done.exit_code == 1


@pytest.mark.parametrize(("recording", "word"), [
    ("q_idle", "idle"), ("q_held", "via condor_hold"), ("q_crashed", "with signal 9"),
    ("q_stopping", "stopping"), ("q_cannot_start", "Failed to execute"),
])
def test_q_exits_1_and_says_why_when_a_process_does_not_run(pool, recording, word):
    pool.plays(recording)
    done = run("q")
    assert done.exit_code == 1
    assert word in done.output


def test_q_exits_3_when_nothing_was_ever_submitted(pool):
    pool.plays("q_nothing")
    done = run("q")
    assert done.exit_code == 3
    assert "nothing was submitted from it" in done.output


def test_q_exits_3_and_recalls_the_last_cluster_when_it_has_left_the_queue(pool):
    pool.plays("q_nothing", "submit")
    assert submit().exit_code == 0
    done = run("q")
    assert done.exit_code == 3
    assert "the last was cluster 10, submitted on " in done.output


def test_q_as_json_of_nothing_is_an_empty_array(pool):
    pool.plays("q_nothing")
    done = run("q", "--json")
    assert (json.loads(done.stdout), done.exit_code) == ([], 3)


def test_only_processes_of_this_home_are_ever_touched(pool, home):
    pool.plays("q_running", "rm")
    assert run("rm").exit_code == 0
    assert run("rm", "--cluster", "10").exit_code == 0
    ours = f'GWBrokerHome == "{home}" && JobStatus != 3'
    assert constraints(pool, "condor_rm") == [ours, f"ClusterId == 10 && {ours}"]


@pytest.mark.parametrize(("verb", "before", "said"), [
    ("rm", "q_running", "Removed 5 processes of cluster 10."),
    ("hold", "q_running", "Held 5 processes of cluster 10."),
    ("release", "q_held", "Released 5 processes of cluster 10."),
])
def test_each_verb_calls_its_command_and_says_what_it_did(pool, verb, before, said):
    pool.plays(before, verb)
    done = run(verb)
    assert (done.exit_code, done.output.strip()) == (0, said)
    assert len(pool.calls(f"condor_{verb}")) == 1


def test_hold_also_takes_those_that_htcondor_would_release_by_itself(pool):
    pool.plays("q_crashed", "hold")
    assert run("hold").exit_code == 0
    assert "!(JobStatus == 5 && HoldReasonCode == 1)" in constraints(pool, "condor_hold")[0]


@pytest.mark.parametrize(("verb", "state", "said"), [
    ("release", "q_running", "nothing to release: cluster 10 is running"),
    ("hold", "q_held", "nothing to hold: cluster 10 is held"),
    ("rm", "q_stopping", "nothing to remove: cluster 12 is stopping"),
])
def test_a_verb_with_nothing_to_do_says_so_and_exits_1(pool, verb, state, said):
    pool.plays("q_nothing", state)
    done = run(verb)
    assert done.exit_code == 1
    assert said in done.output
    assert not (pool.folder / f"condor_{verb}").exists()


@pytest.mark.parametrize("verb", ["rm", "hold", "release"])
def test_a_verb_without_a_deployment_exits_3(pool, verb):
    pool.plays("q_nothing")
    assert run(verb).exit_code == 3


def test_rm_can_wait_until_all_have_stopped(pool, monkeypatch):
    monkeypatch.setattr(commands, "POLL", 0.0)
    pool.plays("q_running", "rm", "q_stopping", "q_stopping", "q_nothing")
    assert run("rm", "--wait").exit_code == 0
    assert len(pool.calls("condor_q")) == 4


def test_rm_waits_also_for_those_that_are_stopping_already(pool, monkeypatch):
    monkeypatch.setattr(commands, "POLL", 0.0)
    pool.plays("q_nothing", "q_stopping", "q_stopping", "q_nothing")
    assert run("rm", "--wait").exit_code == 0


@pytest.mark.parametrize("verb", ["submit", "q", "rm", "hold", "release"])
def test_an_access_point_that_does_not_answer_exits_4(pool, verb):
    pool.plays("q_unreachable")
    done = submit() if verb == "submit" else run(verb)
    assert done.exit_code == 4
    assert "cannot reach HTCondor's access point" in done.output
    assert "Can't find address for schedd vm" in done.output
    assert "Extra Info" not in done.output


@pytest.mark.parametrize("verb", ["submit", "rm"])
def test_an_access_point_that_goes_away_meanwhile_exits_4(pool, verb):
    pool.plays("q_nothing" if verb == "submit" else "q_running", f"{verb}_unreachable")
    done = submit() if verb == "submit" else run(verb)
    assert done.exit_code == 4
    assert f"condor_{verb} cannot reach" in done.output


@pytest.mark.parametrize("verb", ["submit", "q", "rm", "hold", "release"])
def test_a_host_without_htcondor_exits_4_with_the_remedy(pool, verb):
    done = submit() if verb == "submit" else run(verb)
    assert done.exit_code == 4
    assert "HTCondor's command condor_q is not on PATH" in done.output


def test_a_command_that_hangs_is_given_up(pool, monkeypatch):
    monkeypatch.setattr(commands, "TIMEOUT", 0.3)
    pool.script("condor_q", "#!/bin/sh\nexec sleep 60\n")
    done = run("q")
    assert done.exit_code == 4
    assert "did not answer within 0.3 s" in done.output


def test_a_command_that_may_not_be_run_is_named(pool):
    pool.plays("q_running")
    (pool.bin / "condor_q").chmod(0o600)
    done = run("q")
    assert done.exit_code == 4
    assert "condor_q" in done.output


@pytest.mark.parametrize("text", ["not json", "[{}]", "[1]", '{"ClusterId": 1}'])
def test_output_that_is_not_understood_is_an_error_and_no_traceback(pool, text):
    pool.answers("condor_q", 0, text, "")
    done = run("q")
    assert done.exit_code == 1
    assert "condor_q -json printed what is not understood" in done.output


def test_a_submit_that_names_no_cluster_is_an_error(pool):
    pool.plays("q_nothing")
    pool.answers("condor_submit", 0, "Submitting job(s).\n", "")
    done = submit()
    assert done.exit_code == 1
    assert "did not say which cluster" in done.output


@pytest.mark.parametrize("text", ["", "[]", '{"cluster": "ten", "log_dir": "/"}', '{"x": 1}'])
def test_a_broken_record_is_named_with_the_remedy(pool, home, text):
    pool.plays("q_nothing")
    home.mkdir(exist_ok=True)
    (home / "condor.json").write_text(text)
    done = run("q")
    assert done.exit_code == 1
    assert f"{home / 'condor.json'} is not a record of a submission" in done.output


@pytest.mark.parametrize("args", [[], ["submit"], ["q"], ["rm"], ["hold"], ["release"]])
def test_help_is_there_with_the_exit_codes(args):
    done = run(*args, "--help")
    assert done.exit_code == 0
    assert "Exit codes:" in done.output


def test_the_command_works_as_a_program_of_its_own(pool):
    pool.plays("q_held")
    done = subprocess.run([sys.executable, "-m", "gwbroker", "condor", "q", "--json"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert {p["state"] for p in json.loads(done.stdout)} == {"held"}
