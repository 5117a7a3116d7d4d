"""``gwbroker skymap flatten`` and ``unflatten``: pixels of one size, and back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import healpy as hp
import numpy as np
import pytest

from gwbroker import __version__
from gwbroker.skymap import SkyMap, files

from .skymap_files import call, write_ball, write_cone


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("ring", [True, False])
@pytest.mark.parametrize("name", ["flat.fits", "flat.fits.gz"])
def test_a_map_is_written_in_pixels_of_the_size_asked_for(tmp_path: Path, name: str, ring: bool):
    ball = write_ball(tmp_path / "ball.fits")
    words = ["--ring"] if ring else []
    done = call("flatten", ball, tmp_path / name, "--nside", 64, *words)
    order = "RING" if ring else "NESTED"
    assert done.stdout == f"{tmp_path / name}: NSIDE 64, 49152 pixels, {order}\n"
    prob, header = hp.read_map(tmp_path / name, nest=not ring, h=True, dtype=np.float64)
    assert prob.sum() == pytest.approx(1, abs=1e-12)
    assert ("ORDERING", order) in header
    ra, dec = hp.pix2ang(64, int(prob.argmax()), nest=not ring, lonlat=True)
    assert (ra, dec) == pytest.approx((120, -30), abs=1)


def test_without_nside_the_smallest_cells_decide_and_nothing_is_lost(tmp_path: Path):
    files.save(small := files.load(write_cone(tmp_path / "cone.fits")), tmp_path / "in.json")
    assert call("flatten", tmp_path / "in.json", tmp_path / "coarse.fits", "--nside", 32
                ).exit_code == 0
    assert call("unflatten", tmp_path / "coarse.fits", tmp_path / "back.parquet").exit_code == 0
    back = files.load(tmp_path / "back.parquet")
    assert back.max_level == 5
    assert back.cells < 12 * 4**5
    assert call("flatten", tmp_path / "back.parquet", tmp_path / "again.fits").exit_code == 0
    again = files.load(tmp_path / "again.fits")
    np.testing.assert_array_equal(again.uniq, back.uniq)
    np.testing.assert_allclose(again.probdensity, back.probdensity, rtol=1e-14)
    assert again.history[len(small.history):] == tuple(
        line for file, command in (("in.json", "flatten"), ("coarse.fits", "unflatten"),
                                   ("back.parquet", "flatten"))
        for line in (f"input: {file}", f"sha256 of input: {sha256(tmp_path / file)}",
                     f"made by: gwbroker {__version__} skymap {command}"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [(("o.fits", "--nside", "48"), "nside: 48 is not a power of two"),
     (("o.fits", "--nside", "0"), "nside: 0 is not a power of two"),
     (("o.fits", "--nside", "65536"), "65536 needs 384 GiB for 1 column, more than the limit of"),
     (("o.fits", "--nside", "64", "--limit", "1e-5"), "than the limit of 1e-05 GiB; 8 would fit"),
     (("o.fits", "--limit", "nan"), "limit: nan is not a number of GiB"),
     (("o.fits", "--limit", "-1"), "limit: -1 is not a number of GiB"),
     (("o.parquet",), "o.parquet: ends in neither .fits nor .fits.gz"),
     (("none/o.fits", "--nside", "8"), "none/o.fits: cannot be written: No such file")],
)
def test_what_cannot_be_made_is_refused_and_nothing_written(
    tmp_path: Path, words: tuple[str, ...], problem: str, monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    done = call("flatten", write_cone(tmp_path / "cone.fits"), *words)
    assert done.exit_code == 1
    assert problem in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["cone.fits"]


def test_a_map_that_is_written_over_itself_is_whole(tmp_path: Path):
    cone = write_cone(tmp_path / "cone.fits")
    assert call("flatten", cone, cone, "--nside", 16).exit_code == 0
    assert call("unflatten", cone, cone).exit_code == 0
    assert files.load(cone).max_level == 4


def test_unflatten_makes_as_few_cells_as_can_be_of_a_multi_order_map_too(tmp_path: Path):
    uniq = np.arange(4**6, 4**7, dtype=np.int64)
    files.save(SkyMap(uniq, np.full(len(uniq), 1 / (4 * np.pi))), tmp_path / "map.fits")
    done = call("unflatten", tmp_path / "map.fits", tmp_path / "few.parquet")
    assert "few.parquet: 12 cells, the deepest of level 0" in done.stdout
    assert files.load(tmp_path / "few.parquet").uniq.tolist() == list(range(4, 16))


def test_what_came_through_a_pipe_is_noted_without_a_digest(tmp_path: Path):
    content = write_cone(tmp_path / "cone.json").read_bytes()
    assert call("flatten", "-", tmp_path / "a.fits", "--nside", 8, input=content).exit_code == 0
    reading, writing = os.pipe()
    with open(writing, "wb") as pipe:
        pipe.write(write_small(tmp_path / "small.fits").read_bytes())
    try:
        assert call("flatten", f"/dev/fd/{reading}", tmp_path / "b.fits").exit_code == 0
    finally:
        os.close(reading)
    made = f"made by: gwbroker {__version__} skymap flatten"
    assert files.load(tmp_path / "a.fits").history == ("input: standard input", made)
    assert files.load(tmp_path / "b.fits").history == (f"input: {reading}", made)


def write_small(path: Path) -> Path:
    """Write a map of few cells, so that it fits into a pipe."""
    files.save(SkyMap(np.arange(4, 16), np.full(12, 1 / (4 * np.pi))), path)
    return path


def test_unflatten_refuses_a_name_that_says_no_format(tmp_path: Path):
    done = call("unflatten", write_cone(tmp_path / "cone.fits"), tmp_path / "map.hdf5")
    assert done.exit_code == 1
    assert "map.hdf5: ends in none of .fits, .fits.gz, .parquet, .json" in done.stderr
