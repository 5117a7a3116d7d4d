"""Regions as MOCs, against bit maps, astropy and mocpy."""

import json

import healpy as hp
import mocpy
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from click.testing import CliRunner

from gwbroker.cli import gwbroker
from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, fits, make
from gwbroker.skymap.moc import PIXELS, Moc
from gwbroker.skymap.polygon import outline
from gwbroker.skymap.regions import credible_areas

from .pairs import bright_pixel, isotropic, scattered

SKY = 4 * np.pi * (180 / np.pi) ** 2
LEVEL = 4
STEP = PIXELS // (12 * 4**LEVEL)


def bits(moc):
    """Return which cells of level 4 a region has."""
    start = np.arange(12 * 4**LEVEL) * STEP
    place = np.searchsorted(moc.ranges.ravel(), start, side="right")
    return place % 2 == 1


def of_bits(inside):
    """Return the region of some cells of level 4."""
    ipix = np.flatnonzero(inside)
    return Moc.of_cells(np.full(len(ipix), LEVEL), ipix)


@pytest.fixture
def sets():
    """Two regions, as bits."""
    rng = np.random.default_rng(1)
    coarse = [np.repeat(rng.random(12 * 4 ** (LEVEL - 1)) < 0.4, 4) for _ in range(2)]
    return [each ^ (rng.random(12 * 4**LEVEL) < 0.1) for each in coarse]


def test_union_intersection_and_difference_are_those_of_bits(sets):
    a, b = (of_bits(each) for each in sets)
    assert np.array_equal(bits(a), sets[0])
    for ours, theirs in (
        (a.union(b), sets[0] | sets[1]),
        (a.intersection(b), sets[0] & sets[1]),
        (a.difference(b), sets[0] & ~sets[1]),
        (a.complement(), ~sets[0]),
    ):
        assert ours == of_bits(theirs)
        assert ours.area == pytest.approx(theirs.mean() * SKY)
    assert a.union(b, Moc.whole_sky()) == Moc.whole_sky()


def test_ranges_are_in_order_and_joined():
    moc = Moc(np.array([[30, 40], [10, 20], [20, 25], [12, 13], [35, 50]]))
    assert moc.ranges.tolist() == [[10, 25], [30, 50]]
    with pytest.raises(ValueError, match="read-only"):
        moc.ranges[0] = 0


def test_cells_are_the_fewest(sets):
    moc = of_bits(sets[0])
    level, ipix = moc.cells
    assert Moc.of_cells(level, ipix) == moc
    assert len(np.unique(moc.uniq)) == len(moc.uniq) < sets[0].sum()
    # No four cells of one level are a coarser one.
    for each in np.unique(level):
        here = ipix[level == each]
        assert each == 0 or np.bincount(here >> 2).max() < 4
    assert moc.max_level == level.max() == LEVEL
    assert Moc.whole_sky().uniq.tolist() == list(range(4, 16))


def test_a_range_of_any_pixels_has_its_cells():
    moc = Moc(np.array([[5, PIXELS - 7]]))
    assert Moc.of_cells(*moc.cells) == moc
    assert moc.max_level == 29
    assert len(moc.uniq) < 250


def test_nothing_and_everything():
    nothing, sky = Moc.empty(), Moc.whole_sky()
    assert nothing.area == 0
    assert nothing.max_level == 0
    assert sky.area == pytest.approx(SKY)
    assert sky.complement() == nothing == nothing.intersection(sky) == nothing.union()
    assert sky.contains([0, 359.9], [-90, 90]).all()
    assert not nothing.contains(0, 0)
    for each in (nothing, sky):
        assert Moc.from_ascii(each.to_ascii()) == each == Moc.from_json(each.to_json())
        assert hash(each) == hash(Moc(each.ranges))


@pytest.mark.parametrize("ranges", [[[5, 5]], [[7, 5]], [[-1, 5]], [[0, PIXELS + 1]]])
def test_ranges_that_are_not_on_the_sky_are_refused(ranges):
    with pytest.raises(SkyMapError, match="ranges: from"):
        Moc(np.array(ranges))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9, 0.99])
def test_the_region_of_a_level_has_its_area(level):
    skymap = scattered(3)
    moc = Moc.of_level(skymap, level)
    area = float(credible_areas(skymap, level))
    assert area <= moc.area <= area + skymap.area.max() * SKY / 4 / np.pi


def test_the_region_of_all_is_where_there_is_any_probability(gw190814):
    assert Moc.of_level(scattered(3), 1) == Moc.whole_sky()
    assert Moc.of_level(scattered(3), 0) == Moc.empty()
    one = bright_pixel(29, 12345, 1.0)
    assert Moc.of_level(one, 1).ranges.tolist() == [[12345, 12346]]
    assert Moc.of_level(gw190814, 0.9).area == pytest.approx(23, abs=0.5)


@pytest.mark.parametrize("level", [-0.1, 90, np.nan])
def test_levels_that_are_no_probabilities_are_refused(level):
    with pytest.raises(SkyMapError, match="a credible level lies between 0 and 1"):
        Moc.of_level(isotropic(0), level)


@pytest.mark.parametrize("radius", [1e-3, 1, 30, 90, 150, 179.5])
def test_a_cone_has_its_area_and_its_edge(radius):
    moc = Moc.from_cone(40, -30, radius)
    area = SKY * np.sin(np.radians(radius) / 2) ** 2
    assert moc.area == pytest.approx(area, rel=2e-3)
    rng = np.random.default_rng(3)
    centre = SkyCoord(40 * u.deg, -30 * u.deg)
    there = centre.directional_offset_by(
        rng.uniform(0, 360, 2000) * u.deg, radius * rng.uniform(0.9, 1.1, 2000) * u.deg)
    away = there.separation(centre).deg
    clear = np.abs(away - radius) > 0.01 * radius  # a cell's width
    inside = moc.contains(there.ra.deg, there.dec.deg)
    assert np.array_equal(inside[clear], away[clear] < radius)


def test_cones_at_the_limits():
    assert Moc.from_cone(0, 90, 180) == Moc.whole_sky()
    assert Moc.from_cone(0, -90, 1e-6).max_level == 29
    assert Moc.from_cone(1, 2, 90, level=3).max_level <= 3
    for bad in (0, -1, 181, np.nan):
        with pytest.raises(SkyMapError, match="radius"):
            Moc.from_cone(1, 2, bad)
    with pytest.raises(SkyMapError, match=r"level: 29 needs more than a million .* 17 would do"):
        Moc.from_cone(1, 2, 90, level=29)
    with pytest.raises(SkyMapError, match="level: 30 is not from 0 to 29"):
        Moc.from_cone(1, 2, 3, level=30)


def test_a_polygon_has_its_area_and_its_inside():
    corners = [(350, -10), (15, -12), (10, 20), (0, 5), (348, 18)]
    moc, shape = Moc.from_polygon(corners), outline(corners)
    assert moc.area == pytest.approx(shape.area * SKY / 4 / np.pi, rel=3e-3)
    assert moc.contains([0, 355, 5], [0, 10, 5]).all()
    assert not moc.contains([0, 180, 20, 340], [15, 0, 0, 0]).any()
    with pytest.raises(SkyMapError, match="crosses"):
        Moc.from_polygon([(0, 0), (10, 10), (10, 0), (0, 10)])


def test_positions_off_the_sphere_are_refused():
    with pytest.raises(SkyMapError, match="dec: 91"):
        Moc.whole_sky().contains(0, 91)


def test_regions_agree_with_mocpy(tmp_path):
    ours = [Moc.of_level(scattered(3), 0.3), Moc.from_cone(30, 40, 50)]
    theirs = []
    for n, moc in enumerate(ours):
        moc.write(tmp_path / f"{n}.fits")
        theirs.append(mocpy.MOC.from_fits(tmp_path / f"{n}.fits"))
        assert mocpy.MOC.from_string(moc.to_ascii()) == theirs[n]
        assert mocpy.MOC.from_json(json.loads(moc.to_json())) == theirs[n]
        assert Moc.from_ascii(theirs[n].serialize("str")) == moc
        theirs[n].save(tmp_path / "theirs.fits", format="fits", overwrite=True)
        assert Moc.read(tmp_path / "theirs.fits") == moc
        assert moc.area == pytest.approx(theirs[n].sky_fraction * SKY)
    for name in ("union", "intersection", "difference"):
        there = getattr(theirs[0], name)(theirs[1]).to_depth29_ranges
        assert getattr(ours[0], name)(ours[1]).ranges.tolist() == there.tolist()
    rng = np.random.default_rng(4)
    ra, dec = rng.uniform(0, 360, 5000), rng.uniform(-90, 90, 5000)
    assert np.array_equal(ours[1].contains(ra, dec),
                          theirs[1].contains_lonlat(ra * u.deg, dec * u.deg))


def test_a_map_of_a_million_cells_has_its_region():
    ipix = np.arange(12 * 4**8)
    x, _, z = hp.pix2vec(2**8, ipix, nest=True)
    density = np.exp(-((z - 0.3) ** 2) * 20 + x)
    skymap = SkyMap(4 * 4**8 + ipix, density / density.sum() / (4 * np.pi / len(ipix)))
    moc = Moc.of_level(skymap, 0.9)
    assert moc.area == pytest.approx(float(credible_areas(skymap, 0.9)), rel=1e-4)
    assert moc.contains(*hp.pix2ang(2**8, [ipix[np.argmax(density)]], nest=True, lonlat=True))


def test_the_command_writes_a_region_and_reads_a_footprint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fits.write(make.cone(10, 20, 3, 0.9), "map.fits")

    def call(*arguments):
        found = CliRunner().invoke(gwbroker, ["skymap", *arguments])
        assert found.exit_code == 0, found.output
        return found.output

    told = json.loads(call("moc", "map.fits", "out.json", "--level", "0.5", "--json"))
    assert told["area"] == pytest.approx(Moc.read("out.json").area)
    assert 0.5 <= told["probability"] < 0.501
    assert "% of the probability" in call("moc", "map.fits", "out.fits")
    inside = json.loads(call("footprint", "map.fits", "out.json", "--json"))
    assert inside["probability"] == pytest.approx(told["probability"])
    inside = json.loads(call("footprint", "map.fits", "--cone", "10", "20", "3", "--json"))
    assert inside["probability"] == pytest.approx(0.9, abs=2e-3)
    assert "of the probability is in" in call("footprint", "map.fits", "out.fits")
    for wrong in (["footprint", "map.fits"], ["moc", "map.fits", "out.png"],
                  ["moc", "map.fits", "out.json", "--level", "90"]):
        assert CliRunner().invoke(gwbroker, ["skymap", *wrong]).exit_code != 0
