"""What messages are called, and what they are about."""

import json
import timeit

import pytest

from gwbroker.notice import Notice
from gwbroker.streams.subject import LONGEST, Identity, clean, identify


def _notice(topic, value):
    return Notice(json.dumps(value).encode(), topic=topic)


def _packet(ivorn, **params):
    inner = "".join(f'<Param name="{k}" value="{v}"/>' for k, v in params.items())
    return Notice(f'<VOEvent ivorn="{ivorn}"><What>{inner}</What></VOEvent>'.encode(),
                  topic="voevent")


@pytest.mark.parametrize(("topic", "value", "identifier", "subject"), [
    ("igwn.gwalert", {"superevent_id": "S190814bv"}, "igwn:S190814bv", "gw:S190814bv"),
    ("igwn.gwalert", {"superevent_id": 5.5}, None, None),
    ("gcn.circulars", {"circularId": 33603}, "circular:33603", None),
    ("gcn.circulars.grb", {"circularId": 33603}, "circular:33603", None),
    ("gcn.heartbeat", {"alert_datetime": "2024-01-01", "id": "5"}, None, None),
    ("my.private.topic", {"id": "5"}, None, None),
    ("gcn.notices.fermi.gbm", {"id": ["bn1", "524666471"]}, "gcn.notices.fermi.gbm:bn1",
     "fermi:524666471"),
    ("gcn.notices.einstein_probe.wxt.alert", {"id": ["01708973486"]},
     "gcn.notices.einstein_probe.wxt.alert:01708973486", "ep:01708973486"),
    ("gcn.notices.icecube.gold_bronze_track_alerts", {"id": "136973_028816141"},
     "gcn.notices.icecube.gold_bronze_track_alerts:136973_028816141", "icecube:136973_28816141"),
    ("gcn.notices.maxi.gsc.known", {"id": 9995289617}, "gcn.notices.maxi.gsc.known:9995289617",
     "maxi:9995289617"),
    ("gcn.notices.newcomer.alert", {"id": "x1"}, "gcn.notices.newcomer.alert:x1",
     "gcn.notices.newcomer.alert:x1"),
    ("gcn.notices.svom", {"id": True}, None, None),
    ("gcn.notices.svom", [1, 2], None, None),
])
def test_json_is_known_by_what_its_sender_calls_it(topic, value, identifier, subject):
    found = identify(_notice(topic, value))
    assert (found.identifier, found.subject) == (identifier, subject)


@pytest.mark.parametrize(("ivorn", "params", "subject"), [
    ("ivo://nasa.gsfc.gcn/Fermi#x", {"TrigID": "524666471"}, "fermi:524666471"),
    ("ivo://nasa.gsfc.gcn/Fermi#x", {"Trans_Num": "42"}, "fermi-subthreshold:42"),
    ("ivo://nasa.gsfc.gcn/SWIFT#x", {"TrigID": "1125809"}, "swift:1125809"),
    ("ivo://nasa.gsfc.gcn/SWIFT#x", {"TrigID": "0"}, "ivo://nasa.gsfc.gcn/SWIFT#x"),
    ("ivo://nasa.gsfc.gcn/AMON#ICECUBE_x", {"run_id": "136973", "event_id": "028816141"},
     "icecube:136973_28816141"),
    ("ivo://amon/icecube_hese#1", {"run_id": "132379", "event_id": "15947448"},
     "icecube:132379_15947448"),
    ("ivo://nasa.gsfc.gcn/AMON#HAWC_x", {"run_id": "1", "event_id": "2"}, "hawc:1_2"),
    ("ivo://nasa.gsfc.gcn/AMON#NuEm", {"AMON_ID": "77"}, "amon:77"),
    ("ivo://gwnet/LVC#S1-Initial", {"GraceID": "S190425z"}, "gw:S190425z"),
    ("ivo://org.svom/fsc#sb1", {"Burst_Id": "sb24022203"}, "svom:sb24022203"),
    ("ivo://example.org/x#1", {}, "ivo://example.org/x#1"),
])
def test_packets_are_known_by_their_ivorn_and_are_about_their_trigger(ivorn, params, subject):
    assert identify(_packet(ivorn, **params)) == Identity(ivorn, subject)


@pytest.mark.parametrize("payload", [
    b"", b"\xff\xfe", b"{", b"<", b"<a/>", b"<VOEvent/>", b"null", b'{"id": NaN}',
    b"[" * 100000, b'{"id":' + b"[" * 900 + b"]" * 900 + b"}", b'{"id": "\\ud800\\u0000"}',
    b'<!DOCTYPE a [<!ENTITY b "c">]><VOEvent ivorn="&b;"/>', b'{"id": 1' + b"0" * 4000 + b"}"])
@pytest.mark.parametrize("topic", ["igwn.gwalert", "gcn.notices.svom", "gcn.circulars", "voevent",
                                   "gcn.heartbeat", "my.topic", ""])
def test_nothing_that_arrives_makes_it_raise(payload, topic):
    assert identify(Notice(payload, topic=topic)) == Identity()


def test_a_number_longer_than_python_reads_makes_it_raise_nothing():
    assert identify(Notice(b'{"id": ' + b"1" * 5000 + b"}", topic="gcn.notices.svom")) == Identity()


def test_identifiers_fit_into_every_database():
    long = identify(_notice("gcn.notices.svom", {"id": "a\x00b\ud800" * 500})).subject
    assert len(long) <= LONGEST
    assert long.isprintable()
    assert clean("x" * 1000 + "1") != clean("x" * 1000 + "2")


def test_it_costs_less_than_50_microseconds_for_a_kilobyte():
    payload = json.dumps({"id": ["745121685", "bn240812094"], "more": "x" * 900}).encode()
    best = min(timeit.repeat(
        lambda: identify(Notice(payload, topic="gcn.notices.fermi.gbm")), number=200, repeat=9))
    assert best / 200 < 50e-6
