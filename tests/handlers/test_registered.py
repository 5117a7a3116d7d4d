"""The built-in handlers are registered, ask for the right topics, and agree with the docs."""

import re
from pathlib import Path

import pytest

from gwbroker import dispatch
from gwbroker.handlers.containment import TABLE
from gwbroker.streams.registry import registrations

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def builtin():
    dispatch.load()
    return {name.removeprefix("gwbroker.handlers."): found for name, found in registrations.items()
            if name.startswith("gwbroker.handlers.")}


def test_what_makes_events_is_served_one_at_a_time(builtin):
    general = {name for name, found in builtin.items() if found.queue == "general"}
    assert general == {"archives.on_archive", "circulars.on_circular", "heartbeat.on_heartbeat",
                       "other_voevents.ask_for_topics"}
    assert {found.queue for found in builtin.values()} == {"general", "events"}


def test_a_worker_killed_in_the_middle_of_a_heartbeat_leaves_no_dead_job(builtin):
    assert builtin["heartbeat.on_heartbeat"].retries > 0


@pytest.mark.parametrize("topic", [
    "igwn.gwalert", "gcn.circulars", "gcn.heartbeat", "gcn.classic.voevent.FERMI_GBM_FIN_POS",
    "gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK", "gcn.classic.voevent.LVC_INITIAL",
    "gcn.classic.voevent.ICECUBE_ASTROTRACK_GOLD", "gcn.classic.voevent.SK_SN",
    "gcn.classic.voevent.MAXI_UNKNOWN", "gcn.classic.voevent.MOA",
    "gcn.notices.einstein_probe.wxt.alert", "gcn.notices.svom.voevent.eclairs",
    "gcn.notices.icecube.gold_bronze_track_alerts", "gcn.notices.km3net.voevent",
    "gcn.notices.superk.sn_alert", "gcn.notices.chime.frb", "gcn.notices.dsa110.frb",
    "gcn.notices.swift.bat.guano", "gcn.notices.maxi.gsc.known"])
def test_the_streams_of_the_missions_are_asked_for(builtin, topic):
    assert topic in {topic for found in builtin.values() for topic in found.topics}


@pytest.mark.parametrize(("ivorn", "number", "name"), [
    ("ivo://org.svom/fsc#sb1_grm-trigger", 204, "other_voevents.on_any"),
    ("ivo://nasa.gsfc.gcn/Fermi#x", 111, "gamma_ray_bursts.on_classic"),
    ("ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD", 173, "neutrinos.on_classic"),
    ("ivo://gwnet/LVC#S1", 150, "gravitational_waves.on_classic"),
    ("ivo://nasa.gsfc.gcn/MOA#x", 139, "other_voevents.on_moa"),
    ("ivo://example.org/x#1", "none", "other_voevents.on_any"),
    ("ivo://nasa.gsfc.gcn/SWIFT#pointdir", 83, None),
    ("ivo://nasa.gsfc.gcn/vo#alive", 3, None),
])
def test_a_packet_over_tcp_finds_the_one_handler_that_reads_it(packet, ivorn, number, name):
    chosen = dispatch.choose(packet(ivorn, {"Packet_Type": number}))
    names = [c.registration.name for c in chosen if c.registration.name.startswith("gwbroker.")]
    assert names == ([f"gwbroker.handlers.{name}"] if name else [])


def test_svom_on_its_topic_is_recorded_once(packet):
    notice = packet("ivo://org.svom/fsc#sb1_mxt", {"Packet_Type": 209},
                    topic="gcn.notices.svom.voevent.mxt")
    names = [c.registration.name for c in dispatch.choose(notice)]
    assert names == ["gwbroker.handlers.other_voevents.on_any"]


def test_the_page_on_containment_says_what_the_table_says():
    page = (ROOT / "docs/reference/containment.rst").read_text()
    rows = re.findall(r"   \* - (.*)\n     - (.*)\n     - (.*)\n     - (.*)\n     - (.*)\n", page)
    assert rows[0] == ("mission", "instrument", "probability", "errors", "source")
    assert rows[1:] == [
        (row.mission, row.instrument, f"{100 * row.probability:g} %", row.errors, row.source)
        for row in TABLE.values()]


def test_every_row_is_a_probability_with_a_source():
    assert all(0 < row.probability < 1 and len(row.source) > 10 for row in TABLE.values())
