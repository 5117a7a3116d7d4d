"""Every recorded message becomes a report, or there is a clear reason why not."""

from datetime import UTC, datetime

import pytest

from gwbroker import dispatch
from gwbroker.handlers import (
    archives,
    circulars,
    fast_radio_bursts,
    gamma_ray_bursts,
    gravitational_waves,
    neutrinos,
    other_voevents,
)
from gwbroker.report import GBM, Cone, Ellipse, Embedded, Polygon
from gwbroker.streams.subject import identify

N = "gcn-notices/"
grb, gw, nu, frb = gamma_ray_bursts, gravitational_waves, neutrinos, fast_radio_bursts

MESSAGES = {
    # file: reader, kind, first identifier, role, kind of region
    "igwn/igwn_gwalert_preliminary.json":
        (gw.read_gwalert, "gw", "gw:MS260605l", "mock", Embedded),
    "igwn/igwn_gwalert_retraction.json":
        (gw.read_gwalert, "gw", "gw:MS260605l", "mock", None),
    "voevent/AMON.xml":
        (nu.read_classic, "neutrino", "icecube:136973_28816141", "real", Cone),
    "voevent/GRB180116A_Fermi_GBM_Gnd_Pos.xml":
        (grb.read_classic, "grb", "fermi:537755817", "real", GBM),
    "voevent/GW190425_initial.xml": (gw.read_classic, "gw", "gw:S190425z", "real", None),
    "voevent/MOA_Lensing_Event_2015-07-10T14_50_54.00.xml":
        (other_voevents.read_any, "optical", "moa:201500354", "real", None),
    "voevent/SWIFT_1125809-092.xml": (grb.read_classic, "grb", "swift:1125809", "real", Cone),
    "voevent/no_namespace_packet.xml":
        (other_voevents.read_any, "other",
         "ivo://com.dc3/dc3.broker#BrokerTest-2014-02-24T15:55:27.72", "test", None),
    N + "burstcube.alert.example.json":
        (grb.read_burstcube, "grb", "burstcube:240601000", "real", Cone),
    N + "dsa110.frb.detection.example.json":
        (frb.read_dsa110, "frb", "dsa110:240918aaaa", "real", Ellipse),
    N + "dsa110.frb.subsequent.example.json":
        (frb.read_dsa110, "frb", "dsa110:240918aaaa", "real", Ellipse),
    N + "einstein_probe.wxt.alert.example.json":
        (grb.read_einstein_probe, "xray", "ep:01708973486", "real", Cone),
    N + "fermi.gbm.trigger.final.example.json":
        (grb.read_fermi_gbm, "grb", "fermi:745121685", "real", GBM),
    N + "fermi.gbm.trigger.flight2.example.json":
        (grb.read_fermi_gbm, "grb", "fermi:745121685", "real", Cone),
    N + "fermi.gbm.trigger.ground1.example.json":
        (grb.read_fermi_gbm, "grb", "fermi:745121685", "real", GBM),
    N + "fermi.lat.flare.example.json":
        (grb.read_fermi_flare, "other", "fermi-lat:OQ 334:2025-11-20", "real", None),
    N + "icecube.single_neutrino_alerts.gold_bronze_track_alerts.example.json":
        (nu.read_icecube, "neutrino", "icecube:137840_57034692", "real", Cone),
    N + "km3net.alert.multiplet.example.json":
        (nu.read_km3net, "neutrino", "km3net:2", "real", Cone),
    N + "maxi.gsc.known.retraction.example.json":
        (grb.read_maxi, "xray", "maxi:0858800020", "real", None),
    N + "maxi.gsc.unknown.ellipse.example.json":
        (grb.read_maxi, "grb", "maxi:9995289617", "real", Ellipse),
    N + "maxi.gsc.unknown.rectangle.example.json":
        (grb.read_maxi, "grb", "maxi:9995289617", "real", Polygon),
    N + "superk.sn_alert.real.example.json":
        (nu.read_superk, "supernova", "superk:SN.095001.000001", "real", Cone),
    N + "svom.eclairs.trigger.catalog.example.json":
        (grb.read_svom, "grb", "svom:sb24022203", "test", Cone),
    N + "svom.eclairs.trigger.slewing.example.json":
        (grb.read_svom, "grb", "svom:sb24022203", "test", Cone),
    N + "svom.grm.trigger.example.json":
        (grb.read_svom, "grb", "svom:sb24022203", "test", Cone),
    N + "swift.bat.Guano.example.json":
        (grb.read_guano, "grb", "swift:694215995", "real", None),
    N + "swift.bat.guano.loc_map.example.json":
        (grb.read_guano, "grb", "swift:694215995", "real", None),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_recorded_message_is_read_as_what_it_says(name, recorded):
    read, kind, identifier, role, region = MESSAGES[name]
    notice = recorded(name)
    report = read(notice)
    assert (report.kind, report.identifiers[0], report.role) == (kind, identifier, role)
    assert identify(notice).subject == identifier
    assert type(report.localization) is (region or type(None))
    assert report.t0 or report.retracted
    assert len(report.alert) <= 24


@pytest.mark.parametrize("name", [*MESSAGES, N + "circulars.example.json",
                                  N + "heasarc.archive_alert.example.json"])
def test_exactly_one_built_in_handler_wants_a_recorded_message(name, recorded):
    chosen = [c for c in dispatch.choose(recorded(name))
              if c.registration.name.startswith("gwbroker.")]
    assert [c.error for c in chosen] == [None]


def test_the_table_names_every_recorded_message(recorded):
    recorded("igwn/igwn_gwalert_retraction.json")
    from pathlib import Path

    data = Path(__file__).parents[3] / "shared" / "data"
    found = {f"{path.parent.name}/{path.name}" for path in data.glob("*/*")
             if path.suffix in (".json", ".xml")}
    assert found - set(MESSAGES) <= {N + "circulars.example.json",
                                     N + "heasarc.archive_alert.example.json"}


def test_the_gwalert_keeps_what_people_ask_for_first(recorded):
    report = gw.read_gwalert(recorded("igwn/igwn_gwalert_preliminary.json"))
    assert report.facts["far_hz"] == pytest.approx(5.177e-16, rel=1e-3)
    assert report.facts["classification"]["BNS"] > 0.99
    assert report.facts["instruments"] == ["H1", "L1", "V1"]
    assert report.facts["significant"] is True
    assert report.alert == "preliminary"
    assert report.issued == datetime(2026, 6, 5, 12, 1, 7, tzinfo=UTC)
    assert not report.flags


def test_the_retraction_of_a_gwalert_retracts(recorded):
    report = gw.read_gwalert(recorded("igwn/igwn_gwalert_retraction.json"))
    assert report.retracted
    assert report.alert == "retraction"


def test_the_classic_merger_tells_where_its_map_is(recorded):
    report = gw.read_classic(recorded("voevent/GW190425_initial.xml"))
    assert report.name == "S190425z"
    assert report.facts["skymap_url"].endswith("bayestar.fits.gz")
    assert report.facts["far_hz"] == pytest.approx(4.54e-13, rel=1e-2)
    assert report.facts["classification"]["Terrestrial"] < 1e-3
    assert not report.flags


def test_the_neutrino_has_its_rates_per_second_and_its_radius_at_90_percent(recorded):
    report = nu.read_classic(recorded("voevent/AMON.xml"))
    assert report.facts["far_hz"] == pytest.approx(2.0054 / 3.15576e7)
    assert report.localization.radius == 1.2755
    assert report.localization.containment == 0.9
    assert "src_error_90" in report.localization.source


@pytest.mark.parametrize(("name", "field"), [
    ("voevent/MOA_Lensing_Event_2015-07-10T14_50_54.00.xml", "Error2Radius: 0"),
    ("voevent/no_namespace_packet.xml", "C1 (RA), C2 (Dec): 0, 0"),
    (N + "burstcube.alert.example.json", "healpix_file: "),
    (N + "swift.bat.guano.loc_map.example.json", "healpix_file: "),
    (N + "fermi.lat.flare.example.json", "ra_dec_error: is missing"),
])
def test_what_is_wrong_with_a_recorded_message_is_flagged(name, field, recorded):
    report = MESSAGES[name][0](recorded(name))
    assert any(flag.startswith(field) for flag in report.flags)


def test_a_recorded_circular_names_its_burst_and_its_trigger(recorded):
    notice = recorded(N + "circulars.example.json")
    assert circulars.names_in(notice) == ["GRB 230410A", "fermi:702818765"]
    assert identify(notice).identifier == "circular:33603"


def test_an_archive_alert_opens_no_event_and_says_why(recorded):
    said = archives.reason(recorded(N + "heasarc.archive_alert.example.json"))
    assert said == "no event: it announces that data of IXPE, observation 01001099, are archived"
