"""Absurd content ends in a flag, or in an error that names field and value; never otherwise."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwbroker.errors import NoticeError
from gwbroker.handlers import (
    archives,
    circulars,
    fast_radio_bursts,
    gamma_ray_bursts,
    gravitational_waves,
    heartbeat,
    neutrinos,
    other_voevents,
    unified,
)
from gwbroker.notice import Notice
from gwbroker.report import Report
from gwbroker.streams.healpix import skymap_bytes
from gwbroker.streams.subject import identify

grb, gw, nu = gamma_ray_bursts, gravitational_waves, neutrinos
GUANO = "gcn.notices.swift.bat.guano"

READERS = {
    "igwn.gwalert": gw.read_gwalert,
    "gcn.notices.fermi.gbm": grb.read_fermi_gbm,
    "gcn.notices.fermi.lat.flare": grb.read_fermi_flare,
    GUANO: grb.read_guano,
    "gcn.notices.svom": grb.read_svom,
    "gcn.notices.einstein_probe.wxt.alert": grb.read_einstein_probe,
    "gcn.notices.maxi.gsc.unknown": grb.read_maxi,
    "gcn.notices.burstcube.alert": grb.read_burstcube,
    "gcn.notices.icecube.gold_bronze_track_alerts": nu.read_icecube,
    "gcn.notices.km3net.alert": nu.read_km3net,
    "gcn.notices.superk.sn_alert": nu.read_superk,
    "gcn.notices.chime.frb": fast_radio_bursts.read_chime,
    "gcn.notices.dsa110.frb": fast_radio_bursts.read_dsa110,
}


@pytest.mark.parametrize(("value", "flag"), [
    ({"ra": 400}, "ra: 400 is not in [0, 360)"),
    ({"ra": -1}, "ra: -1 is not in [0, 360)"),
    ({"dec": -95}, "dec: -95 is not in [-90, 90]"),
    ({"ra": None}, "ra: is missing"),
    ({"dec": None}, "dec: is missing"),
    ({"ra": "north"}, "ra: north is not a finite number"),
    ({"ra": [1]}, "ra: [1] is not a number"),
    ({"ra": True}, "ra: True is not a number"),
    ({"ra_dec_error": 0}, "ra_dec_error: 0 means that no error is given"),
    ({"ra_dec_error": -3}, "ra_dec_error: -3 is not in [0, 180]"),
    ({"ra_dec_error": 1e9}, "ra_dec_error: 1e+09 is not in [0, 180]"),
    ({"ra_dec_error": "NaN"}, "ra_dec_error: NaN is not a finite number"),
    ({"ra_dec_error": 10**400}, "ra_dec_error: it is not a finite number"),
    ({"ra_dec_error": None}, "ra_dec_error: is missing"),
    ({"ra_dec_error": []}, "ra_dec_error: has 0 values"),
    ({"ra_dec_error": [1, 2, 3, 4]}, "ra_dec_error: has 4 values"),
    ({"ra_dec_error": [1, None]}, "ra_dec_error: is missing"),
    ({"ra_dec_error": [3, 2, "east"]}, "ra_dec_error: east is not a finite number"),
    ({"containment_probability": 1.5}, "containment_probability: 1.5 is not in (0, 1)"),
    ({"containment_probability": 0}, "containment_probability: 0 is not in (0, 1)"),
])
def test_an_impossible_position_is_flagged_and_no_map_made(message, value, flag):
    whole = {"id": "1", "ra": 10, "dec": 20, "ra_dec_error": 1, **value}
    report = grb.read_guano(message(GUANO, **whole))
    assert report.localization is None
    assert [found for found in report.flags if found.startswith(flag)]
    assert report.identifiers == ("swift:1",)


@pytest.mark.parametrize(("value", "flag"), [
    ({"far": -1}, "far: -1 is not at least 0"),
    ({"p_astro": 7}, "p_astro: 7 is not in [0, 1]"),
    ({"alert_type": "FOO"}, "alert_type: 'FOO' is not known"),
    ({"alert_type": ["initial"]}, "alert_type: ['initial'] is not text"),
    ({"alert_tense": "subjunctive"}, "alert_tense: 'subjunctive' is not known"),
    ({"trigger_time": "yesterday"}, "trigger_time: is not a time in ISO 8601"),
    ({"trigger_time": 12}, "trigger_time: 12 is not a time in ISO 8601"),
    ({"healpix_file": "stuff"}, "healpix_file: begins neither as FITS nor as gzip"),
    ({"healpix_file": "???"}, "healpix_file: "),
    ({"healpix_file": {"a": 1}}, "healpix_file: is not base64 text"),
    ({"healpix_file": "data:text/plain,hello"}, "healpix_file: is a data URL without base64"),
])
def test_what_is_wrong_elsewhere_leaves_the_position_usable(message, value, flag):
    report = grb.read_guano(message(GUANO, id="1", ra=1, dec=2, ra_dec_error=3, **value))
    assert [found for found in report.flags if found.startswith(flag)]
    assert report.localization is not None


@pytest.mark.parametrize("corners", [
    5, [], [[1, 2], [3, 4]], [[1, 2], [3, 4], [5]], [[1, 2], [3, 4], None],
    [[1, 2], [3, 4], [400, 5]], [[1, 2], [3, 4], [5, None]]])
def test_corners_that_are_none_are_flagged(message, corners):
    report = grb.read_maxi(message(
        "gcn.notices.maxi.gsc.unknown", id="1", rectangular_error_corners=corners))
    assert report.localization is None
    assert report.flags[0].startswith("rectangular_error_corners")


@pytest.mark.parametrize("value", [{}, {"id": []}, {"id": ""}, {"id": None}, {"id": {"a": 1}},
                                   {"id": "\x00\x01"}])
def test_a_notice_that_nobody_can_tell_is_refused_with_the_field(message, value):
    with pytest.raises(NoticeError, match=r"^id: is missing"):
        grb.read_guano(message(GUANO, ra=1, dec=2, ra_dec_error=3, **value))


def test_a_gwalert_without_superevent_is_refused_with_the_field(message):
    with pytest.raises(NoticeError, match=r"^superevent_id: is missing"):
        gw.read_gwalert(message("igwn.gwalert", alert_type="INITIAL"))


@pytest.mark.parametrize(("event", "flag"), [
    ({"far": -1}, "event.far: -1"), ({"far": "low"}, "event.far: low"),
    ({"time": "never"}, "event.time: "), ({"skymap": "stuff"}, "event.skymap: begins"),
    ({"skymap": 5}, "event.skymap: "), ({"classification": {"BNS": 7}}, "event.classification.BNS"),
    ({"classification": "BNS"}, "event.classification: "), ("gone", "event: ")])
def test_garbage_in_a_gwalert_does_not_hide_the_merger(message, event, flag):
    report = gw.read_gwalert(message(
        "igwn.gwalert", alert_type="FOO", superevent_id="S1", event=event))
    assert report.localization is None
    assert report.identifiers == ("gw:S1",)
    assert any(found.startswith(flag) for found in report.flags)
    assert any(found.startswith("alert_type: 'FOO'") for found in report.flags)


@pytest.mark.parametrize(("change", "flag"), [
    ({"ra": "400"}, "C1 (RA): 400 is not in [0, 360)"),
    ({"dec": "-95"}, "C2 (Dec): -95"), ({"ra": "x"}, "C1 (RA): is not a number"),
    ({"radius": "nan"}, "Error2Radius: is not a finite number"),
    ({"radius": "0"}, "Error2Radius: 0 means"), ({"radius": "-1"}, "Error2Radius: -1"),
    ({"radius": None}, "Error2Radius: is missing"), ({"time": "soon"}, "WhereWhen/ISOTime: "),
    ({"ra": "0", "dec": "0", "radius": "0"}, "C1 (RA), C2 (Dec): 0, 0"),
])
def test_an_impossible_packet_is_flagged(packet, change, flag):
    report = grb.read_classic(packet(params={"Packet_Type": 111, "TrigID": "3"}, **change))
    assert any(found.startswith(flag) for found in report.flags)
    assert "time" in change or report.localization is None


@pytest.mark.parametrize("payload", [b"", b"<", b"<a/>", b"{}", b"[]", b"5", b"null", b"{", b"\xff",
                                     b"<VOEvent/>", b'<VOEvent ivorn="\xc2\x85"/>',
                                     b'{"id":' + b"[" * 900 + b"]" * 900 + b"}",
                                     b'{"id": "a", "ra":' + b"[" * 900 + b"]" * 900 + b"}"])
def test_what_is_no_message_at_all_is_refused_or_flagged(payload):
    for topic, read in READERS.items():
        notice = Notice(payload, topic=topic)
        identify(notice)
        try:
            flags = read(notice).flags
        except NoticeError:
            continue
        assert flags


NAMES = sorted({
    *unified.NUMBERS, *unified.COPIED, "id", "event_name", "ra", "dec", "ra_dec_error",
    "containment_probability", "healpix_file", "rectangular_error_corners", "alert_type",
    "trigger_time", "alert_datetime", "observation_start", "superevent_id", "time_created",
    "event", "external_coinc", "urls", "circularId", "eventId", "subject", "body", "trigger_number",
    "ref_ID", "time", "skymap", "properties", "group"})
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["GRB 170817A", "S190814bv", "2024-01-01T00:00:00Z", "-0", "²",
                     "0001-01-01T00:00:00+23:59", "data:;base64,AAAA", "U0lNUExFICA9",
                     "\x00", "\ud800", "1e400"]),
    st.sampled_from([10**400, -(10**30), 2**63, math.inf, -math.inf]))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=6), max_leaves=12)


def _dump(value):
    # NaN is not JSON; 1e999 is, and is infinite.
    text = json.dumps(value).replace("-Infinity", "-1e999").replace("Infinity", "1e999")
    return text.replace("NaN", "null").encode()


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value:
            yield from _texts(each)
            if isinstance(value, dict):
                yield from _texts(value[each])


def _sound(report):
    assert isinstance(report, Report)
    assert report.identifiers
    assert all(report.identifiers)
    json.dumps(dict(report.facts), allow_nan=False)
    assert all(text.isprintable() for text in _texts(
        [dict(report.facts), *report.flags, *report.identifiers, report.name, report.alert]))
    assert len(report.alert) <= 24


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_wild_json_never_raises_anything_but_a_notice_error(topic, value):
    notice = Notice(_dump(value), topic=topic)
    found = identify(notice)
    try:
        report = READERS[topic](notice)
    except NoticeError:
        return
    _sound(report)
    assert found.subject == report.identifiers[0]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_wild_json_never_breaks_the_rest(value):
    for topic, read in (
            ("gcn.circulars", circulars.names_in), ("gcn.heartbeat", heartbeat.read_heartbeat),
            ("gcn.notices.heasarc.archive_alert", archives.reason), (GUANO, skymap_bytes),
            ("igwn.gwalert", skymap_bytes),
            ("gcn.notices.icecube.lvk_nu_track_search", neutrinos.merger_of)):
        notice = Notice(_dump(value), topic=topic)
        identify(notice)
        try:
            read(notice)
        except NoticeError:
            continue


XML = (b'<?xml version="1.0"?><voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" '
       b'role="observation" ivorn="ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD_1"><Who><Date>2024-01-01'
       b'</Date></Who><What><Param name="Packet_Type" value="173"/><Param name="run_id" value="1"/>'
       b'<Param name="event_id" value="2"/><Group name="Trigger_ID"><Param name="Test" value="no"'
       b'/></Group></What><WhereWhen><ISOTime>2024-01-01T00:00:00</ISOTime><Position2D><C1>1</C1>'
       b'<C2>2</C2><Error2Radius>3</Error2Radius></Position2D></WhereWhen><Citations><EventIVORN '
       b'cite="followup">ivo://x</EventIVORN></Citations><Why importance="1"/></voe:VOEvent>')
PIECES = [b"<", b">", b'"', b"&amp;", b"&x;", b"<!-- c -->", b"<?p?>", b"\xff", b"\x00", b"nan",
          b"1e999", b"", b"<![CDATA[x]]>", "²".encode(), b"9" * 5000, b"-", b"<C1/>", b"LVC",
          b"Fermi", b"SWIFT"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(XML)), st.integers(0, 30), st.sampled_from(PIECES)),
                max_size=4))
def test_mutated_xml_never_raises_anything_but_a_notice_error(changes):
    payload = XML
    for start, length, piece in changes:
        payload = payload[:start] + piece + payload[start + length:]
    for read in (nu.read_classic, grb.read_classic, gw.read_classic, other_voevents.read_any,
                 grb.read_svom_packet, nu.read_km3net_packet):
        notice = Notice(payload, topic="voevent")
        found = identify(notice)
        try:
            report = read(notice)
        except NoticeError:
            continue
        _sound(report)
        assert found.subject == report.identifiers[0]


@pytest.mark.parametrize(("old", "new"), [
    (b'value="173"', 'value="²"'.encode()), (b'value="173"', b'value="' + b"9" * 5000 + b'"'),
    (b'value="1"/>', b'value="' + b"7" * 5000 + b'"/>')])
def test_odd_numbers_in_a_packet_do_no_harm(old, new):
    notice = Notice(XML.replace(old, new), topic="voevent")
    assert identify(notice).subject == other_voevents.read_any(notice).identifiers[0]


@pytest.mark.parametrize(("ivorn", "name"), [
    ("-\x7f", "-"), ("ivo://a/b#\x7f", "ivo://a/b#"), ("ivo://a/b#c\x85d", "c d"),
    ("ivo://a\x7f:7/b", "ivo://a :7/b")])
def test_an_ivorn_with_control_characters_gives_a_name_that_can_be_shown(ivorn: str, name: str):
    packet = f'<VOEvent ivorn="{ivorn}" role="test"/>'.encode()
    assert other_voevents.read_any(Notice(packet, topic="voevent")).name == name
