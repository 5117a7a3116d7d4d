"""Flat maps: the same probability and distance in pixels of one size."""

import gzip
import subprocess
import sys
from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, distances, files, fits, make, mesh
from gwbroker.skymap.flatten import flatten, write_flat

LAYERS = ("DISTMU", "DISTSIGMA", "DISTNORM")


@pytest.fixture(scope="module")
def theirs(gwalert, ligo, tmp_path_factory):
    """Return what ligo-skymap-flatten makes of the recorded map, by NSIDE."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "map.fits").write_bytes(gwalert)

    def run(nside):
        out = folder / f"{nside}.fits"
        ligo("tool.ligo_skymap_flatten").main(
            [str(folder / "map.fits"), str(out), "--nside", str(nside)])
        return astropy_fits.getdata(out, 1)

    return run


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("nside", [16, 128, 256])
def test_the_result_is_that_of_ligo_skymap_flatten(merger, theirs, nside):
    ours, peer = flatten(merger, nside), theirs(nside)
    assert len(ours.prob) == len(peer)
    # Sums of the same numbers: rounding only.
    np.testing.assert_allclose(ours.prob, peer["PROB"], rtol=1e-12, atol=1e-300)
    # Where the peer knows a distance (it loses that of pixels in which one cell has none), it
    # agrees to 1e-6: it inverts moments into parameters by a fit of that accuracy, and takes
    # the difference of squares for the variance.
    mean, std = distances.moments(ours.distmu, ours.distsigma)
    peer_mean, peer_std = distances.moments(peer["DISTMU"], peer["DISTSIGMA"])
    both = np.isfinite(mean) & np.isfinite(peer_mean) & (ours.prob > 1e-30)
    assert both.sum() > 0.9 * (ours.prob > 1e-30).sum()
    np.testing.assert_allclose(mean[both], peer_mean[both], rtol=1e-6)
    np.testing.assert_allclose(std[both], peer_std[both], rtol=1e-5)
    np.testing.assert_allclose(ours.distnorm[both], peer["DISTNORM"][both], rtol=1e-4)


@pytest.mark.parametrize("nside", [1, 2, 32, 256])
def test_no_probability_is_lost_and_the_distance_of_the_sky_stays(merger, nside):
    flat = flatten(merger, nside)
    assert flat.prob.sum() == pytest.approx(1, abs=1e-13)
    mean, std = distances.moments(flat.distmu, flat.distsigma)
    known = np.isfinite(mean)
    weight = flat.prob[known] / flat.prob[known].sum()
    middle = weight @ mean[known]
    spread = np.sqrt(weight @ (std[known] ** 2 + (mean[known] - middle) ** 2))
    assert middle == pytest.approx(39.588357871, rel=1e-8)
    assert spread == pytest.approx(6.038130306, rel=1e-8)


def test_probability_agrees_with_healpy(merger):
    fine = flatten(merger, 1024)
    coarse = hp.ud_grade(fine.prob, 64, order_in="NEST", order_out="NEST", power=-2)
    np.testing.assert_allclose(flatten(merger, 64).prob, coarse, rtol=1e-11, atol=1e-300)


def test_distances_of_a_mixture_are_its_moments_and_unknown_ones_do_not_count():
    uniq = np.array([*range(5, 16), *range(16, 20)])
    area = SkyMap(uniq, np.ones(15)).area
    prob = np.array([*[0.05] * 11, 0.1, 0.2, 0.1, 0.05])
    mean = np.array([*[70.0] * 11, 100.0, 200.0, 50.0, np.inf])
    std = np.array([*[10.0] * 11, 20.0, 30.0, 10.0, np.inf])
    skymap = SkyMap(uniq, prob / area, *distances.parameters(mean, std)).validate()
    flat = flatten(skymap, 1)
    got = np.array(distances.moments(flat.distmu, flat.distsigma))
    weight = np.array([0.25, 0.5, 0.25])
    middle = weight @ mean[11:14]
    spread = np.sqrt(weight @ (std[11:14] ** 2 + mean[11:14] ** 2) - middle**2)
    np.testing.assert_allclose(got[:, 0], [middle, spread], rtol=1e-9)
    # Cells as large as the pixels are copied to the last bit.
    np.testing.assert_array_equal(flat.distmu[1:], skymap.distmu[4:])
    assert flat.prob[0] == pytest.approx(0.45)


def test_a_pixel_of_which_nothing_is_known_says_so():
    uniq = np.array([*range(5, 16), *range(16, 20)])
    density = np.full(15, 1 / (4 * np.pi))
    density[11:] = 0
    density /= (density * SkyMap(uniq, density).area).sum()
    mu = np.full(15, 100.0)
    flat = flatten(SkyMap(uniq, density, mu, mu / 5, mu / 1e6).validate(), 1)
    assert (flat.distmu[0], flat.distsigma[0], flat.distnorm[0]) == (np.inf, 1, 0)
    assert flat.prob[0] == 0


@pytest.mark.parametrize("name", ["flat.fits", "flat.fits.gz"])
@pytest.mark.parametrize("ordering", ["NESTED", "RING"])
def test_a_flat_file_is_read_by_healpy_and_becomes_the_same_map_again(tmp_path, name, ordering):
    level, ipix = mesh.refine(lambda v: np.linalg.norm(v - [0, 0.6, 0.8], axis=-1) / 8 + 0.01)
    skymap = mesh.sample(level, ipix, lambda v: v[:, 0] + 2)
    write_flat(flatten(skymap), tmp_path / name, {"notice": "1"}, ordering)
    nest = ordering == "NESTED"
    prob = hp.read_map(tmp_path / name, nest=nest, dtype=np.float64)
    nside = 2**skymap.max_level
    ra, dec = hp.pix2ang(nside, np.arange(12 * nside**2), nest=nest, lonlat=True)
    np.testing.assert_allclose(
        prob, skymap.probdensity[skymap.find(ra, dec)] * hp.nside2pixarea(nside), rtol=1e-12)
    again = files.load(tmp_path / name)
    np.testing.assert_array_equal(again.uniq, skymap.uniq)
    np.testing.assert_allclose(again.probdensity, skymap.probdensity, rtol=1e-12)
    assert again.history == ("notice: 1",)


def test_keywords_and_history_are_written_and_the_file_is_whole_fits(tmp_path, merger):
    write_flat(flatten(merger, 64), tmp_path / "flat.fits", {"input": "map.fits"})
    assert (tmp_path / "flat.fits").stat().st_size % 2880 == 0
    with astropy_fits.open(tmp_path / "flat.fits", checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[1].header
        assert [header[f"TTYPE{n}"] for n in range(1, 5)] == ["PROB", *LAYERS]
        assert [header[f"TUNIT{n}"] for n in range(1, 5)] == ["pix-1", "Mpc", "Mpc", "Mpc-2"]
        assert (header["NSIDE"], header["ORDERING"], header["INDXSCHM"]) == (
            64, "NESTED", "IMPLICIT")
        assert (header["OBJECT"], header["COORDSYS"]) == ("M639421", "C")
        assert header["HISTORY"][-1] == "input: map.fits"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ligo_skymap_reads_what_we_write(tmp_path, merger, ligo):
    flat = flatten(merger, 32)
    write_flat(flat, tmp_path / "flat.fits")
    (prob, mu, *_), meta = ligo("io").read_sky_map(
        str(tmp_path / "flat.fits"), distances=True, nest=True)
    np.testing.assert_array_equal(prob, flat.prob)
    np.testing.assert_array_equal(mu, flat.distmu)
    assert meta["objid"] == "M639421"


@pytest.mark.parametrize("ending", ["fits", "fits.gz"])
def test_the_same_map_gives_the_same_bytes(tmp_path, simple, ending):
    for n in (1, 2):
        write_flat(flatten(simple.validate(), 4), tmp_path / f"{n}.{ending}")
    one, two = ((tmp_path / f"{n}.{ending}").read_bytes() for n in (1, 2))
    assert one == two
    assert len(gzip.decompress(one) if ending == "fits.gz" else one) % 2880 == 0


@pytest.mark.parametrize("nside", [0, -1, 3, 48, 2**30, 2.0, True, float("nan")])
def test_an_impossible_nside_is_refused(simple, nside):
    with pytest.raises(SkyMapError, match=r"^nside: .* is not a power of two from 1 to 2\^29"):
        flatten(simple.validate(), nside)


def test_an_nside_that_would_exhaust_memory_is_refused_with_its_size_and_the_remedy(simple):
    skymap = simple.validate()
    with pytest.raises(SkyMapError, match="16384 needs 96 GiB for 4 columns, more than the limit "
                                          "of 4 GiB; 2048 would fit"):
        flatten(skymap, 16384)
    with pytest.raises(SkyMapError, match=r"64 needs .* 32 would fit"):
        flatten(skymap, 64, limit=12 * 32**2 * 32)
    assert flatten(skymap, 32, limit=12 * 32**2 * 32).nside == 32


def test_a_limit_below_the_smallest_map_lets_none_fit(simple):
    with pytest.raises(SkyMapError, match=r"1 needs .* for 4 columns, .*; none would fit"):
        flatten(simple.validate(), 1, limit=383)
    assert len(flatten(simple.validate(), 1, limit=384).prob) == 12


def test_a_map_of_level_29_is_refused_whole_and_flattened_coarse():
    skymap = make.cone(10, 20, 1e-6, 0.9)
    assert skymap.max_level > 25
    with pytest.raises(SkyMapError, match=r"GiB for 1 column, .*; 4096 would fit"):
        flatten(skymap)
    flat = flatten(skymap, 256)
    best = hp.ang2pix(256, 10, 20, nest=True, lonlat=True)
    assert flat.prob[best] == pytest.approx(1, abs=1e-3)


def test_an_unknown_ordering_and_a_folder_that_is_not_there_are_refused(tmp_path, simple):
    flat = flatten(simple.validate(), 2)
    with pytest.raises(SkyMapError, match="ordering: 'SPIRAL' is not NESTED or RING"):
        write_flat(flat, tmp_path / "a.fits", ordering="SPIRAL")
    with pytest.raises(SkyMapError, match=r"a.fits: cannot be written: No such file"):
        write_flat(flat, tmp_path / "none" / "a.fits")
    assert list(tmp_path.iterdir()) == []


def test_a_large_flat_map_is_read_in_little_more_memory_than_its_file(tmp_path):
    # 12 million pixels: 100 MB in the file; lists of them all, of any kind, would be more.
    flat = flatten(make.cone(120, -30, 20, 0.9), 1024)
    write_flat(flat, tmp_path / "large.fits", ordering="RING")
    script = (
        "import sys\n"
        "from gwbroker.skymap import files\n"
        "def memory(name):\n"
        "    with open('/proc/self/status') as f:\n"
        "        return next(int(l.split()[1]) for l in f if l.startswith(name)) / 1024\n"
        "before = memory('VmRSS')\n"
        "skymap = files.load(sys.argv[1])\n"
        "print(memory('VmHWM') - before, skymap.cells)\n")
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "large.fits")],
                          check=True, capture_output=True, text=True)
    grown, cells = done.stdout.split()
    assert float(grown) < 300  # MiB
    assert int(cells) < 10_000


def test_a_flat_map_can_be_given_as_a_file_to_be_flattened_again(tmp_path, merger):
    write_flat(flatten(merger, 64), tmp_path / "flat.fits")
    once = fits.read(tmp_path / "flat.fits")
    np.testing.assert_allclose(flatten(once, 64).prob, flatten(merger, 64).prob, rtol=1e-12,
                               atol=1e-300)


@pytest.mark.parametrize("mu", [1e300, -1e300, 1e-300, 0.0])
@pytest.mark.parametrize("sigma", [1e300, 1e-300, 0.0])
def test_absurd_distances_become_numbers_or_unknown_and_no_warning(simple, mu, sigma):
    skymap = simple.validate()
    layers = {"distmu": mu, "distsigma": sigma, "distnorm": 1e-4}
    absurd = replace(skymap, **{n: np.full(skymap.cells, v) for n, v in layers.items()})
    flat = flatten(absurd.validate(), 1)
    assert flat.prob.sum() == pytest.approx(1)
    assert not np.isnan(flat.distmu).any()
