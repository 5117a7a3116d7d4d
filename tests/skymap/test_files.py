"""Files of any kind: told apart by what is in them, written by what they are called."""

import gzip
import io
import subprocess
import sys
import textwrap
from dataclasses import replace
from types import SimpleNamespace

import healpy as hp
import numpy as np
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, embedded, files, fits

SUFFIXES = ["fits", "fits.gz", "FITS", "parquet", "json"]


def assert_same(one, other):
    assert list(one.columns) == list(other.columns)
    for name, values in one.columns.items():
        np.testing.assert_array_equal(other.columns[name], values, err_msg=name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_the_map_to_the_last_bit_with_its_history(tmp_path, merger, suffix):
    path = tmp_path / f"GW Überraschung.{suffix}"
    files.save(merger, path, {"notice": "12", "inputs": "a, b"})
    again = files.load(path)
    assert_same(merger, again)
    assert again.meta == merger.meta
    assert again.history == (*merger.history, "notice: 12", "inputs: a, b")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_name_of_a_file_does_not_matter_when_it_is_read(tmp_path, simple, suffix):
    skymap = simple.validate()
    files.save(skymap, tmp_path / f"map.{suffix}")
    for name in ("map.png", "map.fits", "map.parquet", "map"):
        misnamed = tmp_path / "misnamed" / name
        misnamed.parent.mkdir(exist_ok=True)
        misnamed.write_bytes((tmp_path / f"map.{suffix}").read_bytes())
        assert_same(skymap, files.load(misnamed))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_map_gives_the_same_bytes(tmp_path, simple, suffix):
    paths = [tmp_path / f"{n}.{suffix}" for n in (1, 2)]
    for path in paths:
        files.save(simple, path, {"notice": "1"})
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("nest", [True, False])
@pytest.mark.parametrize("suffix", ["fits", "fits.gz"])
def test_flat_maps_are_read_in_both_orders(tmp_path, nest, suffix):
    prob = np.random.default_rng(1).random(12 * 16**2)
    prob /= prob.sum()
    path = tmp_path / f"flat.{suffix}"
    hp.write_map(path, prob, nest=nest, coord="C", dtype=np.float64, column_names=["PROB"])
    skymap = files.load(path)
    ra, dec = hp.pix2ang(16, np.arange(12 * 16**2), nest=nest, lonlat=True)
    assert skymap.prob[skymap.find(ra, dec)] == pytest.approx(prob, rel=1e-12)


def test_the_standard_input_is_a_file_too(tmp_path, simple, monkeypatch):
    fits.write(simple.validate(), tmp_path / "map.fits.gz")
    content = (tmp_path / "map.fits.gz").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert_same(simple.validate(), files.load("-"))
    with pytest.raises(SkyMapError, match=r"^standard input: is neither .* it is empty"):
        files.load("-")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is neither FITS nor Parquet nor JSON: it is empty"),
     (b"\x89PNG\r\n\x1a\n\0\0", r"is neither FITS nor Parquet nor JSON: it starts with b'\x89PNG"),
     (b"\x1f\x8b", "is truncated gzip"),
     (gzip.compress(b'{"skymap": ""}', mtime=0), "is not FITS, it starts with b'{\"skymap"),
     (b"SIMPLE  =", "is damaged FITS: OSError: No SIMPLE card"),
     (b"PAR1", "is damaged Parquet"),
     (b"PAR1" * 100, "is damaged Parquet"),
     (b"{", "is not JSON"),
     (b"\xef\xbb\xbf {}", "has no map"),
     (b"[1, 2]", "holds a JSON list, not one object")],
)
def test_what_is_no_map_is_refused_by_name(tmp_path, content, problem):
    path = tmp_path / "thing.fits"
    path.write_bytes(content)
    with pytest.raises(SkyMapError) as caught:
        files.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("part", [0.01, 0.3, 0.9, 0.99])
def test_truncated_files_of_every_kind_are_refused(tmp_path, merger, suffix, part):
    path = tmp_path / f"cut.{suffix}"
    files.save(merger, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(SkyMapError, match=r"cut\."):
        files.load(path)


BAD = {
    "negative": ({"probdensity": (3, -0.5)}, "column PROBDENSITY: -0.5 in cell 7 is negative"),
    "nan": ({"probdensity": (3, np.nan)}, "column PROBDENSITY: nan in cell 7 is not a finite"),
    "inf": ({"probdensity": (3, np.inf)}, "column PROBDENSITY: inf in cell 7 is not a finite"),
    "two": ({"probdensity": 2}, "column PROBDENSITY: the map sums to 2 instead of 1"),
    "zero": ({"probdensity": 0}, "column PROBDENSITY: the map sums to 0 instead of 1"),
    "overlap": ({"uniq": (14, 62)}, "column UNIQ: cell 62 overlaps cell 62"),
    "missing": ({"uniq": slice(1, None)}, "column UNIQ: cells are missing before 5: 0.0833 of"),
    "deep": ({"uniq": (0, 4**31)}, f"column UNIQ: {4**31} in row 0 lies deeper than level 29"),
    "shallow": ({"uniq": (0, 3)}, "column UNIQ: 3 in row 0 is not a cell number"),
    "sigma": ({"distsigma": (3, -1)}, "column DISTSIGMA: -1.0 in cell 7 is negative"),
    "norm": ({"distnorm": (3, -1)}, "column DISTNORM: -1.0 in cell 7 is negative"),
}


@pytest.mark.parametrize("suffix", ["fits", "parquet", "json"])
@pytest.mark.parametrize("damage", BAD)
def test_invalid_maps_are_refused_with_file_column_and_value(tmp_path, simple, suffix, damage):
    change, message = BAD[damage]
    path = tmp_path / f"bad.{suffix}"
    files.save(changed(simple.validate(), change), path)
    with pytest.raises(SkyMapError) as caught:
        files.load(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize("suffix", ["fits", "parquet", "json"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinite_distances_mean_that_nothing_is_known_and_are_read(
    tmp_path, simple, suffix, value,
):
    known = changed(simple.validate(), {"distmu": (3, value), "distnorm": (3, 0)})
    files.save(known, tmp_path / f"map.{suffix}")
    assert_same(known, files.load(tmp_path / f"map.{suffix}"))


def changed(skymap, change):
    """Return a map with some values changed: (index, value), a factor, or the rows to keep."""
    columns = {name: values.copy() for name, values in skymap.columns.items()}
    for name, value in change.items():
        if isinstance(value, slice):
            columns = {n: v[value] for n, v in columns.items()}
        elif isinstance(value, tuple):
            columns[name][value[0]] = value[1]
        else:
            columns[name] *= value
    return SkyMap(**columns)


@pytest.mark.parametrize("name", ["map.png", "map", "map.fit", "map.gz", "parquet"])
def test_a_name_that_says_no_format_is_not_written(tmp_path, simple, name):
    with pytest.raises(SkyMapError, match=r"ends in none of \.fits, \.fits\.gz, \.parquet, \.json"):
        files.save(simple, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_that_is_not_there_is_named(tmp_path, simple, suffix):
    with pytest.raises(SkyMapError, match=r"none/map.*: cannot be written: No such file"):
        files.save(simple, tmp_path / "none" / f"map.{suffix}")


def test_files_larger_than_the_limit_are_refused(tmp_path, monkeypatch, simple):
    files.save(simple.validate(), tmp_path / "map.parquet")
    content = (tmp_path / "map.parquet").read_bytes()
    with pytest.raises(SkyMapError, match="is larger than 100 bytes after decompression"):
        files.loads(content, "map", 100)
    monkeypatch.setattr(files, "LIMIT", 1000)
    with pytest.raises(SkyMapError, match=r"map.parquet: is larger than 1000 bytes"):
        files.load(tmp_path / "map.parquet")


def test_a_map_of_a_million_cells_and_one_of_level_29_are_read_and_written_in_little_memory(
    tmp_path,
):
    # A whole sky of level 29 would be 28 million terabytes; this is about 25 columns of 10^6.
    script = textwrap.dedent("""
        import resource, sys
        import numpy as np
        from gwbroker.skymap import SkyMap, files, fits, parquet, embedded, regions, summary

        def memory():
            with open("/proc/self/status") as f:
                return next(int(l.split()[1]) for l in f if l.startswith("VmHWM")) / 1024

        before = memory()
        ipix = np.arange(12 * 4**8)
        uniq = np.concatenate([4**9 + ipix[80_000:], 4**10 + np.arange(320_000)])
        density = np.random.default_rng(1).exponential(size=len(uniq))
        density /= (density * SkyMap(uniq, density).area).sum()
        mu = np.full(len(uniq), 100.0)
        million = SkyMap(uniq, density, mu, mu / 5, 1 / (mu**2 + mu**2 / 25)).validate()

        uniq = np.concatenate([4**(n + 1) + np.arange(1 if n else 0, 4 if n else 11) + (
            11 * 4**n if n else 0) for n in range(29)] + [4**30 + 11 * 4**29 + np.arange(4)])
        deep = SkyMap(uniq, np.full(len(uniq), 1 / (4 * np.pi))).validate()
        assert (deep.max_level, million.cells) == (29, 1_026_432)
        for skymap in (million, deep):
            for suffix in ("fits", "fits.gz", "parquet"):
                path = f"{sys.argv[1]}/map.{suffix}"
                files.save(skymap, path)
                again = files.load(path)
                assert (again.uniq == skymap.uniq).all()
            assert summary.summarize(again).cells == skymap.cells
            assert 0 <= regions.credible_level_at(again, 10, 20) <= 1
        print(memory() - before)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True,
                          capture_output=True, text=True)
    assert float(done.stdout) < 600  # MiB


def test_json_is_one_object_with_one_name(tmp_path, simple):
    files.save(simple.validate(), tmp_path / "map.json")
    assert (tmp_path / "map.json").read_text().startswith('{"skymap": "U0lNUExFICA9')
    assert "skymap" in embedded.FIELDS


def test_a_folder_and_a_url_are_no_files(tmp_path):
    with pytest.raises(SkyMapError, match="cannot be read: Is a directory"):
        files.load(tmp_path)
    with pytest.raises(SkyMapError, match="is a URL: download it and read the file"):
        files.load("https://example.org/map.fits")


def test_a_standard_input_that_is_closed_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SkyMapError, match=r"^standard input: is closed: give a file"):
        files.load("-")


def test_a_path_that_no_file_can_have_is_refused():
    with pytest.raises(SkyMapError, match=r"^'a\\x00b': cannot be read: embedded null byte"):
        files.load("a\0b")


@pytest.mark.parametrize("suffix", ["fits", "parquet"])
def test_keywords_that_are_numbers_of_numpy_are_kept(tmp_path, simple, suffix):
    meta = {"RUNTIME": np.float32(2.5), "LOGBCI": np.int64(7), "DISTMEAN": np.nan, "OTHER": 1}
    files.save(replace(simple, meta=meta), tmp_path / f"map.{suffix}")
    assert files.load(tmp_path / f"map.{suffix}").meta == {"RUNTIME": 2.5, "LOGBCI": 7}


def test_a_name_as_long_as_a_folder_takes_is_written(tmp_path, simple):
    path = tmp_path / ("é" * 120 + "x" * 10 + ".fits")
    files.save(simple.validate(), path)
    assert_same(simple.validate(), files.load(path))
