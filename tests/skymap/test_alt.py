"""Alt text: true plain sentences, which every picture carries."""

from xml.etree import ElementTree

import numpy as np
import pytest
from astropy.coordinates import SkyCoord, get_constellation
from PIL import Image

from gwbroker.skymap import SkyMap, make, plot
from gwbroker.skymap.alt import alt_text, constellation

SVG = "{http://www.w3.org/2000/svg}"


def test_constellations_are_those_of_astropy():
    rng = np.random.default_rng(8)
    ra, dec = rng.uniform(0, 360, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    theirs = get_constellation(SkyCoord(ra, dec, unit="deg"))
    ours = [constellation(a, d) for a, d in zip(ra, dec, strict=True)]
    # Aberration, which astropy adds, moves a boundary by up to 20 arcseconds.
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) <= 5


@pytest.mark.parametrize(("ra", "dec", "name"), [
    (0, 90, "Ursa Minor"), (77, -90, "Octans"), (83.82, -5.39, "Orion"), (360, 0, "Pisces"),
    (201.3, -43, "Centaurus"), (0, 0, "Pisces"),
])
def test_well_known_positions_are_in_their_constellations(ra, dec, name):
    assert constellation(ra, dec) == name


def test_it_tells_areas_position_and_distance(simple):
    text = alt_text(simple, "  S1\n")
    assert text.startswith("Sky map of S1: ")
    assert "square degrees" in text
    assert " in the constellation " in text
    assert text.endswith("It is 108 megaparsecs away, give or take 19.")
    assert 1 <= text.count(". ") + 1 <= 3


@pytest.mark.parametrize(("skymap", "part"), [
    (lambda: make.cone(83.8, -5.4, 1, 0.9), "Orion, in the southern sky"),
    (lambda: make.cone(83.8, -5.4, 1e-6, 0.9), "41 square milliarcseconds"),
    (lambda: SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi)), "it may be anywhere"),
])
def test_small_and_uniform_maps_are_told_as_what_they_are(skymap, part):
    text = alt_text(skymap(), "")
    assert part in text
    assert text.startswith("Sky map of an event: ")
    assert "nan" not in text


@pytest.mark.parametrize("draw", [plot.all_sky, plot.zoom])
@pytest.mark.parametrize("title", ["GRB 1", "Δ 日本 <&> \"'", "a\0\nb"])
def test_every_picture_carries_it(tmp_path, draw, title):
    skymap = make.cone(200, 40, 5, 0.9)
    said = plot.describe(skymap, title, part=draw is plot.zoom).replace("\0", "")
    assert said.startswith(alt_text(skymap, title).replace("\0", ""))
    draw(skymap, tmp_path / "map.png", title, dpi=40)
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.text["Description"] == said
        assert picture.text["Title"] == " ".join(title.replace("\0", "").split())
    draw(skymap, tmp_path / "map.svg", title)
    root = ElementTree.parse(tmp_path / "map.svg").getroot()
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text == said
