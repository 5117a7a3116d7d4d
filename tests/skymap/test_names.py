"""Names and marks: read beside what they name, over nothing else, within the picture."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from gwbroker.skymap import canvas, make, marks, plot
from gwbroker.skymap.frame import frame
from gwbroker.skymap.layers import Layers
from gwbroker.skymap.names import GAP, SIZE, Box, Names
from gwbroker.skymap.overlays import Overlays, Place
from gwbroker.skymap.projection import to_degrees
from gwbroker.skymap.sampled import Sampled
from gwbroker.skymap.sheet import Sheet
from gwbroker.skymap.sights import Sights
from gwbroker.skymap.theme import LIGHT

# A unit of the axes of these tests is a point of type.
HALF = 189.0
WHO = [f"NGC {4000 + n}" for n in range(5)]
HOSTILE = ["$\\frac{1", "$x^2$", "_a_b^c {", "W" * 5000, "two\nlines\t\0", "\x1b[31mred", "<&>",
           "日本語 \U0001f600", "\u202e \udcff abc"]


@pytest.fixture
def axes() -> Axes:
    figure = canvas.new_figure(7, 7, LIGHT)
    found = figure.add_axes((0.125, 0.09, 0.75, 0.75))
    found.set(xlim=(-HALF, HALF), ylim=(-HALF, HALF))
    return found


def holds(x: float, y: float) -> bool:
    return bool(abs(x) <= HALF and abs(y) <= HALF)


def circle(x: float, y: float, radius: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 200)
    return np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])


def names(axes: Axes, **change) -> Names:
    return Names(axes, LIGHT, 1.0, holds, change.get("taken", []), change.get("lines", {}))


def written(names: Names, places, radius: float = 4.0) -> Names:
    """Return the same with the first of some markers named."""
    names.crowd(np.array(places, float))
    for name, (x, y) in zip(WHO, places, strict=False):
        names.write(name, float(x), float(y), radius)
    return names


def seen(axes: Axes) -> list[Box]:
    """Return where letters are drawn, as boxes in points of the screen."""
    extents = [text.get_window_extent() for text in axes.texts]
    # Between the lines of a text there is a point more than its letters need.
    return [Box(e.x0, e.x1, e.y0 + 1, e.y1 - 1) for e in extents]


def inside(axes: Axes) -> bool:
    whole = axes.get_window_extent()
    return all(whole.x0 <= box.left and box.right <= whole.x1 and whole.y0 <= box.low
               and box.high <= whole.y1 for box in seen(axes))


CROWDS = {
    "five alone": [(-120, 100), (120, 100), (0, 0), (-120, -100), (120, -100)],
    "one place": [(10, 10)] * 40,
    "a heap": np.random.default_rng(1).normal(0, 25, (150, 2)),
    "a row": [(x, 3) for x in range(-180, 180, 9)],
    "a corner": [(188 - 3 * n, 188 - 2 * n) for n in range(30)],
    "the frame": [(-188, 0), (188, 0), (0, 188), (0, -188), (188, -188)],
    "all over": np.random.default_rng(2).uniform(-185, 185, (250, 2)),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_the_best_five_are_all_named_whatever_the_crowd(axes, crowd):
    made = written(names(axes), CROWDS[crowd])
    assert [text.get_text() for text in axes.texts] == WHO
    assert len(made.boxes) == 5
    assert not any(a.meets(b) for a, b in combinations(made.boxes, 2))
    assert not any(a.meets(b) for a, b in combinations(seen(axes), 2))
    assert inside(axes)


def test_where_there_is_room_a_name_is_beside_its_marker_without_a_line(axes):
    places = CROWDS["five alone"]
    made = written(names(axes), places)
    assert len(axes.lines) == 0
    for box, place in zip(made.boxes, places, strict=True):
        assert 0 < box.apart(np.array([place], float))[0] < 4 + GAP + SIZE / 2


def test_where_there_is_none_a_line_leads_from_the_marker_to_the_name(axes):
    places = CROWDS["a heap"]
    made = written(names(axes), places)
    lines = [np.column_stack(line.get_data()) for line in axes.lines]
    assert len(lines) >= 3
    ends = {}
    for line in lines:
        # It begins where the marker of a name ends.
        away = np.hypot(*(np.array(places[:5]) - line[0]).T)
        assert away.min() == pytest.approx(4.5)
        ends[int(away.argmin())] = line[-1]
    assert len(ends) == len(lines)
    for number, end in ends.items():
        assert made.boxes[number].apart(end[np.newaxis])[0] < 0.01
    # No line runs through another's name.
    for (n, end), (other, box) in [(a, b) for a in ends.items() for b in enumerate(made.boxes)]:
        if n != other:
            line = np.linspace(places[n], end, 50)
            assert box.apart(line[10:]).min() > 0


def test_a_name_beside_a_marker_is_nearest_to_its_own(axes):
    places = np.array([(-30, 0), (30, 0), (0, 8), (0, 60), (15, 4)], float)
    made = written(names(axes), places)
    led = {tuple(np.round(line.get_data(), 6)[:, 0]) for line in axes.lines}
    assert len(led) < 5
    for number, box in enumerate(made.boxes):
        away = box.apart(places)
        if away[number] <= 4 + GAP:
            assert away.argmin() == number


def test_names_keep_off_what_stands_there_and_off_edges_where_they_can(axes):
    bar = Box(10, 189, -20, 20)
    ring = circle(0, 0, 40)
    made = names(axes, taken=[bar], lines={0.9: [ring]})
    made.mark(-25, 0, 5)
    made.write("NGC 4993", -25, 0, 5)
    (box,) = made.boxes
    assert not box.meets(bar)
    assert not box.meets(Box(-30, -20, -5, 5))
    # Neither on the edge nor in the middle, where the probability is.
    assert box.apart(ring).min() > 0
    assert np.hypot(*box.points.T).min() > 40


def test_a_name_that_fits_nowhere_is_left_out(axes):
    made = names(axes, taken=[Box(-HALF, HALF, -HALF, HALF)])
    made.write("NGC 4993", 0, 0, 5)
    assert made.boxes == []
    assert len(axes.texts) == len(axes.lines) == 0


@pytest.mark.parametrize("name", ["", " ", "\n\t", "\0\x1b\u202e"])
def test_a_name_of_nothing_writes_nothing(axes, name):
    made = names(axes)
    made.mark(0, 0, 5)
    made.write(name, 0, 0, 5)
    assert made.boxes == []
    assert len(axes.texts) == len(axes.lines) == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_written_within_the_picture(axes, name):
    made = names(axes)
    made.mark(170, 170, 5)
    made.write(name, 170, 170, 5)
    (text,) = axes.texts
    assert 0 < len(text.get_text()) <= 24
    assert text.get_text().isprintable()
    assert not text.get_parse_math()
    assert "\u202e" not in text.get_text()
    axes.figure.canvas.draw()
    assert inside(axes)


def test_the_best_galaxies_of_a_crowded_picture_are_named_within_it(axes):
    shown = frame(make.cone(200, 40, 5, 0.9))
    sheet = Sheet.part(shown, 51)
    plot.part_of_sky(axes, shown, LIGHT)
    taken = plot.scale_bar(axes, shown, LIGHT)
    angle = np.arange(200) * 2.4
    x, y = 0.02 * shown.half * np.arange(200) ** 0.5 * np.stack([np.cos(angle), np.sin(angle)])
    ra, dec = to_degrees(shown.projection.backward(x, y))
    galaxies = [Place(f"NGC {n}", float(a), float(d))
                for n, (a, d) in enumerate(zip(ra, dec, strict=True))]
    before = len(axes.texts)
    Layers(axes, Sights(Overlays(galaxies=galaxies), sheet), LIGHT, taken).draw()
    found = axes.texts[before:]
    assert [text.get_text() for text in found] == [f"NGC {n}" for n in range(5)]
    assert not any(a.meets(b) for a, b in combinations(seen(axes), 2))
    assert inside(axes)


def drawn(axes: Axes) -> list[np.ndarray]:
    """Return the arms of the cross."""
    return [np.array(arm) for each in axes.collections if isinstance(each, LineCollection)
            for arm in each.get_segments()]


@pytest.mark.parametrize(("x", "y"), [
    (HALF + 1, 0), (0, -HALF - 1), (1e6, 1e6), (np.nan, np.nan)])
def test_a_cross_outside_of_the_axes_is_not_drawn(axes, x, y):
    marks.cross(axes, x, y, 12, LIGHT)
    marks.around(axes, x, y, 12, LIGHT, {0.9: [circle(0, 0, 5)]}, 1.0, holds)
    assert len(axes.lines) == len(axes.collections) == 0


@pytest.mark.parametrize("turned", [False, True])
def test_a_cross_inside_is_drawn_in_its_colour_and_size(axes, turned):
    if turned:
        axes.invert_xaxis()
    marks.cross(axes, -HALF, 20, 12, LIGHT)
    (line,) = axes.lines
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (-HALF, 20)
    assert line.get_markersize() == 12
    assert to_hex(line.get_color()) == LIGHT.mark


@pytest.mark.parametrize("radius", [0.0, 1.0, 4.0, 9.0, 13.0])
def test_the_arms_around_a_small_region_begin_beyond_its_edge(axes, radius):
    lines = {0.5: [circle(30, 40, radius / 2)], 0.9: [circle(30, 40, radius)]} if radius else {}
    places = marks.around(axes, 30, 40, 12, LIGHT, lines, 1.0, holds)
    assert len(axes.lines) == 0
    arms = drawn(axes)
    assert len(arms) == 4
    assert places[0] == (30, 40)
    assert places[1:] == [tuple(arm.mean(axis=0)) for arm in arms]
    for arm in arms:
        begin, end = np.hypot(*(arm - (30, 40)).T)
        assert begin == pytest.approx(max(marks.NEAREST, radius + marks.CLEAR), abs=0.01)
        assert end - begin == pytest.approx(marks.ARM)


def test_arms_begin_beyond_the_edge_of_a_region_that_is_not_round(axes):
    region = circle(0, 0, 10) * (1, 0.3) + (4, 0)
    marks.around(axes, 0, 0, 12, LIGHT, {0.9: [region]}, 1.0, holds)
    begins = sorted(tuple(np.round(arm[0], 1) + 0.0) for arm in drawn(axes))
    assert begins == [(-8.5, 0), (0, -5.5), (0, 5.5), (16.5, 0)]


def test_a_large_region_has_a_plain_cross(axes):
    places = marks.around(axes, 30, 40, 12, LIGHT, {0.9: [circle(30, 40, 60)]}, 1.0, holds)
    assert places == [(30, 40)]
    assert drawn(axes) == []
    (line,) = axes.lines
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (30, 40)


def test_an_arm_that_would_leave_the_picture_is_left_out(axes):
    marks.around(axes, HALF - 5, 0, 12, LIGHT, {0.9: [circle(HALF - 5, 0, 4)]}, 1.0, holds)
    arms = drawn(axes)
    assert len(arms) == 3
    assert all(holds(x, y) for arm in arms for x, y in arm)


@pytest.mark.parametrize(("radius", "plain"), [(0.3, False), (15, True)])
def test_a_map_on_the_whole_sky_is_marked_as_large_as_it_is(axes, radius, plain):
    sheet = Sheet.sky()
    lines = Sampled(make.cone(200, 40, radius, 0.9), sheet).outlines()
    x, y = (float(v) for v in sheet.forward(200, 40))
    axes.set(xlim=(-2, 2), ylim=(-2, 2))
    point = canvas.point(axes, sheet.half[0])
    marks.around(axes, x, y, 12, LIGHT, lines, point, Sights(Overlays(), sheet).holds)
    assert (len(axes.lines), len(drawn(axes))) == ((1, 0) if plain else (0, 4))
