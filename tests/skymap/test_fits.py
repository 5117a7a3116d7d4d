"""FITS: what is read, what is written, and what is refused."""

import io
import re
from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, fits, mesh

same_disk = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_same(one, other):
    assert list(one.columns) == list(other.columns)
    for name, values in one.columns.items():
        np.testing.assert_array_equal(other.columns[name], values, err_msg=name)


def test_a_recorded_gwalert_is_read_as_it_is(gwalert):
    skymap = fits.read(gwalert, "MS260605l")
    with astropy_fits.open(io.BytesIO(gwalert)) as hdus:
        recorded = {c: hdus[1].data[c] for c in hdus[1].columns.names}
        order = np.lexsort([recorded["UNIQ"]])
        assert sorted(skymap.uniq) == recorded["UNIQ"][order].tolist()
    assert (skymap.cells, skymap.max_level, skymap.has_distance) == (19200, 11, True)
    assert skymap.meta["OBJECT"] == "M639421"
    assert skymap.meta["DATE-OBS"] == "2026-06-05T11:57:26.395862"


@st.composite
def maps(draw):
    """Maps of random meshes with random densities, with or without distances."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    uniq, active = [], np.arange(12)
    for level in range(draw(st.integers(0, 29)) + 1):
        split = rng.choice(len(active), min(2, len(active)), replace=False)
        uniq.append(4 ** (level + 1) + np.delete(active, split))
        active = (4 * active[split, np.newaxis] + np.arange(4)).ravel()
        if level == 28:
            break
    uniq = np.concatenate([*uniq, 4 ** (level + 2) + active])
    density = rng.exponential(size=len(uniq))
    density /= (density * SkyMap(uniq, density).area).sum()
    if not draw(st.booleans()):
        return SkyMap(uniq, density).validate()
    mu = rng.normal(100, 50, len(uniq))
    mu[rng.random(len(uniq)) < 0.1] = np.inf
    return SkyMap(uniq, density, mu, rng.random(len(uniq)), rng.random(len(uniq))).validate()


@same_disk
@given(maps(), st.sampled_from(["map.fits", "map.fits.gz"]))
def test_what_is_written_is_read_again_to_the_last_bit(tmp_path, skymap, name):
    fits.write(skymap, tmp_path / name, {})
    assert_same(skymap, fits.read(tmp_path / name))


@same_disk
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=300), max_size=4), st.text())
def test_any_text_can_be_provenance(tmp_path, simple, provenance, name):
    path = tmp_path / "map.fits"
    fits.write(replace(simple.validate(), meta={"OBJECT": name[:40]}), path, provenance)
    assert_same(simple.validate(), fits.read(path))


def test_the_header_says_what_the_map_is_and_where_it_came_from(tmp_path, merger):
    fits.write(merger, tmp_path / "map.fits", {"notice": "12", "made by": "gwbroker 0.1.0"})
    with astropy_fits.open(tmp_path / "map.fits") as hdus:
        header = hdus[1].header
        assert (header["MOCORDER"], header["ORDERING"]) == (11, "NUNIQ")
        assert (header["INDXSCHM"], header["COORDSYS"]) == ("EXPLICIT", "C")
        assert (header["TUNIT2"], header["TUNIT3"], header["TUNIT5"]) == ("sr-1", "Mpc", "Mpc-2")
        assert header["OBJECT"] == "M639421"
        assert list(header["HISTORY"]) == ["notice: 12", "made by: gwbroker 0.1.0"]
    assert fits.read(tmp_path / "map.fits").meta == merger.meta


@pytest.mark.parametrize("name", ["map.fits", "map.fits.gz"])
def test_the_same_map_gives_the_same_bytes_and_leaves_no_other_file(tmp_path, simple, name):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        fits.write(simple, tmp_path / folder / name, {"notice": "1"})
        fits.write(simple, tmp_path / folder / name, {"notice": "1"})
        assert [p.name for p in (tmp_path / folder).iterdir()] == [name]
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path, simple):
    (tmp_path / "map.fits").mkdir()
    with pytest.raises(OSError, match="directory"):
        fits.write(simple, tmp_path / "map.fits", {})
    assert [p.name for p in tmp_path.iterdir()] == ["map.fits"]


def test_ligo_skymap_reads_what_we_write(tmp_path, merger, ligo):
    fits.write(merger, tmp_path / "map.fits", {"notice": "1"})
    table = ligo("io").read_sky_map(str(tmp_path / "map.fits"), moc=True)
    np.testing.assert_array_equal(table["UNIQ"], merger.uniq)
    np.testing.assert_array_equal(table["DISTMU"], merger.distmu)


@pytest.mark.parametrize("nest", [True, False])
@pytest.mark.parametrize("vectors", [True, False])
def test_flat_maps_of_healpy_are_read(tmp_path, nest, vectors):
    rng = np.random.default_rng(3)
    prob = rng.random(12 * 32**2)
    prob /= prob.sum()
    path = tmp_path / "flat.fits"
    hp.write_map(
        path, prob, nest=nest, fits_IDL=vectors, coord="C", dtype=np.float64, column_names=["PROB"]
    )
    skymap = fits.read(path)
    ra, dec = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    pixel = hp.ang2pix(32, ra, dec, nest=nest, lonlat=True)
    assert skymap.probdensity[skymap.find(ra, dec)] == pytest.approx(
        prob[pixel] / hp.nside2pixarea(32), rel=1e-12
    )


@pytest.mark.parametrize("nest", [True, False])
def test_a_flattened_map_comes_back_as_the_same_cells(tmp_path, nest):
    level, ipix = mesh.refine(lambda v: np.linalg.norm(v - [0, 0.6, 0.8], axis=-1) / 8 + 0.01)
    skymap = mesh.sample(level, ipix, lambda v: v[:, 0] + 2)
    nside = 2**skymap.max_level
    assert nside == 128
    cell = skymap.find(*hp.pix2ang(nside, np.arange(12 * nside**2), nest=nest, lonlat=True))
    columns = [skymap.probdensity[cell] * hp.nside2pixarea(nside), 100.0 + cell, cell, cell]
    names = ["PROBABILITY", "DISTMU", "DISTSIGMA", "DISTNORM"]
    hp.write_map(tmp_path / "f.fits.gz", columns, nest=nest, dtype=np.float64, column_names=names)
    again = fits.read(tmp_path / "f.fits.gz")
    np.testing.assert_array_equal(again.uniq, skymap.uniq)
    np.testing.assert_allclose(again.probdensity, skymap.probdensity, rtol=1e-12)
    np.testing.assert_array_equal(again.distmu, 100.0 + np.arange(skymap.cells))


@pytest.mark.parametrize(
    ("name", "scale"), [("PROBDENSITY", 1 / (4 * np.pi)), ("Prob", 1 / 48), ("anything", 1 / 48)]
)
def test_the_column_of_a_flat_map_decides_what_its_numbers_mean(encode, name, scale):
    content = encode([(name, "E", np.full(48, scale))], ORDERING="NESTED", NSIDE=2)
    skymap = fits.read(content)
    assert skymap.uniq.tolist() == list(range(4, 16))
    assert skymap.probdensity == pytest.approx(1 / (4 * np.pi), rel=1e-6)


@pytest.mark.parametrize(
    ("size", "header", "message"),
    [
        (48, {"ORDERING": "NESTED", "NSIDE": 4}, "NSIDE is 4, but there are 48 pixels"),
        (48, {"ORDERING": "NESTED", "NSIDE": "two"}, "NSIDE is 'two', not a whole number"),
        (48, {"ORDERING": "SPIRAL", "NSIDE": 2}, "ORDERING is 'SPIRAL', not NESTED or RING"),
        (48, {"NSIDE": 2}, "ORDERING is 'MISSING'"),
        (47, {"ORDERING": "RING"}, "47 pixels are not the whole sky"),
        (108, {"ORDERING": "RING", "NSIDE": 3}, "108 pixels are not the whole sky"),
        (48, {"ORDERING": "RING", "INDXSCHM": "EXPLICIT"}, "INDXSCHM is 'EXPLICIT'"),
        (48, {"ORDERING": "RING", "COORDSYS": "G"}, "COORDSYS is 'G', only equatorial"),
        (0, {"ORDERING": "RING"}, "the table has no rows"),
    ],
)
def test_flat_maps_with_a_wrong_header_are_refused(encode, size, header, message):
    content = encode([("PROB", "D", np.full(size, 1 / max(size, 1)))], **header)
    with pytest.raises(SkyMapError, match=f"^bad.fits: .*{re.escape(message)}"):
        fits.read(content, "bad.fits")


@pytest.mark.parametrize("value", [np.nan, hp.UNSEEN, -1.0])
def test_flat_maps_with_impossible_values_are_refused(encode, value):
    prob = np.full(48, 1 / 48)
    prob[5] = value
    with pytest.raises(SkyMapError, match=r"column PROBDENSITY: .* in row"):
        fits.read(encode([("PROB", "D", prob)], ORDERING="RING"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"UNIQ": ("D", np.arange(15.0))}, "column UNIQ: holds .* instead of integers"),
        ({"PROBDENSITY": ("4A", np.full(15, "text"))}, "column PROBDENSITY: holds .* instead"),
        ({"PROBDENSITY": ("2D", np.ones((15, 2)))}, "column PROBDENSITY: has shape"),
        ({"PROBDENSITY": ("D", np.zeros(15))}, "the map sums to 0 instead of 1"),
        ({"PROBDENSITY": ("D", np.full(15, 2 / (4 * np.pi)))}, "the map sums to 2 instead of 1"),
        ({"DISTMU": ("D", np.ones(15))}, "column DISTSIGMA: is missing, though DISTMU is there"),
    ],
)
def test_multi_order_maps_with_wrong_columns_are_refused(multiorder, simple, change, message):
    with pytest.raises(SkyMapError, match=f"^bad.fits: .*{message}"):
        fits.read(multiorder(simple, **change), "bad.fits")


def test_a_map_without_density_is_refused(encode, simple):
    content = encode([("UNIQ", "K", simple.uniq)])
    with pytest.raises(SkyMapError, match="column PROBDENSITY: is missing"):
        fits.read(content)
