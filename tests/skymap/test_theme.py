"""Themes: colours that all people tell apart, whichever colours they see."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gwbroker.skymap.theme import THEMES, contrast

# Machado, Oliveira & Fernandes (2009), IEEE Trans. Vis. Comput. Graph. 15, 1291: severity 1.0.
EYES = {
    "three colours": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])
APART = 13.0
UNLIKE = 6.5
# One of each is a disc with an edge, the other a shaded part of the sky or an open ring.
SHAPES = ({"moon", "earth"}, {"sun", "galaxy"})

each_theme = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
each_eye = pytest.mark.parametrize("eye", EYES)


def lab(colour: str, eye: str) -> np.ndarray:
    """Return L*, a* and b* (CIE 1976, D65) of a colour as some people see it."""
    sent = np.array(to_rgb(colour))
    linear = np.where(sent <= 0.04045, sent / 12.92, ((sent + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(EYES[eye]) @ linear, 0, 1)
    part = (TO_XYZ @ seen) / TO_XYZ.sum(axis=1)
    f = np.where(part > 216 / 24389, np.cbrt(part), (24389 / 27 * part + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: str, other: str, eye: str = "three colours") -> float:
    return float(np.linalg.norm(lab(one, eye) - lab(other, eye)))


def test_differences_of_colours_are_those_of_the_cie():
    assert lab("#ff0000", "three colours") == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert difference("#000000", "#ffffff") == pytest.approx(100, abs=0.01)
    # Colours that are known to be mistaken for each other.
    for one, other, eye in [("#7f7f00", "#b05a00", "deutan"), ("#00808c", "#008070", "tritan"),
                            ("#004d40", "#632f3f", "protan")]:
        assert difference(one, other, eye) < 0.5 * difference(one, other)


@each_eye
@each_theme
def test_colours_of_what_is_laid_over_a_map_can_be_told_apart(theme, eye):
    names = ("mark", "other", "galaxy", "footprint", "sun", "moon", "earth", "plane")
    colours = {name: getattr(theme, name) for name in names}
    colours |= {f"{level:.0%}": colour for level, colour in theme.contours.items()}
    assert len(colours) == 10
    for a, b in combinations(colours, 2):
        least = UNLIKE if {a, b} in SHAPES else APART
        assert difference(colours[a], colours[b], eye) > least, (a, b)


@each_eye
@each_theme
def test_colours_of_two_maps_can_be_told_apart_and_from_their_ground(theme, eye):
    assert difference(theme.first, theme.second, eye) > 75
    for colour in (theme.first, theme.second):
        assert difference(colour, theme.ground, eye) > 40


@each_theme
def test_words_have_the_contrast_that_wcag_asks_for(theme):
    for words in (theme.title, theme.text, theme.ink):
        assert contrast(words, theme.ground) >= 4.5
