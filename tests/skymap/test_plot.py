"""Pictures: they are there, true, the same each time, and survive any title."""

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import _pylab_helpers
from matplotlib.colors import to_hex
from matplotlib.image import imread

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, canvas, contour, make, plot, theme
from gwbroker.skymap.frame import frame
from gwbroker.skymap.graticule import label, nice_step
from gwbroker.skymap.letters import printable
from gwbroker.skymap.overlays import Footprint, Overlays, Place
from gwbroker.skymap.projection import Mollweide, Orthographic, to_degrees, to_vectors
from gwbroker.skymap.regions import credible_areas
from gwbroker.skymap.sampled import Sampled
from gwbroker.skymap.sheet import Sheet
from gwbroker.skymap.summary import summarize

DRAWINGS = [plot.all_sky, plot.zoom]
MAPS = {
    "cone": lambda: make.cone(200, 40, 5, 0.9),
    "arcsecond": lambda: make.cone(0.00001, -89.99, 0.1 / 3600, 0.9),
    "milliarcseconds": lambda: make.cone(359.9999999, 0, 1e-6, 0.9),
    "pole": lambda: make.ellipse(20, 85, 20, 2, 45, 0.9),
    "whole sky": lambda: make.cone(350, -60, 80, 0.9),
    "rectangle": lambda: make.polygon([(0, 0), (3, 0), (3, 1), (0, 1)], 0.9),
    "uniform": lambda: SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi)),
    "one base cell": lambda: SkyMap(
        np.arange(4, 16), np.eye(12)[3] * 3 / np.pi
    ).validate(),
}


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("name", MAPS)
def test_every_kind_of_map_can_be_drawn(tmp_path, draw, name):
    draw(MAPS[name](), tmp_path / "map.png", name, dpi=75)
    picture = imread(tmp_path / "map.png")
    assert picture.shape[:2] == ((420, 675) if draw is plot.all_sky else (525, 525))
    assert picture[..., :3].std() > 0.05
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]


@pytest.mark.parametrize(("draw", "suffix"), [
    (plot.all_sky, ".png"), (plot.all_sky, ".svg"), (plot.zoom, ".PNG"), (plot.zoom, ".svg")])
def test_the_same_map_gives_the_same_bytes(tmp_path, draw, suffix):
    skymap = make.cone(200, 40, 5, 0.9)
    for name in ("one", "two"):
        draw(skymap, tmp_path / (name + suffix), "GW170817", dpi=75)
    one, two = ((tmp_path / (name + suffix)).read_bytes() for name in ("one", "two"))
    assert one == two
    assert b"Software" not in one
    assert b"<dc:date>" not in one


def test_threads_draw_the_same_pictures_as_one_alone(tmp_path):
    maps = [make.cone(ra, 40, 5, 0.9) for ra in (20, 220)]

    def work(job):
        number, folder = job
        for draw in DRAWINGS:
            draw(maps[number], folder / f"{draw.__name__}{number}.png", f"event {number}", dpi=50)

    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    for number in range(2):
        work((number, alone))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, [(n, together) for n in range(2)]))
    for path in alone.iterdir():
        assert (together / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("title", "draw"), list(zip(
    ["", "$\\frac{1", "a_b^c {", "日本語 \U0001f600", "x" * 5000, "two\nlines\t\0", "<&>",
     "\u202e \udcff"], cycle(DRAWINGS))))
def test_any_title_can_be_written(tmp_path, draw, title):
    skymap = make.cone(200, 40, 5, 0.9)
    draw(skymap, tmp_path / "map.png", title, dpi=50)


def test_a_title_cannot_end_the_words_of_an_svg_or_turn_its_direction(tmp_path):
    hostile = "</title><script>alert(1)</script> --> ]]> & \u202e"
    for draw in DRAWINGS:
        draw(make.cone(200, 40, 5, 0.9), tmp_path / "map.svg", hostile, overlays=Overlays(
            footprints=[Footprint(hostile, [[(200, 40), (201, 40), (201, 41)]])],
            galaxies=[Place(hostile, 200, 40)]))
        root = ElementTree.parse(tmp_path / "map.svg").getroot()
        names = {element.tag.rpartition("}")[2] for element in root.iter()
                 if isinstance(element.tag, str)}
        assert "script" not in names
        assert root[0].text == hostile.removesuffix(" \u202e")
    assert printable("a\u202eb \u2067c") == "ab c"


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("name", ["map.jpg", "map", "map.png.exe"])
def test_other_formats_are_refused(tmp_path, draw, name):
    with pytest.raises(SkyMapError, match=r"pictures are .png or .svg, not"):
        draw(make.cone(200, 40, 5, 0.9), tmp_path / name, "event")
    assert list(tmp_path.iterdir()) == []


def inked(path):
    """Return the middle (x from left, y from top) of the dark red ink of a picture."""
    red, green, blue = np.moveaxis(imread(path)[:700, :, :3], -1, 0)
    y, x = np.nonzero((red > 0.4) & (green < 0.35) & (blue < 0.4) & (red > blue + 0.2))
    return x.mean(), y.mean()


def test_right_ascension_grows_to_the_left_and_declination_upwards(tmp_path):
    places = {}
    for ra, dec in [(150, 0), (210, 0), (150, 50)]:
        plot.all_sky(make.cone(ra, dec, 12, 0.9), tmp_path / "map.png", "event")
        places[ra, dec] = inked(tmp_path / "map.png")
    assert places[210, 0][0] < places[150, 0][0] - 100
    assert places[150, 50][1] < places[150, 0][1] - 100


def test_a_zoom_shows_the_east_on_the_left_and_the_north_on_top(tmp_path):
    # A triangle that points to the east and to the north has most of itself there.
    corners = [(10, 10), (13, 10), (13, 13)]
    projection = frame(make.polygon(corners, 0.9)).projection
    x, y = projection.forward(to_vectors(*np.array(corners, float).T))
    assert x[1] < x[0]
    assert y[2] > y[1]


def test_the_frame_holds_the_whole_region(merger):
    shown = frame(merger)
    inside = merger.probdensity >= contour.thresholds(merger)[0.9]
    x, y = shown.projection.forward(merger.vectors[inside])
    assert shown.whole
    assert max(np.abs(x).max(), np.abs(y).max()) < shown.half
    assert max(np.ptp(x), np.ptp(y)) > 1.2 * shown.half


def test_a_spread_region_is_shown_where_it_is_densest():
    shown = frame(make.cone(100, 0, 80, 0.9))
    assert not shown.whole
    x, y = shown.projection.forward(to_vectors(100, 0))
    assert max(abs(x), abs(y)) < 0.1


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_contour_encloses_the_credible_area(merger, level):
    edge = contour.thresholds(merger)[level]
    area = merger.area[merger.probdensity >= edge].sum() * (180 / np.pi) ** 2
    assert area == pytest.approx(credible_areas(merger, level), rel=0.01)


def test_a_region_that_would_split_equal_cells_has_no_contour():
    skymap = make.polygon([(0, 0), (3, 0), (3, 1), (0, 1)], 0.9)
    assert list(contour.thresholds(skymap)) == [0.9]


@pytest.mark.parametrize("centre", [0, 180, 270])
def test_mollweide_goes_there_and_back(centre):
    rng = np.random.default_rng(6)
    ra, dec = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    again = Mollweide(centre).backward(*Mollweide(centre).forward(ra, dec))
    assert to_vectors(*again) == pytest.approx(to_vectors(ra, dec), abs=1e-9)


@pytest.mark.parametrize(("ra", "dec"), [(0, 0), (123, 45), (10, 90), (300, -89.99999)])
@pytest.mark.parametrize("half", [0.6, 1e-3, 1e-8])
def test_orthographic_goes_there_and_back(ra, dec, half):
    x, y = np.random.default_rng(7).uniform(-half, half, (2, 100))
    projection = Orthographic(ra, dec)
    again = projection.forward(projection.backward(x, y))
    assert np.stack(again) == pytest.approx(np.stack([x, y]), abs=1e-15, rel=1e-6)
    east = projection.forward(projection.backward(np.array(-half), np.array(0.0)))
    assert east[0] == pytest.approx(-half)
    position = to_degrees(projection.backward(np.zeros(1), np.zeros(1)))
    assert position[1] == pytest.approx(dec, abs=1e-6)


@pytest.mark.parametrize(
    ("radius", "text"),
    [(30, "2,76"), (1, "3.1 deg²"), (0.1, "113 arcmin²"), (1e-3, "41 arcsec²"),
     (1e-6, "41 mas²")],
)
def test_areas_are_told_in_a_unit_that_is_easy_to_read(radius, text):
    assert text in canvas.facts(summarize(make.cone(100, 30, radius, 0.9)))


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [(30, 30, "30°"), (-0.0, 0.1, "0°"), (-2.5, 0.5, "\N{MINUS SIGN}2.5°"),
     (197.45, 0.0002, "197.4500°"), (359.99999, 1e-5, "359.99999°")],
)
def test_labels_have_the_digits_of_their_step(value, step, text):
    assert label(value, step) == text


@pytest.mark.parametrize(
    ("span", "step"), [(180, 45), (40, 10), (7, 2), (3, 1), (0.9, 0.2), (4e-5, 1e-5)]
)
def test_steps_are_round(span, step):
    assert nice_step(span) == pytest.approx(step)


def test_drawing_leaves_the_settings_and_the_figures_of_pyplot_alone(tmp_path):
    before, figures = dict(matplotlib.rcParams), list(_pylab_helpers.Gcf.figs)
    for draw in DRAWINGS:
        draw(make.cone(1, 2, 3, 0.9), tmp_path / "map.png", "event", dpi=50)
    assert dict(matplotlib.rcParams) == before
    assert list(_pylab_helpers.Gcf.figs) == figures


@pytest.mark.parametrize("name", ["light", "dark"])
def test_words_of_a_theme_can_be_read_on_its_ground(name):
    colours = theme.theme(name)
    for words in (colours.title, colours.text, colours.ink):
        assert theme.contrast(words, colours.ground) >= 4.5
    # What is drawn has a contrast of three (WCAG 2.2, success criterion 1.4.11).
    for drawn in (*colours.contours.values(), colours.mark, colours.first, colours.other,
                  colours.galaxy, colours.footprint, colours.sun, colours.moon, colours.earth,
                  colours.plane):
        assert theme.contrast(drawn, colours.ground) >= 3


@pytest.mark.parametrize(("name", "sign"), [("light", -1), ("dark", 1)])
def test_a_ramp_starts_at_the_ground_and_its_lightness_goes_one_way(name, sign):
    colours = theme.theme(name)
    steps = [to_hex(colours.ramp(v)) for v in np.linspace(0, 1, 64)]
    assert steps[0] == colours.ground
    assert (sign * np.diff([theme.luminance(step) for step in steps]) > 0).all()


def test_contrast_is_that_of_wcag():
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("draw", DRAWINGS)
def test_a_dark_picture_is_dark_and_the_same_each_time(tmp_path, draw):
    skymap = make.cone(200, 40, 5, 0.9)
    for name in ("one.png", "two.png"):
        draw(skymap, tmp_path / name, "GW170817", theme="dark", dpi=75)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert np.median(imread(tmp_path / "one.png")[..., :3]) < 0.1


@pytest.mark.parametrize("draw", DRAWINGS)
def test_an_unknown_theme_is_refused(tmp_path, draw):
    with pytest.raises(SkyMapError, match="theme: 'sepia' is not one of light, dark"):
        draw(make.cone(200, 40, 5, 0.9), tmp_path / "map.png", "event", theme="sepia")


@pytest.mark.parametrize(("ra", "dec", "radius"), [(200, -10, 15), (200, 60, 25), (40, 0, 12)])
def test_the_names_of_levels_keep_clear_of_the_scale_bar(ra, dec, radius):
    skymap = make.cone(ra, dec, radius, 0.68)
    shown = frame(skymap)
    figure = canvas.new_figure(7, 7, theme.LIGHT)
    axes = figure.add_axes((0.125, 0.09, 0.75, 0.75))
    plot.part_of_sky(axes, shown, theme.LIGHT)
    taken = plot.scale_bar(axes, shown, theme.LIGHT)
    (bar,) = axes.texts
    lines = Sampled(skymap, Sheet.part(shown)).outlines()
    contour.name_levels(axes, lines, theme.LIGHT, (shown.half, shown.half), taken,
                        0.12 * shown.half)
    names = axes.texts[1:]
    assert [name.get_text() for name in names] == ["50%", "90%"]
    for name in names:
        assert not name.get_window_extent().overlaps(bar.get_window_extent())
