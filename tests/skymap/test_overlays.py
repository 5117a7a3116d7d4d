"""Overlays: drawn where they are, each explained, none over another's words."""

import json
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import pytest
from astropy.coordinates import Galactic, SkyCoord, get_body
from astropy.time import Time
from matplotlib.image import imread

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, canvas, make, plot
from gwbroker.skymap.bodies import moment, sun_and_moon
from gwbroker.skymap.frame import frame
from gwbroker.skymap.galactic import galactic_axes
from gwbroker.skymap.layers import Layers
from gwbroker.skymap.moc import Moc
from gwbroker.skymap.overlays import Disc, Footprint, Overlays, Place
from gwbroker.skymap.projection import to_vectors
from gwbroker.skymap.sheet import Sheet
from gwbroker.skymap.sights import Sights
from gwbroker.skymap.theme import DARK, LIGHT

# A spiral, so that some are close together and some are not.
GALAXIES = [Place(f"NGC {1000 + n}", 200 + 1.6 * np.cos(2.4 * n) * n**0.5,
                  40 + 1.2 * np.sin(2.4 * n) * n**0.5) for n in range(12)]
FIELD = [(199.0, 39.0), (202.0, 39.0), (202.0, 42.0), (199.0, 42.0)]
TIME = "2026-06-05T12:00:00Z"
ALL = Overlays(
    galaxies=GALAXIES, footprints=[Footprint("ZTF", [FIELD]),
                                   Footprint("MOC", Moc.from_cone(203, 41, 2))],
    other=make.cone(203, 38, 4, 0.9), other_name="GRB", time=TIME, earth=Disc(190, 38, 9),
    galactic_plane=True, galactic_band=True)


@pytest.fixture
def cone() -> SkyMap:
    return make.cone(200, 40, 5, 0.9)


@pytest.fixture
def axes():
    figure = canvas.new_figure(7, 7, LIGHT)
    return figure.add_axes((0.125, 0.09, 0.75, 0.75))


def labels(handles) -> list[str]:
    return [str(handle.get_label()) for handle in handles]


def test_every_overlay_on_the_whole_sky_has_its_line_in_the_legend(axes):
    found = labels(Layers(axes, Sights(ALL, Sheet.sky()), LIGHT, []).draw())
    assert found == ["galactic plane", "within 10° of it", "hidden by the Earth", "ZTF", "MOC",
                     "Sun", "Moon", "GRB, 50% and 90%", "the best 5 of 12 galaxies"]


def test_what_is_not_in_the_frame_is_not_in_the_legend(axes, cone):
    found = labels(Layers(axes, Sights(ALL, Sheet.part(frame(cone))), LIGHT, []).draw())
    assert found == ["hidden by the Earth", "ZTF", "MOC", "GRB, 50% and 90%",
                     "galaxies, the best largest"]
    far = Overlays(galaxies=[Place("far", 20, -40)], earth=Disc(20, -40, 60),
                   other=Place("x", 0, 0),
                   footprints=[Footprint("far", [[(20, 0), (21, 0), (21, 1)]]),
                               Footprint("empty", Moc.empty())])
    assert Layers(axes, Sights(far, Sheet.part(frame(cone))), LIGHT, []).draw() == []


def test_names_of_galaxies_cover_neither_each_other_nor_what_stands_there(axes, cone):
    sheet = Sheet.part(frame(cone))
    half = sheet.half[0]
    axes.set(xlim=(-half, half), ylim=(-half, half))
    Layers(axes, Sights(Overlays(galaxies=GALAXIES), sheet), LIGHT, [(0.0, 0.0)]).draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) >= 3
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    middle = axes.transData.transform((0.0, 0.0))
    assert not any(box.contains(*middle) for box in boxes)


@pytest.mark.parametrize(("draw", "theme"), [(plot.all_sky, "light"), (plot.zoom, "dark")])
def test_a_picture_grows_for_its_legend_and_its_map_stays_as_it_is(tmp_path, cone, draw, theme):
    draw(cone, tmp_path / "bare.png", "event", theme=theme, dpi=75)
    draw(cone, tmp_path / "full.png", "event", theme=theme, overlays=ALL, dpi=75)
    bare, full = (imread(tmp_path / f"{name}.png") for name in ("bare", "full"))
    assert full.shape[1] == bare.shape[1]
    extra = full.shape[0] - bare.shape[0]
    assert 15 < extra < 100
    # Title and facts stand where they do without overlays.
    assert np.mean(np.abs(full[:55] - bare[:55]) > 0.1) < 0.001


def test_a_legend_below_covers_no_words(cone):
    figure = canvas.new_figure(9, 5.6, DARK)
    axes = figure.add_axes((0.065, 0.14, 0.87, 0.74))
    plot.whole_sky(axes, Sheet.sky(), DARK)
    handles = Layers(axes, Sights(ALL, Sheet.sky()), DARK, []).draw()
    canvas.legend_below(figure, handles, DARK, 5)
    figure.canvas.draw()
    legend = figure.legends[0].get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= figure.bbox.width
    assert not any(text.get_window_extent().overlaps(legend) for text in axes.texts)


def test_names_from_outside_are_no_mathematics_and_all_are_in_the_legend():
    names = ["$\\frac{", "_hidden", "<b>&", "a_b^c $x$", "x" * 300, "名 \u202e abc", "W" * 40]
    figure = canvas.new_figure(7, 7, LIGHT)
    axes = figure.add_axes((0.125, 0.3, 0.75, 0.65))
    laid = Overlays(footprints=[Footprint(name, [FIELD]) for name in names])
    handles = Layers(axes, Sights(laid, Sheet.sky()), LIGHT, []).draw()
    canvas.legend_below(figure, handles, LIGHT, 4)
    canvas.legend(axes, handles, LIGHT, loc="upper left")
    figure.canvas.draw()
    for legend in (figure.legends[0], axes.get_legend()):
        found = [text.get_text().strip() for text in legend.get_texts()]
        assert found[:4] == names[:4]
        assert len(found) == len(names)
        assert "\u202e" not in "".join(found)
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    assert box.y1 <= axes.get_window_extent().y0


def test_the_galactic_axes_are_those_of_astropy():
    theirs = SkyCoord([0, 90, 0] * 1, [0, 0, 90], unit="deg", frame=Galactic).icrs
    ours = galactic_axes()
    assert ours == pytest.approx(to_vectors(theirs.ra.deg, theirs.dec.deg), abs=1e-6)


def test_sun_and_moon_are_where_astropy_has_them_and_meet_in_an_eclipse():
    sun, moon = sun_and_moon("2017-08-21T18:26:00Z")
    assert (sun.name, moon.name) == ("Sun", "Moon")
    assert to_vectors(sun.ra, sun.dec) @ to_vectors(moon.ra, moon.dec) > np.cos(np.radians(1))
    body = get_body("moon", Time("2017-08-21T18:26:00", scale="utc"), ephemeris="builtin")
    assert (moon.ra, moon.dec) == pytest.approx((body.ra.deg, body.dec.deg), abs=1e-6)


def test_times_have_a_zone_and_are_told_in_utc():
    assert moment(TIME) == moment("2026-06-05T14:00:00+02:00")
    assert moment(datetime(2026, 6, 5, 12, tzinfo=UTC)) == moment(TIME)
    for naive in ("2026-06-05T12:00:00", datetime(2026, 6, 5, 12)):
        with pytest.raises(SkyMapError, match=r"no zone; for UTC write 2026-06-05T12:00:00Z"):
            moment(naive)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00Z"])
def test_what_is_no_time_is_refused(time):
    with pytest.raises(SkyMapError, match="time"):
        sun_and_moon(time)


@pytest.mark.parametrize(("made", "match"), [
    (lambda: Place("x", np.nan, 0), r"x: column ra: nan is not a finite number"),
    (lambda: Place("银河", 0, np.inf), "银河: column dec: inf"),
    (lambda: Place("", 0, 91), "overlay: column dec: 91"),
    (lambda: Place("x", 1e6, 0), "no right ascension"),
    (lambda: Disc(0, 0, 0), "Earth: column radius: 0 deg"),
    (lambda: Disc(0, 0, 180), "Earth: column radius: 180 deg"),
    (lambda: Disc(0, 0, np.nan), "Earth: column radius: nan deg"),
    (lambda: Footprint("f", [[(0, 0), (1, 1)]]), "three corners or more, not 2"),
    (lambda: Footprint("f", [[(0, 0), (1, 95), (1, 1)]]), "f: column dec: 95"),
])
def test_impossible_overlays_are_refused_by_name_and_value(made, match):
    with pytest.raises(SkyMapError, match=match):
        made()


@pytest.mark.parametrize(("content", "name", "count"), [
    ({"name": "ZTF", "polygons": [FIELD, FIELD]}, "ZTF", 2),
    ({"polygons": FIELD}, "foot", 1), ([FIELD], "foot", 1), (FIELD, "foot", 1),
])
def test_footprints_are_read_from_json(tmp_path, content, name, count):
    (tmp_path / "foot.json").write_text(json.dumps(content))
    found = Footprint.read(tmp_path / "foot.json")
    assert found.name == name
    assert [list(p) for p in found.shape] == [FIELD] * count


@pytest.mark.parametrize("suffix", ["fits", "json", "txt"])
def test_footprints_are_read_from_every_form_of_a_moc(tmp_path, suffix):
    moc = Moc.from_cone(10, 20, 3)
    moc.write(tmp_path / f"foot.{suffix}")
    assert Footprint.read(tmp_path / f"foot.{suffix}").shape == moc


@pytest.mark.parametrize("content", ["", "{]", "[1, 2]", '[["a", "b"]]', "[]", "7", "null",
                                     '{"polygons": 3}', "[[[1, 2], [3, 4], [5]]]"])
def test_what_is_no_footprint_is_refused_by_its_file(tmp_path, content):
    (tmp_path / "foot.json").write_text(content)
    with pytest.raises(SkyMapError, match=r"foot\.json"):
        Footprint.read(tmp_path / "foot.json")


@pytest.mark.parametrize("draw", [plot.all_sky, plot.zoom])
def test_overlays_across_the_seam_and_the_poles_can_be_drawn(tmp_path, draw):
    corners = [(350.0, 80.0), (10.0, 80.0), (100.0, 85.0), (260.0, 85.0)]
    extreme = Overlays(
        galaxies=[Place("pole", 123, 90), Place("seam", 360, 89), Place("", -0.0, 88)] * 700,
        footprints=[Footprint("地平线", [corners]), Footprint("sky", Moc.whole_sky())],
        other=Place("", 0, 90), earth=Disc(0, -90, 90), galactic_band=True)
    draw(make.ellipse(20, 88, 9, 3, 45, 0.9), tmp_path / "map.svg", "pole", overlays=extreme)
    assert b"<svg" in (tmp_path / "map.svg").read_bytes()


def test_the_fields_of_a_plan_have_the_name_of_its_telescope(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"name": "S190814bv", "telescope": {"name": "DECam"},
                                "polygons": [[[10, 0], [11, 0], [11, 1]]]}))
    assert Footprint.read(file).name == "DECam"
    file.write_text(json.dumps({"name": "mine", "telescope": "unknown",
                                "polygons": [[[10, 0], [11, 0], [11, 1]]]}))
    assert Footprint.read(file).name == "mine"
