"""No message breaks a parser: the saved ones, and a few thousand new ones of a fixed seed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwbroker import dispatch
from tests.fuzz.case import Case
from tests.fuzz.runner import Count, Watched, inputs, saved
from tests.fuzz.targets import TARGETS, Target, readers

NUMBER = {"voevent": 600, "notice": 800, "vtp": 1500, "avro": 1000, "headers": 300, "fits": 150,
          "gwalert": 100}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", list(TARGETS))
def test_no_input_crashes_hangs_or_fills_the_memory(name: str, environment, tmp_path: Path):
    dispatch.load()
    target, count = TARGETS[name], Count()
    watched = Watched(target, count, tmp_path)
    old = [*target.seeds(), *saved(target)]
    watched.run(iter(old), len(old))
    watched.run(inputs(target, Random(f"3 {name}")), NUMBER[name])
    assert count.found == []
    assert count.inputs == len(old) + NUMBER[name]


def test_every_reader_of_the_handlers_is_among_the_targets():
    names = {read.__name__ for read in readers()}
    assert {"read_gwalert", "read_classic", "read_any", "read_heartbeat", "names_in"} <= names
    assert len(readers()) >= 20


def _bad(data: bytes) -> None:
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGKILL)
    elif data == b"wrong":
        raise ZeroDivisionError
    elif data == b"hang":
        while True:
            pass
    elif data == b"slow":
        until = time.process_time() + 0.25
        while time.process_time() < until:
            pass
    elif data == b"memory":
        bytearray(150 * 2**20)


def test_the_harness_notices_each_kind_of_failure_and_goes_on(tmp_path: Path):
    kinds = (b"fine", b"crash", b"wrong", b"hang", b"slow", b"memory", b"fine")
    target = Target("bad", _bad, lambda: list(kinds), lambda data, random: data, 1)
    count = Count()
    Watched(target, count, tmp_path, seconds=0.2).run(iter(kinds), len(kinds))
    assert (count.inputs, count.crashes, count.hangs, count.memory) == (7, 2, 2, 1)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == set(kinds) - {b"fine"}
    assert count.line(5) == "fuzz: 7 inputs, 2 crashes, 2 hangs, 1 over memory, seed 5"


def test_the_command_says_what_it_came_to_in_its_last_line():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.fuzz", "--inputs", "60", "--seed", "7",
         "--target", "vtp"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100, check=False)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("fuzz: ")
    assert last.endswith(" inputs, 0 crashes, 0 hangs, 0 over memory, seed 7")
    assert done.returncode == 0


@pytest.fixture(scope="module")
def table() -> Iterator[None]:
    """The table of the built-in handlers."""
    dispatch.load()
    return


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["id", "ra", "dec", "ra_dec_error", "event", "far", "skymap", "object"])
        | st.text(max_size=8), inner, max_size=6), max_leaves=15)


@settings(max_examples=60, deadline=None)
@given(value=VALUES, topic=st.sampled_from([
    "igwn.gwalert", "gcn.circulars", "gcn.heartbeat", "gcn.notices.icecube.lvk_nu_track_search",
    "gcn.notices.svom", "gcn.notices.fermi.lat.flare", "gracedb.cbc_gstlal", "any.topic"]))
def test_any_json_on_any_topic_is_read_or_refused(table, value, topic):
    import json

    text = json.dumps(value)
    TARGETS["notice"].run(Case(topic, text.encode()).pack())


@settings(max_examples=60, deadline=None)
@given(payload=st.binary(max_size=200), headers=st.lists(st.tuples(
    st.sampled_from(["_format", "_id", "_test", ""]) | st.text(max_size=5),
    st.sampled_from([b"voevent", b"avro", b"json"]) | st.binary(max_size=20)), max_size=4))
def test_any_bytes_under_any_headers_are_read_or_refused(table, payload, headers):
    TARGETS["headers"].run(Case("hop.topic", payload, tuple(headers)).pack())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_over_the_wire_are_read_or_refused(data):
    TARGETS["vtp"].run(data)
