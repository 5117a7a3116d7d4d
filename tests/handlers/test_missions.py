"""What the notices of each mission say."""

import base64

import pytest

from gwbroker.errors import NoticeError
from gwbroker.handlers import (
    circulars,
    fast_radio_bursts,
    gamma_ray_bursts,
    gravitational_waves,
    heartbeat,
    neutrinos,
    other_voevents,
)
from gwbroker.report import Cone, Ellipse, Embedded
from gwbroker.streams.healpix import skymap_bytes
from gwbroker.streams.subject import identify

grb, gw, nu = gamma_ray_bursts, gravitational_waves, neutrinos
FITS = b"SIMPLE  =                    T / a file"


@pytest.mark.parametrize(("number", "name", "containment", "alert"), [
    (110, "FERMI_GBM_ALERT", None, "trigger"),
    (111, "FERMI_GBM_FLT_POS", 0.68, "initial"),
    (115, "FERMI_GBM_FIN_POS", 0.68, "update"),
    (121, "FERMI_LAT_POS_UPD", 0.90, "update"),
])
def test_fermi_is_known_by_its_trigger_and_by_what_each_radius_holds(
        packet, number, name, containment, alert):
    notice = packet(params={"Packet_Type": number, "TrigID": "524666471"})
    report = grb.read_classic(notice)
    assert report.identifiers == ("fermi:524666471",)
    assert report.name == "Fermi 524666471"
    assert report.facts["notice_type"] == name
    assert report.alert == alert
    found = report.localization and report.localization.containment
    assert found == containment


def test_the_topic_tells_the_type_when_the_packet_does_not(packet):
    notice = packet(params={"TrigID": "7"}, topic="gcn.classic.voevent.FERMI_GBM_FLT_POS")
    assert grb.read_classic(notice).facts["notice_type"] == "FERMI_GBM_FLT_POS"


def test_classic_and_unified_notices_of_fermi_meet_in_one_event(packet, message):
    classic = packet(params={"Packet_Type": 111, "TrigID": "745121685"})
    unified = message("gcn.notices.fermi.gbm", id=["bn240812094", "745121685"])
    assert identify(classic).subject == identify(unified).subject == "fermi:745121685"


def test_what_is_no_gamma_ray_burst_is_not_retracted(packet):
    notice = packet(params={"Packet_Type": 111, "TrigID": "1"},
                    groups={"Trigger_ID": {"Def_NOT_a_GRB": "true"}})
    report = grb.read_classic(notice)
    assert report.facts["not_grb"] is True
    assert not report.retracted


@pytest.mark.parametrize(("number", "row", "radius"), [(61, 0.9, 0.05), (67, 0.9, 0.0015),
                                                       (81, 0.9, 0.0002)])
def test_swift_has_positions_of_three_instruments(packet, number, row, radius):
    notice = packet("ivo://nasa.gsfc.gcn/SWIFT#x", {"Packet_Type": number, "TrigID": "1125809"},
                    radius=radius)
    report = grb.read_classic(notice)
    assert report.identifiers == ("swift:1125809",)
    assert report.localization == Cone(10, -20, radius, row, report.localization.source)


def test_where_a_spacecraft_looks_is_no_place_of_a_source(packet):
    notice = packet("ivo://nasa.gsfc.gcn/SWIFT#x",
                    {"Packet_Type": 61, "TrigID": "5", "Coords_String": "pointing"})
    assert grb.read_classic(notice).localization is None


SVOM = "ivo://org.svom/fsc#sb25120806_eclairs-wakeup"


def test_svom_has_voevents_too_and_they_meet_its_json(packet, message):
    notice = packet(SVOM, {"Packet_Type": 202, "Instrument": "ECLAIRs"},
                    {"Svom_Identifiers": {"Burst_Id": "sb25120806", "Notice_Level": "N1e"}},
                    radius="0.1962", topic="gcn.notices.svom.voevent.eclairs")
    report = other_voevents.read_any(notice)
    other = message("gcn.notices.svom", id="sb25120806", instrument="GRM")
    assert report.kind == "grb"
    assert report.identifiers == ("svom:sb25120806",) == grb.read_svom(other).identifiers
    assert report.localization.radius == 0.1962
    assert "ECLAIRs" in report.localization.source


def test_svom_retracts_by_a_type_of_its_own(packet):
    notice = packet("ivo://org.svom/fsc#sb26030408_retraction", {"Packet_Type": 219},
                    {"Svom_Identifiers": {"Burst_Id": "sb26030408"}}, ra=None)
    report = other_voevents.read_any(notice)
    assert report.retracted
    assert report.identifiers == ("svom:sb26030408",)


def test_a_citation_retracts(packet):
    notice = packet(params={"Packet_Type": 111, "TrigID": "8"},
                    cites=[("retraction", "ivo://nasa.gsfc.gcn/Fermi#earlier")])
    assert grb.read_classic(notice).retracted


def test_integral_tells_its_two_counters_apart(packet):
    ibis = packet("ivo://nasa.gsfc.gcn/INTEGRAL#a", {"Packet_Type": 53, "TrigID": "9043"})
    acs = packet("ivo://nasa.gsfc.gcn/INTEGRAL#b", {"Packet_Type": 52, "TrigID": "9043"})
    assert grb.read_classic(ibis).identifiers == ("integral:9043",)
    assert grb.read_classic(acs).identifiers == ("integral-spiacs:9043",)
    assert grb.read_classic(acs).localization is None


def test_an_arcminute_radius_of_an_ehe_neutrino_is_seen_through(packet):
    notice = packet("ivo://nasa.gsfc.gcn/AMON#ICECUBE_EHE_x",
                    {"Packet_Type": 169, "run_id": "130033", "event_id": "50579430"},
                    ra="77.2853", dec="5.7517", radius="14.99")
    report = nu.read_classic(notice)
    assert report.identifiers == ("icecube:130033_50579430",)
    assert report.localization.radius == pytest.approx(0.2498, abs=1e-4)
    assert report.localization.containment == 0.5
    assert "Error2Radius: 14.99 is taken as arcminutes" in report.flags


def test_an_ehe_radius_in_degrees_stays_as_it_is(packet):
    notice = packet("ivo://nasa.gsfc.gcn/AMON#ICECUBE_EHE_x",
                    {"Packet_Type": 169, "run_id": "1", "event_id": "2"}, radius="0.25")
    report = nu.read_classic(notice)
    assert report.localization.radius == 0.25
    assert not report.flags


def test_the_90_percent_radius_of_icecube_goes_before_the_other(packet):
    notice = packet("ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD_x",
                    {"Packet_Type": 173, "run_id": "132642", "event_id": "58895105",
                     "src_error_90": "0.97", "src_error_50": "0.3"}, radius="0.3")
    assert nu.read_classic(notice).localization.radius == 0.97


def test_amon_takes_a_neutrino_back_with_a_flag(packet):
    notice = packet("ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD_x",
                    {"Packet_Type": 173, "run_id": "1", "event_id": "2"},
                    {"Trigger_ID": {"Retraction": "true", "Test": "false"}})
    assert nu.read_classic(notice).retracted


def test_a_supernova_in_super_kamiokande_meets_its_json(packet, message):
    notice = packet("ivo://nasa.gsfc.gcn/SK_SN#x", {
        "Packet_Type": 175, "Trigger_Number": "10070", "Src_Error90": "5.5"}, radius="3.1")
    report = nu.read_classic(notice)
    other = nu.read_superk(message("gcn.notices.superk.sn_alert", id="SN.1", trigger_number=10070))
    assert report.kind == "supernova"
    assert report.localization.radius == 5.5
    assert set(report.identifiers) & set(other.identifiers)


def test_km3net_has_voevents_too(packet):
    notice = packet("ivo://km3net.org/alert#1", {"event_id": "km3.234.1"},
                    topic="gcn.notices.km3net.voevent")
    report = other_voevents.read_any(notice)
    assert (report.kind, report.identifiers) == ("neutrino", ("km3net:km3.234.1",))


def test_a_search_for_neutrinos_is_about_the_merger(message):
    notice = message("gcn.notices.icecube.lvk_nu_track_search", ref_ID="S230518h")
    assert neutrinos.merger_of(notice) == ["gw:S230518h"]
    assert identify(notice).subject == "gw:S230518h"


def test_chime_and_its_retraction_are_one_event(message):
    burst = message(
        "gcn.notices.chime.frb", alert_type="initial", id="427325191", ra=346.8, dec=12.6,
        ra_dec_error=[0.50, 0.60, 0], dm=279.4, snr=12.7, importance=0.99)
    gone = message("gcn.notices.chime.frb", alert_type="retraction", id="427325191")
    report = fast_radio_bursts.read_chime(burst)
    assert report.localization == Ellipse(
        346.8, 12.6, 0.60, 0.50, 90, 0.9, report.localization.source)
    assert report.facts["dm_pc_cm3"] == 279.4
    retraction = fast_radio_bursts.read_chime(gone)
    assert retraction.retracted
    assert retraction.identifiers == report.identifiers == ("chime:427325191",)


@pytest.mark.parametrize(("error", "axes"), [
    (0.5, (0.5,)), ([0.5], (0.5,)), ([0.5, 0.5, 12], (0.5,)),
    ([0.6, 0.5], (0.6, 0.5, 0)), ([0.6, 0.5, -27], (0.6, 0.5, 153)),
    ([0.5, 0.6, 10], (0.6, 0.5, 100)),
])
def test_an_error_is_a_radius_or_axes_with_an_angle(message, error, axes):
    where = grb.read_maxi(message("gcn.notices.maxi.gsc.unknown", id="1", ra=1, dec=2,
                                  ra_dec_error=error)).localization
    found = ((where.radius,) if isinstance(where, Cone)
             else (where.semi_major, where.semi_minor, where.position_angle))
    assert found == axes


def test_a_map_inside_a_notice_goes_before_its_radius(message):
    text = "data:image/fits;base64," + base64.b64encode(FITS).decode()
    notice = message("gcn.notices.swift.bat.guano", id="1", ra=1, dec=2, ra_dec_error=3,
                     healpix_file=text)
    assert grb.read_guano(notice).localization == Embedded("healpix_file")
    assert skymap_bytes(notice) == FITS


def test_a_merger_has_its_map_inside(message):
    text = base64.b64encode(b"\x1f\x8b" + bytes(60)).decode()
    notice = message("igwn.gwalert", alert_type="UPDATE", superevent_id="S190814bv",
                     event={"skymap": text, "far": 1e-9})
    assert gw.read_gwalert(notice).localization == Embedded("event.skymap")
    assert skymap_bytes(notice) == b"\x1f\x8b" + bytes(60)


@pytest.mark.parametrize(("name", "role"), [("S1", "real"), ("MS1", "mock"), ("TS1", "test")])
def test_the_first_letter_of_a_superevent_tells_rehearsals(message, name, role):
    notice = message("igwn.gwalert", alert_type="INITIAL", superevent_id=name, event=None)
    assert gw.read_gwalert(notice).role == role


def test_a_coincidence_is_told_without_its_map(message):
    notice = message("igwn.gwalert", alert_type="UPDATE", superevent_id="S1", event=None,
                     external_coinc={"observatory": "Fermi", "combined_skymap": "U0lNUExF"})
    facts = gw.read_gwalert(notice).facts
    assert facts["external_coincidence"] == {"observatory": "Fermi"}


def test_a_classic_merger_can_be_a_rehearsal_or_be_retracted(packet):
    notice = packet("ivo://gwnet/LVC#MS1-Retraction", {
        "Packet_Type": 164, "GraceID": "MS190101a", "AlertType": "Retraction"}, ra=None)
    report = gw.read_classic(notice)
    assert (report.role, report.retracted) == ("mock", True)
    assert report.identifiers == ("gw:MS190101a",)


@pytest.mark.parametrize(("tense", "role"), [
    ("current", "real"), ("test", "test"), ("injection", "mock"), ("injections", "mock"),
    ("planned", "real"), ("archival", "real")])
def test_the_tense_of_a_unified_notice_tells_its_role(message, tense, role):
    report = grb.read_svom(message("gcn.notices.svom", id="sb1", alert_tense=tense))
    assert report.role == role
    assert report.facts["alert_tense"] == tense
    assert not report.flags


@pytest.mark.parametrize("change", [
    {"role": "test"}, {"groups": {"Solution_Status": {"Test_Submission": "true"}}},
    {"params": {"Packet_Type": 119, "TrigID": "99999"}}])
def test_tests_of_classic_notices_are_marked(packet, change):
    values = {"params": {"Packet_Type": 111, "TrigID": "5"}, **change}
    assert grb.read_classic(packet(**values)).role == "test"


def test_a_name_that_astronomers_gave_goes_before_a_number(message):
    notice = message("gcn.notices.svom", id="sb1", event_name=["M1", "GRB 240222A"])
    assert grb.read_svom(notice).name == "GRB 240222A"
    assert grb.read_svom(message("gcn.notices.svom", id="sb1", event_name="M1")).name == "SVOM sb1"


@pytest.mark.parametrize(("event", "subject", "name"), [
    ("LIGO/Virgo/KAGRA S230518h", "", "S230518h"),
    (None, "IceCube-230416A: no counterpart", "IceCube-230416A"),
    (None, "GRB 230410A: MASTER observations", "GRB 230410A"),
])
def test_a_circular_is_attached_by_the_names_in_its_subject(message, event, subject, name):
    notice = message("gcn.circulars", circularId=1, eventId=event, subject=subject, body="x")
    assert name in circulars.names_in(notice)


def test_a_circular_offers_no_bare_number(message):
    assert circulars.names_in(message("gcn.circulars", circularId=1, eventId="12")) == []


def test_something_without_a_number_is_no_circular(message):
    with pytest.raises(NoticeError, match="circularId"):
        circulars.names_in(message("gcn.circulars", eventId="GRB 230410A"))


def test_a_heartbeat_says_when(message):
    sent = heartbeat.read_heartbeat(
        message("gcn.heartbeat", alert_datetime="2024-01-02T03:04:05.678901+00:00"))
    assert sent.microsecond == 678901


@pytest.mark.parametrize("value", [{}, {"alert_datetime": 5}, {"alert_datetime": "now"}])
def test_what_does_not_say_when_is_no_heartbeat(message, value):
    with pytest.raises(NoticeError, match="alert_datetime"):
        heartbeat.read_heartbeat(message("gcn.heartbeat", **value))


def test_the_packet_of_an_unknown_author_becomes_an_event_by_its_ivorn(packet):
    report = other_voevents.read_any(packet("ivo://example.org/Telescope#7", radius="0.1"))
    assert (report.kind, report.name) == ("other", "7")
    assert report.identifiers == ("ivo://example.org/Telescope#7",)
    assert report.localization.containment == 0.9
    assert "assumption" in report.localization.source


def test_a_report_of_a_kind_that_is_not_read_here_is_refused(packet):
    with pytest.raises(NoticeError, match=r"Packet_Type: is not read here \(found '151'\)"):
        grb.read_classic(packet(params={"Packet_Type": 151}))
