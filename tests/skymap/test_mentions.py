"""Mentions: all that is seen, and nothing else, is told in words, which the picture carries."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gwbroker.skymap import SkyMap, canvas, make, plot
from gwbroker.skymap.alt import alt_text
from gwbroker.skymap.frame import Frame, frame
from gwbroker.skymap.layers import Layers
from gwbroker.skymap.mentions import LONGEST, extent, mentions
from gwbroker.skymap.moc import Moc
from gwbroker.skymap.overlays import Disc, Footprint, Overlays, Place
from gwbroker.skymap.sheet import Sheet
from gwbroker.skymap.sights import MANY, Sights, distinct
from gwbroker.skymap.theme import LIGHT

CONE = make.cone(200, 40, 5, 0.9)
NEAR = Sheet.part(frame(CONE), 61)
SKY = Sheet.sky()
FIELD = [(199.0, 39.0), (202.0, 39.0), (202.0, 42.0), (199.0, 42.0)]
GALAXIES = [Place(f"NGC {n}", 199 + 0.2 * n, 40) for n in range(12)]
EMPTY = "\u202e\0 \n"

# Of each kind one that is seen in the cone's frame, one that is not, and what is said of it; of
# the galaxy, where it is seen.
KINDS = {
    "band": (Overlays(galactic_band=True), (260.7, -25.6),
             "What lies within 10 degrees of the galactic plane is shaded."),
    "plane": (Overlays(galactic_plane=True), (266.4, -29), "A line shows the galactic plane."),
    "both": (Overlays(galactic_band=True), (266.4, -29),
             "A line shows the galactic plane, and what lies within 10 degrees of it is shaded."),
    "earth": (Overlays(earth=Disc(203, 38, 3)), Overlays(earth=Disc(20, -40, 67.5)),
              "Shaded is what the Earth hides, within 3 degrees of right ascension 203.0 and"
              " declination +38.0 degrees."),
    "fields": (Overlays(footprints=[Footprint("ZTF", [FIELD])]),
               Overlays(footprints=[Footprint("ZTF", [[(20, 0), (21, 0), (21, 1)]])]),
               "The footprint of ZTF is outlined."),
    "region": (Overlays(footprints=[Footprint("GOTO", Moc.from_cone(200, 40, 1))]),
               Overlays(footprints=[Footprint("GOTO", Moc.from_cone(20, -40, 1)),
                                    Footprint("none", Moc.empty())]),
               "The footprint of GOTO is outlined."),
    "position": (Overlays(other=Place("GRB 1", 201, 41)), Overlays(other=Place("GRB 1", 20, 0)),
                 "A star marks GRB 1, at right ascension 201.0 and declination +41.0 degrees."),
    "map": (Overlays(other=make.cone(201, 41, 2, 0.9), other_name="IC 1"),
            Overlays(other=make.cone(20, -41, 2, 0.9), other_name="IC 1"),
            "Dashed lines show the 50 and 90 percent regions of IC 1."),
    "tiny map": (Overlays(other=make.cone(201, 41, 1e-4, 0.9)),
                 Overlays(other=make.cone(20, -41, 1e-4, 0.9)),
                 "A star marks other event, at right ascension 201.0 and declination +41.0"
                 " degrees."),
    "galaxy": (Overlays(galaxies=GALAXIES[:1]), Overlays(galaxies=[Place("NGC 0", 20, 0)]),
               "A circle marks the best galaxy, NGC 0."),
    "galaxies": (Overlays(galaxies=GALAXIES), Overlays(galaxies=[Place("NGC 0", 20, 0)] * 3),
                 "Circles mark 12 galaxies, the best of them NGC 0, NGC 1, NGC 2, NGC 3 and"
                 " NGC 4."),
}
# Sun and Moon at an eclipse, in Leo; half a year later they are not in that frame.
ECLIPSE = make.cone(151, 12, 5, 0.9)
ALL = Overlays(
    galaxies=GALAXIES, footprints=[Footprint("ZTF", [FIELD]),
                                   Footprint("ZTF", Moc.from_cone(203, 41, 2))],
    other=make.cone(203, 38, 4, 0.9), other_name="GRB", time="2026-06-05T12:00:00Z",
    earth=Disc(190, 38, 9), galactic_plane=True, galactic_band=True)
HOSTILE = Overlays(
    galaxies=[Place("W" * 99, 200, 40), Place(EMPTY, 201, 40)], other=Place("\x1b[名\n\n", 200, 41),
    footprints=[Footprint("<&>\u202e", [FIELD]), Footprint("W" * 99, [FIELD])])


def said(overlays: Overlays, sheet: Sheet = NEAR) -> list[str]:
    return mentions(Sights(overlays, sheet))


def legend(sights: Sights) -> list[str]:
    axes = canvas.new_figure(7, 7, LIGHT).add_axes((0.125, 0.09, 0.75, 0.75))
    return [str(handle.get_label()) for handle in Layers(axes, sights, LIGHT, []).draw()]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_seen_has_its_sentence_and_what_is_not_has_none(kind):
    there, elsewhere, sentence = KINDS[kind]
    if isinstance(elsewhere, Overlays):
        assert said(there) == [sentence]
        assert said(elsewhere) == []
    else:
        assert said(there, Sheet.part(frame(make.cone(*elsewhere, 1, 0.9)), 61)) == [sentence]
        assert said(there) == []


def test_sun_and_moon_are_told_where_they_are_seen():
    sheet = Sheet.part(frame(ECLIPSE), 61)
    (sentence,) = said(Overlays(time="2017-08-21T18:26:00Z"), sheet)
    assert sentence.startswith("Marked are the Sun at right ascension 150.")
    assert " and the Moon at right ascension 15" in sentence
    (sentence,) = said(Overlays(time="2017-08-23T18:26:00Z"), sheet)
    assert sentence.startswith("Marked is the Sun at ")
    assert "Moon" not in sentence
    assert said(Overlays(time="2018-02-21T18:26:00Z"), sheet) == []


def test_a_map_of_which_nothing_is_laid_over_has_no_sentence():
    assert said(Overlays()) == []
    assert said(Overlays(), SKY) == []


def test_words_and_legend_tell_of_the_same():
    sights = Sights(ALL, NEAR)
    found = mentions(sights)
    assert legend(sights) == ["hidden by the Earth", "ZTF 1", "ZTF 2", "GRB, 50% and 90%",
                              "galaxies, the best largest"]
    # Footprints share a sentence.
    assert len(found) == 4
    assert found[1] == "The footprints of ZTF 1 and ZTF 2 are outlined."


@pytest.mark.parametrize(("number", "part"), [
    (1, "A circle marks the best galaxy, NGC 0."),
    (2, "Circles mark 2 galaxies, the best of them NGC 0 and NGC 1."),
    (5, "Circles mark 5 galaxies, the best of them NGC 0, NGC 1, NGC 2, NGC 3 and NGC 4."),
    (12, "Circles mark the best 5 of 12 galaxies, the best of them NGC 0,"),
])
def test_of_many_galaxies_the_whole_sky_has_a_few(number, part):
    (sentence,) = said(Overlays(galaxies=GALAXIES[:number]), SKY)
    assert sentence.startswith(part)
    assert len(Sights(Overlays(galaxies=GALAXIES[:number]), SKY).galaxies) == min(number, 5)
    assert MANY == {True: 5, False: 1000}


def test_a_galaxy_without_a_name_is_told_by_its_position():
    (sentence,) = said(Overlays(galaxies=[Place(EMPTY, 200, 40), Place("", 201, 40)]))
    assert sentence == (
        "Circles mark 2 galaxies, the best of them one at right ascension 200.0 and declination"
        " +40.0 degrees and one at right ascension 201.0 and declination +40.0 degrees.")


@pytest.mark.parametrize(("names", "shown"), [
    ([], []), (["a", "b"], ["a", "b"]), (["a", "a"], ["a 1", "a 2"]),
    (["a", "b", "a"], ["a 1", "b", "a 2"]), (["a", "a", "a 1"], ["a 2", "a 3", "a 1"]),
    (["a 1", "a", "a", "a 3"], ["a 1", "a 2", "a 4", "a 3"]),
])
def test_names_that_are_there_more_than_once_are_numbered(names, shown):
    assert distinct(names) == shown


def test_no_two_footprints_have_one_name():
    rng = np.random.default_rng(3)
    parts = ["a", "a 1", "a 1 1", "a 2", "b", "b 1", "b 1 1 1"]
    for _ in range(300):
        names = [str(name) for name in rng.choice(parts, rng.integers(1, 9))]
        found = distinct(names)
        assert len(set(found)) == len(found)
        assert all(f.startswith(n) for n, f in zip(names, found, strict=True))


@pytest.mark.parametrize("name", ["W" * 30, "The very long name of a telescope", EMPTY, "", "ZTF"])
def test_footprints_of_one_name_are_told_apart_in_the_legend_and_in_words(name):
    sights = Sights(Overlays(footprints=[Footprint(name, [FIELD])] * 3), NEAR)
    labels = legend(sights)
    assert len(set(labels)) == 3
    for n, label in enumerate(labels, 1):
        assert label.endswith(f" {n}")
        assert len(label) > 4
    (sentence,) = mentions(sights)
    assert sentence == f"The footprints of {labels[0]}, {labels[1]} and {labels[2]} are outlined."


@pytest.mark.parametrize("name", [
    "W" * 5000, "a\nb\tc", "\x1b[31mred\0", "\u202eabc", "$x^2$ <&>", "日本語", EMPTY])
def test_any_name_is_told_on_one_line_and_cut(name):
    laid = Overlays(galaxies=[Place(name, 200, 40)], footprints=[Footprint(name, [FIELD])],
                    other=Place(name, 200, 41))
    found = said(laid)
    assert len(found) == 3
    for sentence in found:
        assert sentence.isprintable()
        assert "  " not in sentence
        assert " ," not in sentence
        assert "W" * LONGEST not in sentence
    labels = legend(Sights(laid, NEAR))
    assert len(labels) == 3
    assert all(0 < len(label) <= 24 or "galaxies" in label for label in labels)


def test_many_footprints_are_counted():
    (sentence,) = said(Overlays(footprints=[Footprint(f"F{n}", [FIELD]) for n in range(9)]))
    assert sentence == "The footprints of F0, F1, F2, F3 and 5 more are outlined."


@pytest.mark.parametrize(("shown", "part"), [
    (None, "The picture shows the whole sky."),
    (Frame(0, 0, np.sin(np.radians(6)), True), " 12 degrees across, with all of the 90 percent"),
    (Frame(0, 0, np.sin(np.radians(40)), False), " 80 degrees across, where it is most probable."),
    (Frame(0, 0, np.sin(np.radians(0.1)), True), " 12 arcminutes across, "),
    (Frame(0, 0, np.sin(np.radians(1 / 3600)), True), " 2 arcseconds across, "),
])
def test_it_is_told_which_part_of_the_sky_is_shown(shown, part):
    assert part in extent(CONE, shown)
    flat = SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi))
    assert "probable" not in extent(flat, shown and replace(shown, whole=False))


@pytest.mark.parametrize(("draw", "laid", "part"), [
    (plot.all_sky, ALL, "The footprints of ZTF 1 and ZTF 2 are outlined. Marked are the Sun"),
    (plot.zoom, ALL, "Circles mark 12 galaxies, the best of them NGC 0, NGC 1, "),
    (plot.zoom, HOSTILE, "A star marks [名, at right ascension 200.0 "),
], ids=["all sky", "zoom", "hostile"])
def test_a_picture_with_overlays_carries_what_is_described(tmp_path, draw, laid, part):
    expected = plot.describe(CONE, "S1", part=draw is plot.zoom, overlays=laid)
    assert expected.startswith(alt_text(CONE, "S1"))
    assert extent(CONE, frame(CONE) if draw is plot.zoom else None) in expected
    assert part in expected
    draw(CONE, tmp_path / "map.png", "S1", overlays=laid, dpi=40)
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.text["Description"] == expected
