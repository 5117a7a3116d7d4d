"""SkyMap: numbering, order, and what is refused."""

import pickle
from dataclasses import FrozenInstanceError, replace

import healpy as hp
import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap
from gwbroker.skymap.multiorder import DEEPEST, uniq_of


@pytest.mark.parametrize("level", range(DEEPEST + 1))
def test_first_and_last_cell_of_each_level_come_back_from_uniq(level):
    ipix = np.array([0, 12 * 4**level - 1])
    skymap = SkyMap(uniq_of(level, ipix), np.ones(2))
    assert skymap.level.tolist() == [level, level]
    assert skymap.ipix.tolist() == ipix.tolist()
    assert skymap.area == pytest.approx(hp.nside2pixarea(2**level), rel=1e-14)


def test_cells_are_put_in_the_order_of_the_sky(simple):
    mixed = np.random.default_rng(1).permutation(simple.cells)
    skymap = SkyMap(simple.uniq[mixed], simple.probdensity[mixed]).validate()
    assert skymap.uniq.tolist() == simple.uniq.tolist()
    assert (np.diff(skymap.start) > 0).all()
    assert skymap.probdensity == pytest.approx(simple.probdensity, rel=1e-15)


def test_probabilities_are_density_times_area_and_sum_to_one(simple):
    skymap = simple.validate()
    assert skymap.prob.sum() == pytest.approx(1, abs=1e-12)
    assert (skymap.cells, skymap.max_level, skymap.has_distance) == (15, 1, True)


def test_a_position_is_found_in_the_cell_that_healpy_gives(merger):
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, 2000), np.degrees(np.arcsin(rng.uniform(-1, 1, 2000)))
    found = merger.find(ra, dec)
    for k in np.unique(merger.level[found]):
        here = merger.level[found] == k
        expected = hp.ang2pix(2**k, ra[here], dec[here], nest=True, lonlat=True)
        assert (merger.ipix[found][here] == expected).all()


def test_a_map_cannot_be_changed(simple):
    skymap = simple.validate()
    with pytest.raises(FrozenInstanceError):
        skymap.uniq = simple.uniq
    with pytest.raises(ValueError, match="read-only"):
        skymap.probdensity[0] = 1


def test_a_map_survives_pickling(simple):
    again = pickle.loads(pickle.dumps(simple))
    assert (again.prob == simple.prob).all()


def test_a_total_within_one_per_cent_is_renormalised(simple):
    skymap = replace(simple, probdensity=simple.probdensity * 0.993).validate()
    assert skymap.prob.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("factor", [0, 0.5, 0.98, 1.02, 2])
def test_a_map_that_does_not_sum_to_one_is_refused(simple, factor):
    with pytest.raises(SkyMapError, match=f"^f: column PROBDENSITY: the map sums to {factor:g} "):
        replace(simple, probdensity=simple.probdensity * factor).validate("f")


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "nan in cell 7 is not a finite"), (np.inf, "inf in cell 7 is not a finite"),
     (-0.1, "-0.1 in cell 7 is negative")],
)
def test_impossible_densities_are_refused(simple, value, message):
    density = simple.probdensity.copy()
    density[3] = value
    with pytest.raises(SkyMapError, match=f"column PROBDENSITY: {message}"):
        replace(simple, probdensity=density).validate()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda u: np.append(u[:-1], 15), "cell 15 overlaps cell 60"),
        (lambda u: np.append(u[:-1], u[-2]), "cell 62 overlaps cell 62"),
        (lambda u: np.append(u[:-1], 240), "cell 240 overlaps cell 60"),
        (lambda u: np.append(3, u[1:]), "3 in row 0 is not a cell number"),
        (lambda u: np.append(-5, u[1:]), "-5 in row 0 is not a cell number"),
        (lambda u: np.append(4**31, u[1:]), "4611686018427387904 in row 0 lies deeper"),
    ],
)
def test_cells_that_do_not_cover_the_sky_once_are_refused(simple, change, message):
    with pytest.raises(SkyMapError, match=f"column UNIQ: .*{message}"):
        replace(simple, uniq=change(simple.uniq)).validate()


@pytest.mark.parametrize("absent", [0, 7, 14])
def test_missing_cells_are_refused(simple, absent):
    keep = np.arange(simple.cells) != absent
    with pytest.raises(SkyMapError, match=r"column UNIQ: cells are missing .* of the sky"):
        SkyMap(simple.uniq[keep], simple.probdensity[keep]).validate()


def test_an_empty_map_is_refused():
    with pytest.raises(SkyMapError, match="column UNIQ: the table has no rows"):
        SkyMap(np.array([], np.int64), np.array([])).validate()


def test_columns_of_another_length_are_refused(simple):
    with pytest.raises(SkyMapError, match="column DISTMU: has shape"):
        replace(simple, distmu=np.ones(3)).validate()


def test_an_incomplete_set_of_distances_is_refused(simple):
    with pytest.raises(SkyMapError, match="column DISTSIGMA: is missing, though DISTMU"):
        replace(simple, distsigma=None).validate()


@pytest.mark.parametrize("column", ["distsigma", "distnorm"])
def test_negative_scales_of_distance_are_refused(simple, column):
    message = f"column {column.upper()}: -1.0 in cell 4 is negative, and 14 more"
    with pytest.raises(SkyMapError, match=message):
        replace(simple, **{column: -np.ones(simple.cells)}).validate()


@pytest.mark.parametrize("column", ["distsigma", "distnorm"])
def test_infinite_scales_of_a_distance_that_is_finite_are_refused(simple, column):
    values = simple.columns[column].copy()
    values[3] = np.inf
    message = f"column {column.upper()}: inf in cell 7 is infinite, though DISTMU is not$"
    with pytest.raises(SkyMapError, match=message):
        replace(simple, **{column: values}).validate()
    # Of an unknown distance nothing is known, whatever stands beside it.
    unknown = np.full(simple.cells, np.inf)
    assert replace(simple, distmu=unknown, **{column: values}).validate().has_distance


def test_a_norm_that_does_not_fit_into_a_number_is_no_mistake(simple):
    steep = replace(simple, distmu=np.full(simple.cells, -1000.0),
                    distnorm=np.full(simple.cells, np.inf))
    assert steep.validate().has_distance


def test_densities_that_overflow_are_refused_without_a_warning(simple):
    with pytest.raises(SkyMapError, match="the map sums to inf instead of 1"):
        replace(simple, probdensity=np.full(simple.cells, 1e308)).validate()


@pytest.mark.parametrize(
    ("ra", "dec", "message"),
    [(np.nan, 0, "ra: nan is not a finite number"), (0, np.nan, "dec: nan is not within"),
     ([0, np.inf], [0, 0], "ra: inf is not a finite"), (0, -90.5, "dec: -90.5 is not within")],
)
def test_a_place_that_is_not_on_the_sky_is_not_found(simple, ra, dec, message):
    with pytest.raises(SkyMapError, match=message):
        simple.validate().find(ra, dec)
