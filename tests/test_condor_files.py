"""The submit descriptions, read with HTCondor's own parser."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gwbroker.condor import description
from gwbroker.condor.description import COLUMNS, PROCESSES, Plan, describe, read_process
from gwbroker.condor.errors import CondorError, DescriptionError
from gwbroker.condor.secrets import exposed

htcondor2 = pytest.importorskip("htcondor2", reason="needs the htcondor package")
classad2 = pytest.importorskip("classad2", reason="needs the htcondor package")

ROOT = Path(__file__).parents[1]
FILES = ROOT / "etc" / "htcondor"

AGO = "time() - {}"  # a moment so many seconds ago, as a ClassAd expression


def plan(**changes):
    """A plan with everything in it."""
    return Plan(**{"executable": Path("/opt/gw/bin/gwbroker"), "home": Path("/srv/gw"),
                   "log_dir": Path("/srv/gw/log"), **changes})


def submit(text):
    """What HTCondor understands of a description."""
    return htcondor2.Submit(text)


def of_process(name, monkeypatch):
    """One file as a person submits it, `cd etc/htcondor; condor_submit NAME.sub`."""
    monkeypatch.chdir(FILES)
    return submit((FILES / f"{name}.sub").read_text())


def evaluate(expression, **job):
    """The value of a policy for a job with these attributes; strings are ClassAd expressions."""
    ad = classad2.ClassAd()
    for key, value in job.items():
        ad[key] = classad2.ExprTree(value) if isinstance(value, str) else value
    ad["Policy"] = classad2.ExprTree(expression)
    return ad.eval("Policy")


@pytest.mark.parametrize("name", PROCESSES)
def test_each_file_alone_is_a_whole_submit_description(name, monkeypatch):
    found = of_process(name, monkeypatch)
    assert found.getQArgs() == ""
    assert found.expand("executable") == "/opt/gwbroker/bin/gwbroker"
    assert found.expand("name") == name
    cpus = found["request_cpus"]
    assert f"OMP_NUM_THREADS={cpus} " in found.expand("environment")
    assert found.expand("My.GWBrokerProcess") == f'"{name}"'
    assert found.expand("log") == "logs/condor.log"
    assert found.expand("universe") == "vanilla"


@pytest.mark.parametrize(("name", "words"), [
    ("general", ["worker"]), ("openmp", ["worker", "-Q", "openmp"]),
    ("events", ["worker", "-Q", "events"]), ("beat", ["beat"]), ("flower", ["flower"]),
])
def test_each_process_runs_the_command_that_the_design_gives_it(name, words, monkeypatch):
    arguments = of_process(name, monkeypatch).expand("arguments").split()
    assert [a for a in arguments if not a.startswith("--hostname=")] == words


@pytest.mark.parametrize("name", ["general", "openmp", "events"])
def test_workers_of_one_kind_have_different_names_in_celery(name, monkeypatch):
    arguments = of_process(name, monkeypatch).expand("arguments")
    assert arguments.endswith(f"--hostname={name}@%h")


def test_every_file_is_either_common_or_a_process():
    assert {f.stem for f in FILES.glob("*.sub")} == {*PROCESSES, "common"}


def test_the_deployment_is_one_queue_statement_over_a_table():
    found = submit(describe(plan(openmp_workers=2, openmp_cpus=16), FILES))
    assert found.getQArgs().startswith(", ".join(COLUMNS) + " from")
    rows = list(found.itemdata())
    assert [row["name"] for row in rows] == [
        "general-1", "openmp-1", "openmp-2", "events", "beat", "flower"]
    assert [row["request_cpus"] for row in rows if row["name"].startswith("openmp")] == ["16", "16"]
    assert all(re.fullmatch(r"\d+[MG]B", row["request_memory"]) for row in rows)
    assert rows[1]["arguments"] == "worker -Q openmp --hostname=$(name)@%h"


def test_a_deployment_has_one_executable_and_so_one_cluster():
    text = describe(plan(general_workers=3), FILES)
    assert len(re.findall(r"^executable\s*=", text, re.MULTILINE)) == 1
    assert len(re.findall(r"^queue\b", text, re.MULTILINE)) == 1
    assert submit(text).expand("executable") == "/opt/gw/bin/gwbroker"


def test_rows_expand_to_names_threads_and_logs_of_their_own():
    found = submit(describe(plan(), FILES))
    for row in found.itemdata():
        for key, value in row.items():  # what condor_submit does for each row
            found[key] = value
        assert found.expand("My.GWBrokerProcess") == f'"{row["name"]}"'
        assert f"OMP_NUM_THREADS={row['request_cpus']} " in found.expand("environment")
        assert found.expand("output").startswith(f"/srv/gw/log/{row['name']}.")
        assert "$(" not in found.expand("arguments")


def test_each_start_writes_a_log_of_its_own():
    found = submit(describe(plan(), FILES))
    assert "$$([NumJobStarts])" in found["output"]
    assert found["output"] == found["error"]


def test_processes_can_be_left_out():
    text = describe(plan(without=("beat", "flower"), openmp_workers=0), FILES)
    assert [row["name"] for row in submit(text).itemdata()] == ["general-1", "events"]


def test_leaving_everything_out_is_refused():
    with pytest.raises(CondorError, match="nothing to submit"):
        describe(plan(without=PROCESSES), FILES)


def test_lines_of_the_site_win_over_ours():
    text = describe(plan(extra=("job_lease_duration = 1200", "accounting_group = a.b")), FILES)
    found = submit(text)
    assert found["job_lease_duration"] == "1200"
    assert found["accounting_group"] == "a.b"


@pytest.mark.parametrize(
    "bad", ["/with space", '/with"quote', "/with$(macro)", "/a\nqueue", "relative"])
def test_a_path_that_would_mean_something_else_is_refused(bad):
    with pytest.raises(CondorError, match="absolute path"):
        describe(plan(home=Path(bad)), FILES)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_process_that_stops_by_itself_is_never_removed(code):
    found = submit(describe(plan(), FILES))
    assert evaluate(found["on_exit_remove"], ExitCode=code, ExitBySignal=False) is False


def test_a_process_that_crashes_soon_is_held_with_the_reason():
    found = submit(describe(plan(), FILES))
    found["name"] = "beat"
    job = {"JobCurrentStartDate": AGO.format(3), "ExitBySignal": False, "ExitCode": 2}
    assert evaluate(found["on_exit_hold"], **job) is True
    reason = evaluate(found.expand("on_exit_hold_reason"), **job)
    assert re.fullmatch(
        r"beat stopped [34] s after its start with exit code 2; it will be started again", reason)
    killed = evaluate(found.expand("on_exit_hold_reason"), JobCurrentStartDate=AGO.format(3),
                      ExitBySignal=True, ExitSignal=9)
    assert "with signal 9;" in killed


def test_a_process_that_ran_long_starts_again_without_a_pause():
    found = submit(describe(plan(), FILES))
    assert evaluate(found["on_exit_hold"], JobCurrentStartDate=AGO.format(601)) is False


@pytest.mark.parametrize(("holds", "pause"), [
    (1, 10), (2, 20), (3, 40), (5, 160), (6, 320), (7, 320), (1000, 320),
])
def test_the_pause_before_the_next_start_grows_and_stays_finite(holds, pause):
    found = submit(describe(plan(), FILES))
    job = {"HoldReasonCode": 3, "HoldReasonSubCode": int(found["on_exit_hold_subcode"]),
           "NumHolds": holds}
    before, after = AGO.format(pause - 2), AGO.format(pause + 2)
    assert evaluate(found["periodic_release"], EnteredCurrentStatus=before, **job) is False
    assert evaluate(found["periodic_release"], EnteredCurrentStatus=after, **job) is True


@pytest.mark.parametrize("code", [6, 7, 14, 21, 34])
def test_a_start_that_failed_for_the_hosts_sake_is_tried_again(code):
    found = submit(describe(plan(), FILES))
    assert evaluate(found["periodic_release"], HoldReasonCode=code, HoldReasonSubCode=0,
                    NumHolds=1, EnteredCurrentStatus=AGO.format(60)) is True


@pytest.mark.parametrize(("code", "subcode"), [(1, 0), (26, 0), (3, 0), (15, 0)])
def test_a_hold_by_a_person_or_another_policy_stays(code, subcode):
    found = submit(describe(plan(), FILES))
    assert evaluate(found["periodic_release"], HoldReasonCode=code, HoldReasonSubCode=subcode,
                    NumHolds=1, EnteredCurrentStatus=AGO.format(9999)) is False


def test_processes_are_asked_to_stop_before_they_are_killed():
    found = submit(describe(plan(), FILES))
    assert found["kill_sig"] == "SIGTERM"
    assert found["want_graceful_removal"] == "true"
    assert int(found["job_max_vacate_time"]) >= 10


def test_no_secret_is_taken_from_the_environment():
    patterns = [p.strip() for p in submit(describe(plan(), FILES))["getenv"].split(",")]
    assert "GWBROKER_*" in patterns
    assert {"!*SECRET", "!*PASSWORD"} <= set(patterns)
    assert "*" not in patterns
    assert "true" not in [p.lower() for p in patterns]


@pytest.mark.parametrize(("name", "value", "found"), [
    ("GWBROKER_KAFKA__GCN__CLIENT_SECRET", "x", True),
    ("GWBROKER_KAFKA__S__PASSWORD", "x", True),
    ("GWBROKER_kafka__s__password", "x", True),
    ("GWBROKER_KAFKA__GCN__CLIENT_SECRET_FILE", "/run/secret", False),
    ("GWBROKER_KAFKA", '{"gcn": {"client_secret": "x"}}', True),
    ("GWBROKER_KAFKA", '{"gcn": {"preset": "gcn"}}', False),
    ("GWBROKER_BROKER_URL", "redis://:hunter2@redis.example:6379/0", True),
    ("GWBROKER_BROKER_URL", "redis://redis.example:6379/0", False),
    ("GWBROKER_DATABASE_URL", "postgresql://astro:hunter2@db/gw", True),
    ("GWBROKER_HOME", "/srv/gw", False),
    ("OTHER_SECRET", "x", False),
])
def test_secrets_are_seen_wherever_a_setting_can_carry_one(name, value, found):
    assert exposed({name: value}) == ((name,) if found else ())


@pytest.mark.parametrize(("line", "key"), [
    ("requirements = true", "requirements"), ("request_cpus = many", "request_cpus"),
    ("request_cpus = 0", "request_cpus"), ("request_memory = lots", "request_memory"),
    ("name = a b", "name"), ("nonsense", "nonsense"), ("arguments =", "arguments"),
])
def test_a_bad_line_is_named_with_its_file_and_key(line, key, tmp_path):
    file = tmp_path / "beat.sub"
    file.write_text((FILES / "beat.sub").read_text().replace("\nqueue", f"\n{line}\nqueue"))
    with pytest.raises(DescriptionError, match=re.escape(f"{file}: {key}: ")):
        read_process(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DescriptionError, match="cannot be read"):
        read_process(tmp_path / "beat.sub")


def test_the_wheel_carries_the_files_to_where_they_are_looked_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried["etc/htcondor"] == "gwbroker/_etc/htcondor"


def test_an_installed_package_finds_the_files_it_carries(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "gwbroker"
    carried = package / "_etc" / "htcondor"
    carried.mkdir(parents=True)
    (carried / "common.sub").touch()
    monkeypatch.setattr(description, "files", lambda name: package)
    assert description.folder() == carried


def test_the_checkout_uses_its_own_files():
    assert description.folder() == FILES


def test_the_readme_speaks_of_every_file():
    text = (FILES / "README.rst").read_text()
    for file in FILES.glob("*.sub"):
        assert f"``{file.name}``" in text
