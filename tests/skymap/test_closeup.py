"""Close-ups: regions are as wide as they are, up to the frame, whatever the shape of cells."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.closeup import Closeup
from gwbroker.skymap.facets import STEP, Facets
from gwbroker.skymap.frame import Frame, frame
from gwbroker.skymap.mesh import angle, normalised, refine
from gwbroker.skymap.multiorder import Floats, Ints, centres
from gwbroker.skymap.occultation import occult
from gwbroker.skymap.projection import to_degrees, to_vectors
from gwbroker.skymap.sampled import Sampled
from gwbroker.skymap.sheet import Sheet

# Where the shape of cells changes, and where it does not.
PLACES = [(0, 88), (90, 80), (180, -85), (270, -60), (45, 41.8), (10, 20)]
HALF = np.radians(0.05)


def beside(shown: Frame, right: float, up: float) -> Frame:
    """Return a frame moved by parts of its half width, so that its edge cuts the region."""
    x, y = np.array(right * shown.half), np.array(up * shown.half)
    ra, dec = (float(v) for v in to_degrees(shown.projection.backward(x, y)))
    return Frame(ra, dec, 0.9 * shown.half, False)


def ring(skymap: SkyMap, shown: Frame, ra: float, dec: float) -> tuple[Floats, Floats]:
    """Return how far the 90 % contour is from a position, degrees, and from the frame's middle."""
    lines = Sampled(skymap, Sheet.part(shown, 251)).outlines()[0.9]
    points = np.concatenate(lines)
    away = np.degrees(angle(shown.projection.backward(*points.T), to_vectors(ra, dec)))
    return away, np.abs(points).max(axis=1) / shown.half


@pytest.mark.parametrize(("ra", "dec", "radius"), [
    (200, 40, 5), (0, 88, 3), (90, 85, 3), (180, -87, 2), (270, -80, 1), (45, 41.8, 1),
    (0, 89.99, 0.01)])
def test_a_contour_is_as_wide_as_the_region(ra, dec, radius):
    skymap = make.cone(ra, dec, radius, 0.9)
    away, _ = ring(skymap, frame(skymap), ra, dec)
    assert len(away) > 600
    assert away == pytest.approx(np.full(len(away), radius), rel=0.005)


@pytest.mark.parametrize(("ra", "dec", "radius"), [
    (200, 40, 5), (0, 86, 3), (90, 60, 12), (180, -87, 2), (270, -80, 1), (45, 41.8, 1)])
def test_a_contour_is_as_wide_at_the_frame_as_inside(ra, dec, radius):
    skymap = make.cone(ra, dec, radius, 0.9)
    away, place = ring(skymap, beside(frame(skymap), 0.5, 0.4), ra, dec)
    edge = place > 0.95
    assert 12 < edge.sum() < len(away) / 4
    assert away == pytest.approx(np.full(len(away), radius), rel=0.005)
    assert away[edge].mean() == pytest.approx(away[~edge].mean(), rel=1e-3)


def test_what_is_seen_does_not_depend_on_where_the_frame_ends():
    skymap = make.cone(200, 40, 5, 0.9)
    sheet = Sheet.part(frame(skymap), 251)
    part = Sheet(sheet.projection, sheet.x[100:], sheet.y[60:200])
    whole, cut = Closeup(skymap, sheet), Closeup(skymap, part)
    assert cut.density() == pytest.approx(whole.density()[60:200, 100:], rel=1e-3)
    edges = Sampled(skymap, sheet).edges
    fields, theirs = cut.fields(edges), whole.fields(edges)
    assert list(fields) == list(theirs) == [0.5, 0.9]
    for level, field in fields.items():
        assert field.values == pytest.approx(theirs[level].values[60:200, 100:], abs=1e-3)


def test_a_close_up_holds_the_probability_and_nothing_is_negative():
    skymap = make.cone(90, 80, 5, 0.9)
    sheet = Sheet.part(frame(skymap), 251)
    noise = np.exp(np.random.default_rng(4).normal(size=skymap.cells))
    rough = replace(skymap, probdensity=skymap.probdensity * noise)
    for each, exact in ((skymap, 2e-3), (rough, 2e-2)):
        seen = Closeup(each, sheet).density()
        assert seen.shape == sheet.shape
        assert seen.min() >= 0
        assert seen.sum() == pytest.approx(each.probdensity[sheet.cells(each)].sum(), rel=exact)


def test_the_shadow_of_the_earth_has_a_sharp_edge():
    bare = make.cone(200, 40, 20, 0.9)
    skymap = occult(bare, 200, 22, 15)
    sheet = Sheet.part(frame(bare), 251)
    limb = np.degrees(angle(sheet.vectors(), to_vectors(200, 22))) - 15
    seen, before = Closeup(skymap, sheet).density(), Closeup(bare, sheet).density()
    # Cells are 0.11 degrees wide there, and far wider elsewhere.
    assert seen[limb < -1.0].max() < 1e-3 * seen.max()
    front = limb > 1.0
    ratio = skymap.probdensity.max() / bare.probdensity.max()
    assert seen[front] == pytest.approx(ratio * before[front], abs=0.05 * seen.max())


@cache
def mesh(ra: float, dec: float) -> SkyMap:
    """Return equally dense cells, smaller ones on one side of a position than on the other."""
    centre = to_vectors(ra, dec)
    east = np.cross([0, 0, 1], centre)

    def wanted(vectors: Floats) -> Floats:
        least = np.where((vectors - centre) @ east > 0, HALF / 8, HALF / 24)
        return np.maximum(least, (angle(vectors, centre) - 2 * HALF) / 3)

    level, ipix = refine(wanted)
    return normalised(level, ipix, np.ones(len(level)))


def sampled(ra: float, dec: float) -> tuple[SkyMap, Sheet, Ints]:
    skymap = mesh(ra, dec)
    sheet = Sheet.part(Frame(ra, dec, float(np.sin(HALF)), True), 121)
    return skymap, sheet, sheet.cells(skymap)


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_what_is_linear_stays_linear(ra, dec):
    skymap, sheet, cell = sampled(ra, dec)
    x, y = np.nan_to_num(sheet.projection.forward(skymap.vectors))
    found = Facets(skymap, cell, sheet.vectors(), 0.0).values(3 + 0.6 * x - 0.8 * y)
    across, up = np.meshgrid(sheet.x, sheet.y)
    assert len(set(skymap.level[np.unique(cell)])) >= 2
    # The widest cell is an eighth of the sheet.
    assert np.abs(found - (3 + 0.6 * across - 0.8 * up)).max() < 1e-3 * HALF / 8


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_the_mean_of_a_cell_is_kept_and_no_plane_leaves_its_neighbours(ra, dec):
    skymap, _, cell = sampled(ra, dec)
    seen = np.unique(cell)
    # All the parts of a cell, four levels down.
    ipix = ((skymap.ipix[seen, np.newaxis] << 8) + np.arange(256)).ravel()
    parts = centres(np.repeat(skymap.level[seen] + 4, 256), ipix)
    facets = Facets(skymap, np.repeat(seen, 256), parts, 0.0)
    values = np.random.default_rng(5).exponential(size=skymap.cells)
    found = facets.values(values).reshape(-1, 256)
    assert found.mean(axis=1) == pytest.approx(values[seen], rel=1e-3)
    assert np.median(np.ptp(found, axis=1) / values[seen]) > 0.1
    assert found.min() >= 0
    assert found.min() >= values.min()
    assert found.max() <= values.max()


@pytest.mark.parametrize(("ratio", "tilted"), [(0.9 * STEP, True), (1.1 * STEP, False)])
def test_planes_are_not_tilted_by_what_is_beyond_an_edge(ratio, tilted):
    skymap, sheet, cell = sampled(10, 20)
    x, y = np.nan_to_num(sheet.projection.forward(skymap.vectors))
    x = np.clip(x, -2 * HALF, 2 * HALF)
    density = np.where(y > 0, ratio, 1.0) * (1 + 0.1 * x / HALF)
    skymap = replace(skymap, probdensity=density)
    found = Facets(skymap, cell, sheet.vectors(), 0.0).values(density)
    expected = np.where(y[cell] > 0, ratio, 1.0) * (1 + 0.1 * sheet.x / HALF)
    wrong = np.abs(found / expected - 1)
    # The cells themselves are up to 0.6 % off where they end.
    assert wrong.max() > 0.01 if tilted else wrong.max() < 1e-6
    # Nor by cells of nothing.
    empty = replace(skymap, probdensity=np.where(y > 0, density, 0.0))
    found = Facets(empty, cell, sheet.vectors(), 0.0).values(empty.probdensity)
    assert ((found == 0) == (y[cell] <= 0)).all()


def test_cells_too_small_to_be_seen_are_taken_as_they_are():
    skymap, sheet, cell = sampled(10, 20)
    values = np.random.default_rng(6).random(skymap.cells)
    small = skymap.area < (HALF / 20) ** 2
    found = Facets(skymap, cell, sheet.vectors(), HALF / 20).values(values)
    assert 0.2 < small[cell].mean() < 0.8
    assert (found[small[cell]] == values[cell][small[cell]]).all()
    assert (found[~small[cell]] != values[cell][~small[cell]]).mean() > 0.5
