"""The sample alerts, as they were committed: whole, in the right format, and at the right place."""

import base64
import io
import json
import subprocess
import sys
from importlib.resources import files

import gcn
import healpy as hp
import numpy as np
import pytest
from astropy.io import fits
from lxml import etree

from gwbroker import samples
from gwbroker.samples.make import (
    bad,
    fast_radio_bursts,
    gamma_ray_bursts,
    neutrinos,
    x_ray_transients,
)
from gwbroker.samples.make import gcn as gcn_messages

SAMPLES = samples.load()
MESSAGES = files(samples) / "messages"
PACKETS = sorted({s.file for s in SAMPLES if s.file.endswith(".xml")})
MAPS = {
    # file: right ascension and declination of the source, bounds of the 90 % area (deg2), the
    # credible level that holds the source at most, bounds of the distance (Mpc), detectors
    "gw170817-preliminary.json": (197.45, -23.38, (100, 250), 0.9, (30, 50), "H1,L1"),
    "gw170817-update.json": (197.45, -23.38, (20, 35), 0.9, (30, 50), "H1,L1,V1"),
    "gw190814-initial.json": (12.8, -25.2, (18, 30), 0.9, (200, 320), "H1,L1,V1"),
    "mock-preliminary.json": (120.0, 35.0, (800, 1000), 0.1, (149, 151), "H1,L1"),
}
POSITIONS = {
    # file: type, ISO time, right ascension, declination, radius
    "grb170817a-fermi-flight.xml":
        ("FERMI_GBM_FLT_POS", "2017-08-17T12:41:06.47", 172.0167, -34.7833, 32.6),
    "grb170817a-fermi-ground.xml":
        ("FERMI_GBM_GND_POS", "2017-08-17T12:41:06.47", 186.62, -48.84, 17.45),
    "grb170817a-fermi-final.xml":
        ("FERMI_GBM_FIN_POS", "2017-08-17T12:41:06.47", 176.8, -39.8, 11.6),
    "grb221009a-swift-bat.xml":
        ("SWIFT_BAT_GRB_POS_ACK", "2022-10-09T14:10:17.00", 288.263, 19.803, 0.05),
    "grb221009a-swift-xrt.xml":
        ("SWIFT_XRT_POSITION", "2022-10-09T14:10:17.00", 288.2643, 19.7712, 0.0016),
    "icecube170922a-amon.xml":
        ("AMON_ICECUBE_EHE", "2017-09-22T20:54:30.43", 77.43, 5.72, 0.2185),
    "bad-position.xml":
        ("FERMI_GBM_FLT_POS", "2020-01-02T00:00:00.00", 400.0, 10.0, 5.0),
}


def content(file):
    return (MESSAGES / file).read_bytes()


def skymap(file):
    """Return the table of an alert's map."""
    alert = json.loads(content(file))
    with fits.open(io.BytesIO(base64.b64decode(alert["event"]["skymap"]))) as hdus:
        return hdus[1].data.copy(), hdus[1].header.copy()


def cells(table):
    """Return level, number and probability of each cell, most probable per area first."""
    table = table[np.argsort(-table["PROBDENSITY"].astype(float), kind="stable")]
    uniq = table["UNIQ"].astype(np.int64)
    level = (np.log2(uniq).astype(int) - 2) // 2
    prob = table["PROBDENSITY"].astype(float) * np.pi / 3 / 4.0**level
    return level, uniq - 4 ** (level + 1), prob


def test_every_sample_names_a_file_and_every_file_is_a_sample():
    assert {s.file for s in SAMPLES} == {f.name for f in MESSAGES.iterdir()}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.road}-{s.file}")
def test_a_sample_says_what_it_is_and_what_becomes_of_it(sample):
    assert sample.road in samples.ROADS
    assert bool(sample.topic) == (sample.road == "kafka")
    assert sample.expect in samples.EXPECTATIONS
    assert sample.what.endswith(".")
    assert "\n" not in sample.what
    assert sample.facts
    # What moves an event on names it; what opens none names none.
    assert bool(sample.event) == (sample.expect in ("event", "duplicate"))
    assert sample.payload()


def test_the_folder_is_small():
    sizes = {f.name: len(f.read_bytes()) for f in MESSAGES.iterdir()}
    assert max(sizes.values()) < 400_000
    assert sum(sizes.values()) < 2_000_000


def test_a_duplicate_is_the_same_bytes_over_the_other_road_afterwards():
    duplicates = [i for i, s in enumerate(SAMPLES) if s.expect == "duplicate"]
    assert duplicates
    for i in duplicates:
        first = [s for s in SAMPLES[:i] if s.payload() == SAMPLES[i].payload()]
        assert [s.road for s in first] == ["kafka"]
        assert SAMPLES[i].road == "vtp"


def test_no_other_message_comes_twice():
    payloads = [s.payload() for s in SAMPLES if s.expect != "duplicate"]
    assert len(set(payloads)) == len(payloads)


def test_both_roads_lead_to_one_event():
    for event in ("GRB 221009A", "IceCube-170922A"):
        assert {s.road for s in SAMPLES if s.event == event} == {"kafka", "vtp"}


@pytest.mark.parametrize("file", MAPS)
def test_a_map_covers_the_sky_once_and_sums_to_one(file):
    level, ipix, prob = cells(skymap(file)[0])
    start = np.sort(ipix << 2 * (29 - level))
    length = 1 << 2 * (29 - level[np.argsort(ipix << 2 * (29 - level))])
    assert start[0] == 0
    np.testing.assert_array_equal(start[1:], (start + length)[:-1])
    assert (start + length)[-1] == hp.nside2npix(2**29)
    assert prob.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("file", MAPS)
def test_a_map_has_the_area_and_holds_the_source(file):
    ra, dec, (low, high), most, _, _ = MAPS[file]
    level, ipix, prob = cells(skymap(file)[0])
    area = np.cumsum(np.degrees(np.degrees(np.pi / 3 / 4.0**level)))
    credible = np.cumsum(prob)
    assert low < area[np.searchsorted(credible, 0.9)] < high
    here = hp.ang2pix(2**29, ra, dec, nest=True, lonlat=True) >> 2 * (29 - level) == ipix
    assert here.sum() == 1
    assert credible[here][0] < most


@pytest.mark.parametrize("file", MAPS)
def test_the_header_of_a_map_is_that_of_the_alerts(file):
    table, header = skymap(file)
    _, _, _, _, (low, high), detectors = MAPS[file]
    assert table.names == ["UNIQ", "PROBDENSITY", "DISTMU", "DISTSIGMA", "DISTNORM"]
    assert (header["PIXTYPE"], header["ORDERING"], header["COORDSYS"]) == ("HEALPIX", "NUNIQ", "C")
    assert header["OBJECT"] == json.loads(content(file))["superevent_id"]
    assert header["INSTRUME"] == detectors
    assert low < header["DISTMEAN"] < high
    assert header["DISTSTD"] > 0
    assert header["MOCORDER"] == cells(table)[0].max()
    assert "Simulated" in str(header["COMMENT"])


@pytest.mark.parametrize("file", MAPS)
def test_the_distance_columns_agree_with_the_header(file):
    table, header = skymap(file)
    _, _, prob = cells(table)
    order = np.argsort(-table["PROBDENSITY"].astype(float), kind="stable")
    mu, sigma, norm = (
        table[c].astype(float)[order] for c in ("DISTMU", "DISTSIGMA", "DISTNORM")
    )
    known = np.isfinite(mu)
    r = np.linspace(0, 1000, 2001)
    # The ansatz of Singer et al. (2016), ApJL 829, L15, equation 1, summed over the sky.
    cell = np.exp(-0.5 * ((r - mu[known, None]) / sigma[known, None]) ** 2)
    cell *= (prob[known] * norm[known] / sigma[known] / np.sqrt(2 * np.pi))[:, None] * r**2
    density = cell.sum(axis=0)
    assert np.trapezoid(density, r) == pytest.approx(1, abs=0.01)
    assert np.trapezoid(density * r, r) == pytest.approx(header["DISTMEAN"], rel=0.01)


@pytest.mark.parametrize("file", [*MAPS, "mock-retraction.json"])
def test_an_alert_has_the_fields_of_the_topic(file):
    alert = json.loads(content(file))
    assert list(alert) == [
        "alert_type", "time_created", "superevent_id", "urls", "event", "external_coinc",
    ]
    if alert["alert_type"] == "RETRACTION":
        assert alert["event"] is None
        return
    event = alert["event"]
    assert list(event) == [
        "significant", "time", "far", "instruments", "group", "pipeline", "search", "properties",
        "classification", "duration", "central_frequency", "skymap",
    ]
    assert sum(event["classification"].values()) == pytest.approx(1)
    assert 0 < event["far"] < 1e-6


def test_an_update_and_a_retraction_follow_their_first_alert():
    alerts = [
        json.loads(s.payload())
        for s in SAMPLES
        if (s.topic, s.expect) == ("igwn.gwalert", "event")
    ]
    told = [(a["superevent_id"], a["alert_type"]) for a in alerts]
    assert told == [
        ("S170817a", "PRELIMINARY"), ("S170817a", "UPDATE"), ("S190814bv", "INITIAL"),
        ("MS200101a", "PRELIMINARY"), ("MS200101a", "RETRACTION"),
    ]
    created = [a["time_created"] for a in alerts]
    assert created == sorted(created)


def test_the_update_names_the_burst_by_its_packet():
    coincidence = json.loads(content("gw170817-update.json"))["external_coinc"]
    packet = etree.fromstring(content("grb170817a-fermi-ground.xml"))
    assert coincidence["ivorn"] == packet.get("ivorn")
    assert packet.find(".//Param[@name='TrigID']").get("value") == str(coincidence["gcn_notice_id"])


def test_every_packet_is_checked():
    assert set(PACKETS) == set(POSITIONS)


@pytest.mark.parametrize("file", PACKETS)
def test_a_packet_has_the_type_time_and_position_that_were_published(file):
    kind, time, ra, dec, radius = POSITIONS[file]
    root = etree.fromstring(content(file))
    assert root.tag == "{http://www.ivoa.net/xml/VOEvent/v2.0}VOEvent"
    assert root.get("ivorn").startswith("ivo://nasa.gsfc.gcn/")
    assert root.get("role") == ("test" if file.startswith("bad") else "observation")
    assert gcn.get_notice_type(root) == gcn.NoticeType[kind]
    assert root.findtext("./WhereWhen//ISOTime") == time
    found = [float(root.findtext(f"./WhereWhen//{t}")) for t in ("C1", "C2", "Error2Radius")]
    assert found == [ra, dec, radius]
    for sample in SAMPLES:
        if sample.file == file and sample.topic:
            assert sample.topic == f"gcn.classic.voevent.{kind}"


def test_no_two_packets_share_an_identifier():
    assert len({etree.fromstring(content(f)).get("ivorn") for f in PACKETS}) == len(PACKETS)


def test_the_two_tellings_of_the_neutrino_agree():
    packet = etree.fromstring(content("icecube170922a-amon.xml"))
    params = {p.get("name"): p.get("value") for p in packet.iter("Param")}
    alert = json.loads(content("icecube170922a-track.json"))
    assert alert["id"] == [f"{params['run_id']}_{params['event_id']}"]
    assert alert["ra_dec_error"] == float(params["src_error_90"])
    assert packet.findtext(".//ISOTime") + "Z" == alert["trigger_time"]


def test_the_truncated_alert_is_not_json():
    with pytest.raises(json.JSONDecodeError):
        json.loads(content("bad-truncated.json"))
    assert content("gw170817-preliminary.json").startswith(content("bad-truncated.json"))


@pytest.mark.parametrize(
    "module", [fast_radio_bursts, gamma_ray_bursts, gcn_messages, neutrinos, x_ray_transients]
)
def test_the_script_makes_the_committed_bytes(module):
    made = module.messages()
    assert made == {file: content(file) for file in made}


def test_the_script_makes_the_committed_bad_messages():
    made = bad.messages({f: content(f) for f in MAPS})
    assert made == {file: content(file) for file in made}


def test_a_sample_is_written_by_name():
    command = [sys.executable, "-m", "gwbroker.samples"]
    done = subprocess.run([*command, "gw190814-initial.json"], capture_output=True, check=True)
    assert done.stdout == content("gw190814-initial.json")
    done = subprocess.run([*command, "gw"], capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Which sample? There are bad-position.xml, bad-truncated.json, ")
