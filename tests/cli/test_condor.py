"""``gwbroker condor q|rm|hold|release`` against what HTCondor's commands were recorded to do."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gwbroker.condor import pool as commands

from .condor_pool import constraints, install, run, submit


@pytest.fixture
def pool(environment, home, tmp_path):
    """A pool on PATH, and settings that suit one."""
    return install(environment, tmp_path / "pool")


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
