"""Views: small, true, and cut where right ascension starts again."""

import json
import re
from pathlib import Path

import healpy as hp
import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.moc import Moc
from gwbroker.skymap.multiorder import uniq_of
from gwbroker.skymap.overlays import Disc, Footprint, Overlays, Place
from gwbroker.skymap.projection import to_vectors
from gwbroker.skymap.seam import cut
from gwbroker.skymap.summary import summarize
from gwbroker.skymap.view import encode, pixels, view

LARGEST = 200_000
MAPS = {
    "cone": lambda: make.cone(200, 40, 5, 0.9),
    "across the seam": lambda: make.cone(0.5, 12, 8, 0.9),
    "around the north pole": lambda: make.ellipse(20, 88, 20, 5, 45, 0.9),
    "around the south pole": lambda: make.cone(300, -89, 10, 0.9),
    "arcsecond": lambda: make.cone(359.9999, 10, 1 / 3600, 0.9),
    "a third of the sky": lambda: make.cone(350, -60, 70, 0.9),
}


def area_of(polygons) -> float:
    """Return the area within polygons of RA and Dec, deg^2: RA and sin Dec preserve areas."""
    total = 0.0
    for polygon in polygons:
        ra, z = np.radians(polygon)[:, 0], np.sin(np.radians(polygon)[:, 1])
        total += abs(float(np.sum(ra[:-1] * z[1:] - ra[1:] * z[:-1]))) / 2
    return total * (180 / np.pi) ** 2


@pytest.mark.parametrize("name", MAPS)
def test_polygons_enclose_the_area_of_their_level_on_one_side_of_the_seam(name):
    made = view(MAPS[name](), name)
    for region in made["regions"]:
        points = np.concatenate(region["polygons"])
        assert points[:, 0].min() >= 0
        assert points[:, 0].max() <= 360
        assert np.abs(points[:, 1]).max() <= 90
        for polygon in region["polygons"]:
            assert polygon[0] == polygon[-1]
            # No line goes across the whole sky from one side of the seam to the other.
            assert np.abs(np.diff(np.array(polygon)[:, 0]))[np.abs(polygon)[1:, 1] < 80].max(
                initial=0) < 45
        assert area_of(region["polygons"]) == pytest.approx(region["area"], rel=0.06)


@pytest.mark.parametrize("name", MAPS)
def test_mocs_have_the_area_of_their_level(name):
    for region in view(MAPS[name]())["regions"]:
        assert region["moc_exact"]
        assert Moc.from_json(region["moc"]).area == pytest.approx(region["area"], rel=0.02)


def million() -> SkyMap:
    """Return a map of more than 10^6 cells whose region is torn as no other."""
    fine = np.arange(4 * 4**9, dtype=np.int64)
    coarse = np.arange(4 * 4**3, 12 * 4**3, dtype=np.int64)
    level = np.concatenate([np.full(len(fine), 9), np.full(len(coarse), 3)])
    uniq = uniq_of(level, np.concatenate([fine, coarse]))
    density = np.exp(np.random.default_rng(9).normal(0, 2, len(uniq)))
    return SkyMap(uniq, density / (density @ SkyMap(uniq, density).area)).validate()


def test_a_map_of_a_million_cells_has_a_small_view():
    skymap = million()
    assert skymap.cells > 10**6
    content = encode(view(skymap, "many"))
    assert len(content) < LARGEST
    # It holds about as much as it should, though no cell is as it was.
    for region in json.loads(content)["regions"]:
        assert not region["moc_exact"]


def test_a_view_of_a_recorded_alert_with_overlays_is_small_and_the_same_each_time(merger):
    overlays = Overlays(
        galaxies=[Place(f"galaxy {n}", n, 5) for n in range(300)],
        footprints=[Footprint("f", [[(359, 0), (1, 0), (1, 2), (359, 2)]]),
                    Footprint("m", Moc.from_cone(0, 0, 30))],
        other=make.cone(300, 10, 9, 0.9), other_name="GRB", time="2026-06-05T12:00:00Z",
        earth=Disc(1, 2, 60), galactic_plane=True)
    made = view(merger, "event", overlays=overlays)
    content = encode(made)
    assert len(content) < LARGEST
    assert content == encode(view(merger, "event", overlays=overlays))
    assert json.loads(content) == made
    assert len(made["overlays"]["footprints"][0]["polygons"]) == 2
    assert len(made["overlays"]["galaxies"]) == 200
    assert made["overlays"]["time"] == "2026-06-05T12:00:00.000000Z"
    assert made["overlays"]["moon"]["name"] == "Moon"


def test_a_view_says_what_the_summary_says(merger):
    made, facts = view(merger, "event"), summarize(merger)
    assert made["version"] == 1
    assert [r["level"] for r in made["regions"]] == [0.5, 0.9]
    assert made["regions"][1]["area"] == pytest.approx(facts.area_90, rel=1e-6)
    assert (made["ra"], made["dec"]) == pytest.approx((facts.ra, facts.dec), abs=1e-6)
    assert made["distmean"] == pytest.approx(facts.distmean, rel=1e-6)
    assert made["cells"] == merger.cells


def test_pixels_are_those_of_healpy():
    level = 4
    density = np.random.default_rng(4).gamma(1.0, size=12 * 4**6)
    skymap = SkyMap(uniq_of(np.full(len(density), 6), np.arange(len(density))), density)
    theirs = hp.ud_grade(skymap.prob, 2**level, order_in="NEST", order_out="NEST", power=-2)
    assert pixels(skymap, level) == pytest.approx(theirs, rel=1e-12)


def test_pixels_hold_all_probability_whether_cells_are_larger_or_smaller(simple):
    for level in range(6):
        assert pixels(simple, level).sum() == pytest.approx(1, abs=1e-12)
    assert pixels(make.cone(10, 20, 1 / 3600, 0.9), 5).max() == pytest.approx(1, abs=1e-6)


def test_the_density_gives_back_the_probability(merger):
    made = view(merger)["density"]
    values = np.array(made["values"]) / 255 * made["maximum"]
    assert len(values) == 12 * made["nside"] ** 2
    assert values == pytest.approx(pixels(merger, 5), abs=0.51 / 255 * made["maximum"])


def test_a_uniform_map_has_regions_without_an_edge():
    made = view(SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi)), "")
    assert [r["polygons"] for r in made["regions"]] == [[], []]
    assert made["distmean"] is None
    assert set(made["density"]["values"]) == {255}


@pytest.mark.parametrize("dec", [-89.0, 0.0, 89.0])
@pytest.mark.parametrize("radius", [0.01, 3.0])
def test_circles_cut_at_the_seam_keep_their_area(dec, radius):
    angle = np.linspace(0, 2 * np.pi, 721)
    theta = np.radians(radius)
    a, d = np.radians(0.001), np.radians(dec)
    centre = to_vectors(0.001, dec)
    east = np.array([-np.sin(a), np.cos(a), 0])
    north = np.cross(centre, east)
    assert d is not None
    loop = np.cos(theta) * centre + np.sin(theta) * (
        np.outer(np.cos(angle), east) + np.outer(np.sin(angle), north))
    pieces = cut(loop)
    assert len(pieces) in (1, 2)
    expected = 2 * np.pi * (1 - np.cos(theta)) * (180 / np.pi) ** 2
    assert area_of(pieces) == pytest.approx(expected, rel=2e-3)


def test_a_view_can_be_put_into_a_page_whatever_its_names_are():
    hostile = "</script><!-- \u2028 & \udcff"
    made = view(make.cone(1, 2, 3, 0.9), hostile + "x" * 5000, overlays=Overlays(
        footprints=[Footprint(hostile, [[(0, 0), (1, 0), (1, 1)]])], galaxies=[
            Place(hostile, 1, 2)], other=Place(hostile, 1, 2)))
    content = encode(made)
    assert not set(b"<>&") & set(content)
    assert "\u2028".encode() not in content
    again = json.loads(content)
    assert again["title"].startswith("</script><!--")
    assert len(again["title"]) == 200
    assert again["overlays"]["galaxies"][0]["name"].startswith("</script>")


def test_a_time_that_is_none_is_refused(merger):
    with pytest.raises(SkyMapError, match="time"):
        view(merger, overlays=Overlays(time="soon"))


def test_every_field_of_a_view_is_documented():
    overlays = Overlays(footprints=[Footprint("f", [[(0, 0), (1, 0), (1, 1)]])],
                        other=Place("x", 1, 2), time="2026-06-05T12:00:00Z", earth=Disc(1, 2, 3),
                        galaxies=[Place("g", 1, 2)])
    made = view(make.cone(1, 2, 3, 0.9), "x", overlays=overlays)
    page = (Path(__file__).parents[2] / "docs/reference/json.rst").read_text()
    text = re.split(r"\n[^\n]+\n-{4,}\n", page.partition("A view\n------\n")[2])[0]

    def fields(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if not key.isdigit():
                    yield key
                    yield from fields(inner)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from fields(value[0])

    assert sorted({f for f in fields(made) if f"``{f}``" not in text}) == []
