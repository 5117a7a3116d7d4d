"""Grid and coverage: no gaps, nothing counted twice."""

from __future__ import annotations

import dataclasses

import healpy as hp
import numpy as np
import pytest

from gwbroker.observing import Telescope
from gwbroker.observing.coverage import coverage
from gwbroker.observing.fields import Fields
from gwbroker.observing.grid import covering
from gwbroker.observing.horizon import unit
from gwbroker.observing.pieces import healpix_level, region
from gwbroker.observing.telescopes import PRESETS
from gwbroker.skymap import SkyMap, make

SHAPES = [PRESETS["ztf"], PRESETS["rubin"], PRESETS["goto"], Telescope("huge", 60, 60),
          Telescope("flat", 30, 3), Telescope("tall", 3, 30), Telescope("turned", 5, 3, angle=30),
          Telescope("side", 2, 1, angle=90), Telescope("round", radius=40),
          Telescope("small", 1 / 3, 1 / 3)]


@pytest.mark.parametrize("telescope", SHAPES, ids=lambda t: t.name)
def test_the_fields_leave_no_gap_anywhere_on_the_sky(telescope: Telescope) -> None:
    rng = np.random.default_rng(1)
    some = rng.normal(size=(8000, 3))
    polar = some[:2000] * [0.05, 0.05, 1]
    vectors = np.concatenate([some, polar, unit([0, 0, 0, 360], [90, -90, 0, 0])])
    vectors /= np.linalg.norm(vectors, axis=1)[:, np.newaxis]
    fields = covering(telescope, vectors)
    assert np.asarray(fields.hold(telescope, vectors).sum(axis=0)).min() >= 1
    assert len(set(fields.names)) == len(fields)


def test_the_whole_sky_needs_little_more_than_its_area_in_fields() -> None:
    vectors = np.stack(hp.pix2vec(64, np.arange(12 * 64**2)), axis=-1)
    number = len(covering(PRESETS["ztf"], vectors))
    assert number < 1.15 * 41253 / (7.32 * 7.5)


def test_the_same_sky_always_has_the_same_fields() -> None:
    vectors = unit([10.0, 20.0], [30.0, -30.0])
    both, one = covering(PRESETS["ztf"], vectors), covering(PRESETS["ztf"], vectors[:1])
    assert one.names[0] in both.names
    assert {name[0] for name in both.names} == {"n", "s"}


@pytest.mark.parametrize("telescope", [
    Telescope("a", 7, 5), Telescope("b", radius=3), Telescope("c", 4, 2, angle=25)],
    ids=lambda t: t.name)
def test_coverage_counts_overlaps_once_and_agrees_with_a_much_finer_map(
    wide: SkyMap, telescope: Telescope,
) -> None:
    # Some overlap; one is in the tail, one far away.
    fields = Fields(tuple("abcdef"), np.array([200.0, 203, 196, 200, 200, 20]),
                    np.array([30.0, 31, 27, 32, 50, 30]))
    held, new = coverage(wide, telescope, fields)
    # Cells of 0.11 degrees, each judged by its centre.
    fine = region(wide, 1.0).split(9)
    inside = fields.hold(telescope, fine.vectors).tocsc()
    assert held == pytest.approx(inside @ fine.prob, abs=0.003)
    union = np.asarray(inside.sum(axis=0)) > 0
    assert new.sum() == pytest.approx(fine.prob[union].sum(), abs=0.003)
    assert new[0] == pytest.approx(held[0])
    assert new[5] == pytest.approx(0, abs=1e-6)


def test_a_field_holds_of_an_isotropic_sky_its_area(isotropic: SkyMap) -> None:
    ztf = PRESETS["ztf"]
    fields = Fields(("a", "b"), np.array([77.0, 200.0]), np.array([5.0, 89.5]))
    held, _ = coverage(isotropic, ztf, fields)
    a, b = np.radians([ztf.width / 2, ztf.height / 2])
    solid = 4 * np.arcsin(np.sin(np.arctan(np.tan(a) * np.cos(np.arctan(np.tan(b)))))
                          * np.sin(np.arctan(np.tan(b))))
    assert held == pytest.approx(solid / (4 * np.pi), rel=0.01)


def test_a_tiny_map_is_in_a_field_or_not(point: SkyMap) -> None:
    ra, dec = hp.vec2ang(point.vectors[np.argmax(point.probdensity)], lonlat=True)
    fields = Fields(("on", "off"), np.array([ra[0], ra[0]]), np.array([dec[0], dec[0] - 20]))
    held, new = coverage(point, PRESETS["ztf"], fields)
    assert held == pytest.approx([1, 0])
    assert new == pytest.approx([1, 0])


def test_splitting_and_merging_keep_the_probability_and_the_place() -> None:
    map_ = make.cone(10, -70, 2, 0.9)
    cells = region(map_, 1.0)
    split = cells.split(9)
    merged = split.merge(5)
    assert split.prob.sum() == pytest.approx(cells.prob.sum())
    assert merged.prob.sum() == pytest.approx(cells.prob.sum())
    assert split.level.min() == 9
    assert merged.level.max() == 5
    assert split.area.sum() == pytest.approx(cells.area.sum())
    here = make.cone(10, -70, 2, 0.9).find_vectors(split.vectors)
    assert split.prob == pytest.approx(map_.probdensity[here] * split.area)


def test_a_region_holds_its_level_and_no_cell_of_no_probability(point: SkyMap) -> None:
    map_ = make.cone(10, -70, 2, 0.9)
    assert 0.9 <= region(map_, 0.9).prob.sum() < 0.905
    assert len(region(point, 1.0)) == 1


@pytest.mark.parametrize(("width", "level"), [(60, 0), (58, 1), (0.92, 6), (1e-12, 29), (1e9, 0)])
def test_a_level_is_found_for_a_width(width: float, level: int) -> None:
    assert healpix_level(width) == level


def test_fields_can_be_taken_and_hold_nothing_of_nothing() -> None:
    fields = Fields(("a", "b"), np.array([1.0, 2.0]), np.array([0.0, 0.0]))
    assert fields.take(np.array([1])).names == ("b",)
    assert fields.hold(PRESETS["ztf"], np.empty((0, 3))).shape == (2, 0)
    none = dataclasses.replace(fields, names=(), ra=np.empty(0), dec=np.empty(0))
    assert none.hold(PRESETS["ztf"], unit([1.0], [1.0])).shape == (0, 1)
