"""Fermi GBM's notices: systematic errors, the Earth, and where its own map will be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gwbroker.handlers import fermi_gbm
from gwbroker.handlers import gamma_ray_bursts as grb
from gwbroker.notice import Notice
from gwbroker.report import GBM, Cone, pack, unpack
from gwbroker.skymap.earth import earth_from
from gwbroker.skymap.gbm import SYSTEMATICS

SAMPLES = Path(grb.__file__).parents[1] / "samples" / "messages"
FOLDER = "https://heasarc.gsfc.nasa.gov/FTP/fermi/data/gbm/triggers"


def classic(which: str, located: str, **params: object) -> Notice:
    """Return a notice of GRB 170817A with further parameters."""
    text = (SAMPLES / f"grb170817a-fermi-{located}.xml").read_text()
    added = "".join(f'<Param name="{k}" value="{v}"/>' for k, v in params.items())
    text = text.replace("</What>", f"{added}</What>")
    return Notice(text.encode(), topic=f"gcn.classic.voevent.FERMI_GBM_{which}_POS")


def unified(**changes: object) -> Notice:
    """Return a unified notice of a ground position, some fields changed or (None) left out."""
    fields = {
        "id": ["745121685"], "subtype": "GROUND_POSITION", "ra": 200.0, "dec": 10.0,
        "ra_dec_error": 2.0, "containment_probability": 0.68, "trigger_time":
        "2024-08-12T02:14:40.43Z", "systematic_included": False, **changes}
    kept = {k: v for k, v in fields.items() if v is not None}
    return Notice(json.dumps(kept).encode(), topic="gcn.notices.fermi.gbm.trigger")


@pytest.mark.parametrize(("which", "located"), [
    ("FLT", "flight"), ("GND", "ground"), ("FIN", "final")])
def test_a_classic_position_has_the_systematic_errors_of_who_located_it(which, located):
    place = grb.read_classic(classic(which, located)).localization
    assert isinstance(place, GBM)
    assert (place.located, place.containment, place.earth) == (located, 0.68, None)
    assert "Connaughton" in place.source
    assert unpack(json.loads(json.dumps(pack(place)))) == place


def test_jobs_that_were_packed_before_are_still_read():
    old = {"shape": "Cone", "ra": 1.0, "dec": 2.0, "radius": 3.0, "containment": 0.68,
           "source": "Fermi GBM"}
    assert unpack(old) == Cone(1.0, 2.0, 3.0, 0.68, "Fermi GBM")
    packed = pack(GBM(1.0, 2.0, 3.0, 0.68, "final", (4.0, 5.0, 67.0)))
    assert unpack(json.loads(json.dumps(packed))).earth == (4.0, 5.0, 67.0)


def test_the_earth_is_where_the_spacecrafts_position_says():
    # The burst at 176.8, -39.8 is 20 degrees from the zenith.
    notice = classic("FIN", "final", SC_Geo_X=-104000, SC_Geo_Y=1600, SC_Geo_Z=-37600, Theta=60)
    report = grb.read_classic(notice)
    assert report.localization.earth == pytest.approx(earth_from([-6500, 100, -2350]))
    assert report.flags == ()


def at(x, y, z, **more):
    """Return parameters with the spacecraft's position."""
    return {"SC_Geo_X": x, "SC_Geo_Y": y, "SC_Geo_Z": z, **more}


@pytest.mark.parametrize(("params", "says"), [
    (at(1, 1, 1), "-6378 km above the Earth is not Fermi's orbit"),
    # Kilometres, and 430 and 620 km above the Earth.
    (at(-6500, 100, -2350), "km above the Earth is not Fermi's orbit"),
    (at(-108929, 0, 0), "430 km above the Earth is not Fermi's orbit"),
    (at(-111969, 0, 0), "620 km above the Earth is not Fermi's orbit"),
    (at(104000, -1600, 37600), "behind the limb of the Earth"),
    # Axes mixed up: Fermi's orbit never leads above 40 degrees south.
    (at(-84800, 4800, -70800), "the spacecraft is above latitude -39.8 deg"),
    (at(-104000, 1600, -37600, Theta=120), "the LAT would look further than 75 deg"),
    (at("nan", 0, 0), "SC_Geo_X: nan is not a finite number"),
])
def test_a_doubtful_earth_is_flagged_and_nothing_is_masked(params, says):
    report = grb.read_classic(classic("FIN", "final", **params))
    assert report.localization.earth is None
    assert any(says in flag for flag in report.flags)


def test_zeros_for_the_spacecrafts_position_mean_that_there_is_none():
    report = grb.read_classic(classic("FIN", "final", SC_Geo_X=0, SC_Geo_Y=0, SC_Geo_Z=0))
    assert report.localization.earth is None
    assert report.flags == ()


def test_a_unified_notice_is_taken_at_its_word_about_systematic_errors():
    assert isinstance(grb.read_fermi_gbm(unified()).localization, GBM)
    assert isinstance(grb.read_fermi_gbm(unified(systematic_included=None)).localization, GBM)
    place = grb.read_fermi_gbm(unified(systematic_included=True)).localization
    assert isinstance(place, Cone)
    assert place.radius == 2.0


@pytest.mark.parametrize(("changes", "located"), [
    ({}, "roboba"), ({"duration_class": "LONG"}, "roboba-long"),
    ({"duration_class": "SHORT"}, "roboba-short"), ({"duration_class": 7}, "roboba"),
    ({"human_in_the_loop": True}, "final"), ({"human_in_the_loop": None}, "final"),
    ({"alert_datetime": "2019-09-10T00:00:00Z"}, "final"), ({"alert_datetime": None}, "final"),
    ({"subtype": "GROUND_POSITION"}, "ground"),
])
def test_final_positions_without_a_human_are_robobas_since_it_is_what_it_is(changes, located):
    report = grb.read_fermi_gbm(unified(**{
        "subtype": "FINAL_POSITION", "human_in_the_loop": False,
        "alert_datetime": "2024-08-12T02:24:04Z", **changes}))
    assert report.localization.located == located
    assert located in SYSTEMATICS
    of = SYSTEMATICS[located]
    for number in (of.core, of.tail, f"{100 * of.fraction:g} %", of.source):
        assert str(number) in report.localization.source


def test_a_unified_notice_with_the_place_below_has_the_earth_there():
    report = grb.read_fermi_gbm(unified(ra=30.0, longitude=20.0, latitude=10.0))
    assert report.localization.earth is not None
    assert report.localization.earth[1] == pytest.approx(-10, abs=0.2)
    assert report.localization.earth[2] == pytest.approx(67.5, abs=0.1)
    lower = grb.read_fermi_gbm(unified(
        ra=30.0, longitude=20.0, latitude=10.0, altitude=450))
    assert lower.localization.earth[2] > 69


@pytest.mark.parametrize("changes", [
    {"longitude": 400.0, "latitude": 10.0}, {"longitude": "x", "latitude": 10.0},
    {"longitude": 20.0, "latitude": None}, {"longitude": 20.0, "latitude": 10.0,
                                            "trigger_time": "0001-01-01T00:00:00Z"},
    {"longitude": 20.0, "latitude": 10.0, "altitude": 400},
    {"longitude": 20.0, "latitude": 10.0, "trigger_time": "2024-08-24T02:14:40Z"},
    {"longitude": 20.0, "latitude": 10.0, "geoloc_time": "2024-08-12T02:19:40Z"},
    {"ra": 30.0, "dec": 40.0, "longitude": 20.0, "latitude": 27.0},
    {"ra": 30.0, "longitude": 20.0, "latitude": 10.0, "instrument_theta": 150},
    {"ra": 30.0, "longitude": 20.0, "latitude": 10.0, "trigger_time": None, "id": ["bn1"]},
    {"subtype": 5}, {"subtype": None}, {"ra": None, "longitude": 20.0, "latitude": 10.0},
])
def test_odd_fields_leave_a_report(changes):
    report = grb.read_fermi_gbm(unified(**changes))
    assert getattr(report.localization, "earth", None) is None


def test_the_maps_of_a_burst_are_asked_for_after_ground_and_final_positions():
    url = FOLDER.replace("https", "http") + "/2017/bn170817529/quicklook/glg_lc_medres34.gif"
    expected = (f"{FOLDER}/2017/bn170817529/current/glg_healpix_all_bn170817529_v00.fit",
                f"{FOLDER}/2017/bn170817529/quicklook/glg_healpix_all_bn170817529.fit")
    for which, located in (("GND", "ground"), ("FIN", "final")):
        report = grb.read_classic(classic(which, located, LightCurve_URL=url))
        assert report.maps == expected
    assert grb.read_classic(classic("FLT", "flight", LightCurve_URL=url)).maps == ()
    assert grb.read_classic(classic("FIN", "final")).maps == ()
    retracted = grb.read_classic(classic("FIN", "final", LightCurve_URL=url, Retraction="true"))
    assert retracted.retracted
    assert retracted.maps == ()


@pytest.mark.parametrize(("url", "changes"), [
    (f"{FOLDER}/2017/bn170817529/quicklook/glg_healpix_all_bn170817529.fit", {}),
    (f"{FOLDER}/2024/bn240812099/quicklook/glg_healpix_all_bn240812099.fit", {}),
    (f"{FOLDER}/2024/bn249999999/quicklook/glg_healpix_all_bn249999999.fit", {}),
    (f"{FOLDER}/2024/bn240812094/", {"id": ["5"], "trigger_time": "2020-01-01T00:00:00Z"}),
])
def test_the_map_of_another_burst_is_flagged_and_not_asked_for(url, changes):
    for name in ("healpix_url", "light_curve_url"):
        report = grb.read_fermi_gbm(unified(**{name: url, **changes}))
        assert report.maps == ()
        assert any("is another burst, whose map is not fetched" in flag for flag in report.flags)


@pytest.mark.parametrize("changes", [
    {}, {"id": ["5"]}, {"id": ["5", "bn240812094"], "trigger_time": None},
    {"trigger_time": "2024-08-24T02:14:40Z"},
])
def test_the_map_of_the_burst_itself_is_asked_for(changes):
    url = f"{FOLDER}/2024/bn240812094/quicklook/glg_healpix_all_bn240812094.fit"
    report = grb.read_fermi_gbm(unified(healpix_url=url, **changes))
    assert len(report.maps) == 2
    assert report.maps[1] == url


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "ftp://heasarc.gsfc.nasa.gov/x", "", None,
    "https://evil.org/FTP/fermi/data/gbm/triggers/2017/bn170817529/",
])
def test_other_urls_are_no_places_of_a_map(url):
    assert fermi_gbm.maps([None, url]) == ()


def test_a_stated_url_is_asked_over_https():
    assert fermi_gbm.maps(["http://gcn.gsfc.nasa.gov/x.fits"]) == (
        "https://gcn.gsfc.nasa.gov/x.fits",)
