"""FITS: what is read, what is written, and what is refused."""

import gzip
import io
import re
import zlib
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


def encode(columns, **header):
    """Return a FITS file with one table; columns are (name, format, values)."""
    table = astropy_fits.BinTableHDU.from_columns(
        [astropy_fits.Column(n, f, array=v) for n, f, v in columns]
    )
    table.header.update({"PIXTYPE": "HEALPIX", **header})
    buffer = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def multiorder(skymap, **change):
    columns = {"UNIQ": ("K", skymap.uniq), "PROBDENSITY": ("D", skymap.probdensity), **change}
    return encode([(n, f, v) for n, (f, v) in columns.items()], ORDERING="NUNIQ")


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
def test_the_column_of_a_flat_map_decides_what_its_numbers_mean(name, scale):
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
def test_flat_maps_with_a_wrong_header_are_refused(size, header, message):
    content = encode([("PROB", "D", np.full(size, 1 / max(size, 1)))], **header)
    with pytest.raises(SkyMapError, match=f"^bad.fits: .*{re.escape(message)}"):
        fits.read(content, "bad.fits")


@pytest.mark.parametrize("value", [np.nan, hp.UNSEEN, -1.0])
def test_flat_maps_with_impossible_values_are_refused(value):
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
def test_multi_order_maps_with_wrong_columns_are_refused(simple, change, message):
    with pytest.raises(SkyMapError, match=f"^bad.fits: .*{message}"):
        fits.read(multiorder(simple, **change), "bad.fits")


def test_a_map_without_density_is_refused(simple):
    content = encode([("UNIQ", "K", simple.uniq)])
    with pytest.raises(SkyMapError, match="column PROBDENSITY: is missing"):
        fits.read(content)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"not a map", b"<?xml version='1.0'?>", b"SIMPLE  =", b"\x1f\x8b"]
)
def test_what_is_not_fits_is_refused(content):
    with pytest.raises(SkyMapError, match=r"^thing.fits: "):
        fits.read(content, "thing.fits")


def test_fits_without_a_table_is_refused():
    buffer = io.BytesIO()
    astropy_fits.PrimaryHDU(np.zeros((4, 4))).writeto(buffer)
    with pytest.raises(SkyMapError, match="has no table"):
        fits.read(buffer.getvalue())


@pytest.mark.parametrize("part", [0.0001, 0.002, 0.004, 0.005, 0.008, 0.01, 0.5, 0.99, 0.9963])
@pytest.mark.parametrize("packed", [False, True])
def test_truncated_files_are_refused(gwalert, part, packed):
    content = gzip.compress(gwalert, 1) if packed else gwalert
    with pytest.raises(SkyMapError, match=r"^cut.fits: "):
        fits.read(content[: int(part * len(content))], "cut.fits")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_headers_give_a_map_or_our_error_and_nothing_else(data):
    content = bytearray(
        encode(
            [("UNIQ", "K", np.arange(4, 16)), ("PROBDENSITY", "D", np.full(12, 1 / 4 / np.pi))],
            ORDERING="NUNIQ", COORDSYS="C", OBJECT="GW",
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 40 * 80 + 2880))
        content[place] = data.draw(st.integers(0, 255))
    try:
        skymap = fits.read(bytes(content))
    except SkyMapError:
        return
    assert skymap.prob.sum() == pytest.approx(1)


def test_a_damaged_card_that_is_not_needed_costs_nothing_else(simple):
    content = multiorder(simple).replace(b"ORDERING= 'NUNIQ   '", b"OBJECT  = 'GW\x80\x01    '")
    assert b"\x80" in content
    skymap = fits.read(content)
    assert (skymap.cells, skymap.meta) == (15, {})


def test_a_damaged_card_that_is_needed_is_refused():
    content = encode([("PROB", "D", np.full(48, 1 / 48))], ORDERING="RING")
    with pytest.raises(SkyMapError, match="^sky map: is damaged FITS: VerifyError"):
        fits.read(content.replace(b"ORDERING= 'RING    '", b"ORDERING= 'RI\x80\x01    "))


@pytest.mark.parametrize("rows", [10**9, 10**15, 10**18])
def test_a_header_that_promises_too_many_rows_costs_no_memory(simple, rows):
    content = multiorder(simple)
    card = b"NAXIS2  =                   15"
    assert card in content
    with pytest.raises(SkyMapError, match=r"^big.fits: "):
        fits.read(content.replace(card, b"NAXIS2  = %20d" % rows), "big.fits")


def test_a_gzip_bomb_is_stopped_at_the_limit():
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(2**20)
    content = b"".join(bomb.compress(block) for _ in range(64)) + bomb.flush()
    with pytest.raises(SkyMapError, match="larger than 1048576 bytes after decompression"):
        fits.read(content, limit=2**20)
    many = gzip.compress(block[: 2**19]) * 3
    with pytest.raises(SkyMapError, match="larger than 1048576 bytes after decompression"):
        fits.read(many, limit=2**20)


def test_a_file_larger_than_the_limit_is_refused(tmp_path):
    path = tmp_path / "large.fits"
    path.write_bytes(bytes(2000))
    with pytest.raises(SkyMapError, match=r"large.fits: is larger than 1000 bytes"):
        fits.read(path, limit=1000)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SkyMapError, match=r"none.fits: cannot be read: No such file"):
        fits.read(tmp_path / "none.fits")
