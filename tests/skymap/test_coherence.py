"""Coherence: two maps on one sky, with the number that says whether they agree."""

from itertools import cycle

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, coherence, make
from gwbroker.skymap.overlap import overlap
from gwbroker.skymap.summary import summarize

WHOLE = SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi))
PAIRS = {
    "a cone in another": (make.cone(200, 40, 1, 0.9), make.cone(201, 41, 9, 0.9)),
    "far apart": (make.cone(20, 0, 1 / 3600, 0.9), make.cone(200, 0, 1 / 3600, 0.9)),
    "uniform": (WHOLE, make.cone(0, 90, 5, 0.9)),
    "across the seam": (make.ellipse(359, 3, 20, 2, 70, 0.9), make.cone(2, 2, 4, 0.9)),
}


@pytest.mark.parametrize(("name", "theme"), list(zip(PAIRS, cycle(["light", "dark"]))))
def test_every_pair_of_maps_can_be_drawn(tmp_path, name, theme):
    coherence.coherence(*PAIRS[name], tmp_path / "map.png", ("S1 名", "GRB δ"), theme=theme, dpi=50)
    picture = imread(tmp_path / "map.png")
    assert picture.shape[1] == 650
    assert picture[..., :3].std() > 0.02


def test_the_heading_and_the_words_have_the_overlap_integral(tmp_path):
    a, b = PAIRS["a cone in another"]
    said = coherence.agree(overlap(a, b))
    assert said.endswith("(they agree)")
    coherence.coherence(a, b, tmp_path / "map.png", ("S1", "GRB 1"), dpi=50)
    with Image.open(tmp_path / "map.png") as picture:
        assert f"overlap integral is {said}" in picture.text["Description"]
        assert picture.text["Title"] == "S1 and GRB 1"
    coherence.coherence(a, b, tmp_path / "map.svg", ("S1", "GRB 1"))
    assert f"overlap {said}" in (tmp_path / "map.svg").read_text()


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0 (they disagree)"), (1e-30, "0 (they disagree)"), (0.05, "0.05 (they disagree)"),
    (0.5, "0.5 (they disagree weakly)"), (1.99, "1.99 (they agree weakly)"),
    (1.0, "1 (no evidence)"), (14.66, "14.7 (they agree)"), (12345.6, "12,346 (they agree)"),
])
def test_an_overlap_is_told_with_its_meaning(value, text):
    assert coherence.agree(value) == text


def test_what_is_enlarged_is_where_both_maps_have_probability():
    a, b = PAIRS["a cone in another"]
    shown = coherence._meeting(a, b, (summarize(a), summarize(b)), overlap(a, b))
    assert shown.whole
    assert (shown.ra, shown.dec) == pytest.approx((200, 40), abs=0.3)
    assert 1 < np.degrees(np.arcsin(shown.half)) < 3


@pytest.mark.parametrize("agreement", [0.0, 0.9 * coherence.APART])
def test_of_maps_that_exclude_each_other_the_smaller_region_is_enlarged(agreement):
    a, b = make.cone(20, 30, 9, 0.9), make.cone(200, -10, 1, 0.9)
    for one, other in ((a, b), (b, a)):
        shown = coherence._meeting(one, other, (summarize(one), summarize(other)), agreement)
        assert (shown.ra, shown.dec) == pytest.approx((200, -10), abs=0.3)
        assert shown.whole
    # Where their tails meet is far from both, and is shown from there on.
    near = make.cone(20, 20, 9, 0.9)
    shown = coherence._meeting(a, near, (summarize(a), summarize(near)), coherence.APART)
    assert (shown.ra, shown.dec) == pytest.approx((20, 25), abs=0.5)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_maps_give_the_same_bytes(tmp_path, suffix):
    for name in ("one", "two"):
        coherence.coherence(*PAIRS["across the seam"], tmp_path / (name + suffix), dpi=50)
    one, two = ((tmp_path / (name + suffix)).read_bytes() for name in ("one", "two"))
    assert one == two


def test_other_formats_and_themes_are_refused(tmp_path):
    a, b = PAIRS["uniform"]
    with pytest.raises(SkyMapError, match=r"pictures are .png or .svg"):
        coherence.coherence(a, b, tmp_path / "map.pdf")
    with pytest.raises(SkyMapError, match="theme: 'blue' is not one of light, dark"):
        coherence.coherence(a, b, tmp_path / "map.png", theme="blue")
