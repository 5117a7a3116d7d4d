"""Files made to do harm, catalogues that somebody else made, and readers while one is replaced."""

import gzip
import json
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from gwbroker.catalogues import Candidates, Catalogue, add, crossmatch
from gwbroker.errors import SkyMapError

GOOD = {"ra": [10.0, 20, 30], "dec": [0.0, 1, 2], "distance": [100.0, 100, 100]}


@pytest.fixture
def small(tmp_path, csv) -> Catalogue:
    """A catalogue of three galaxies."""
    return add(csv(tmp_path / "g.csv", GOOD), tmp_path / "c")[0]


@pytest.mark.parametrize(("change", "message"), [
    ({"data": "../../etc"}, "column data: '../../etc' is no folder of galaxies"),
    ({"data": "/etc"}, "column data: '/etc' is no folder"),
    ({"data": "data-/../.."}, "column data: .* is no folder"),
    ({"partitions": [["../../x", 3]]}, "column partitions: .* is no partition"),
    ({"partitions": [[48, 3]]}, "column partitions: .* is no partition"),
    ({"partitions": None}, "column partitions: is not what it should be"),
    ({"level": 99}, "column level: 99 is no HEALPix level"),
    ({"given": {}}, "column given: does not say how many galaxies have pixel"),
    ({"name": 5}, "column name: is not what it should be"),
])
def test_a_manifest_that_nobody_here_wrote_is_refused(small, change, message):
    path = small.folder / "manifest.json"
    path.write_text(json.dumps({**small.manifest, **change}))
    with pytest.raises(SkyMapError, match=f"manifest.json: {message}.*add the catalogue again"):
        Catalogue.open(small.folder)


def test_a_partition_of_other_columns_is_refused(small, volume_map):
    for partition in small.partitions:
        pq.write_table(pa.table({"pixel": ["a"], "distance": [1.0]}), partition.path)
    with pytest.raises(SkyMapError, match="column pixel: is missing or of another type"):
        crossmatch(volume_map, small, level=1.0, rank="probability")


def test_a_long_text_packed_into_many_rows_does_not_fill_the_memory(tmp_path):
    """200,000 times a megabyte, in a file of a few kilobytes."""
    rows = 200_000
    name = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), ["x" * 1_000_000])
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"ra": np.zeros(rows), "dec": np.zeros(rows), "name": name}), path,
                   compression="zstd")
    assert path.stat().st_size < 1_000_000
    for read in (Candidates.read, lambda p: add(p, tmp_path / "c")):
        with pytest.raises(SkyMapError, match="column name: has a text of 1,000,000 bytes"):
            read(path)


def test_columns_of_lists_are_refused(tmp_path):
    pq.write_table(pa.table({"ra": [[1.0, 2.0]], "dec": [1.0]}), tmp_path / "l.parquet")
    with pytest.raises(SkyMapError, match=r"column ra: is of list.*, not of one value"):
        add(tmp_path / "l.parquet", tmp_path / "c")
    column = fits.Column("ra", "PD()", array=np.array([[1.0, 2.0], [3.0]], object))
    fits.BinTableHDU.from_columns([column, fits.Column("dec", "D", array=np.zeros(2))]).writeto(
        tmp_path / "l.fits")
    with pytest.raises(SkyMapError, match="column ra: is of variable length"):
        add(tmp_path / "l.fits", tmp_path / "c")


def test_fits_that_inflates_without_end_is_refused(tmp_path):
    column = fits.Column("ra", "D", array=np.zeros(2_000_000))
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "z.fits")
    packed = tmp_path / "z.fits.gz"
    packed.write_bytes(gzip.compress((tmp_path / "z.fits").read_bytes()))
    with pytest.raises(SkyMapError, match="is more than 200 times as large once inflated"):
        add(packed, tmp_path / "c")


def test_who_reads_while_another_is_added_is_not_disturbed(tmp_path, csv, galaxies, volume_map):
    made, _ = add(csv(tmp_path / "a.csv", galaxies), tmp_path / "c")
    expected = crossmatch(volume_map, made, rank="probability", top=9).table.rows()
    other = csv(tmp_path / "b.csv", GOOD)
    adding = []

    def meanwhile(done: float) -> None:
        if not adding:
            adding.append(threading.Thread(target=add, args=(other, tmp_path / "c")))
            adding[0].start()
            adding[0].join()

    found = crossmatch(volume_map, made, rank="probability", top=9, threads=1, progress=meanwhile)
    assert found.table.rows() == expected
    assert Catalogue.open(tmp_path / "c").rows == 3
    # The galaxies that were read are taken away by the next one who adds.
    assert made.data.is_dir()
    add(other, tmp_path / "c")
    assert not made.data.exists()


def test_a_catalogue_that_was_replaced_before_it_is_read_is_read_as_it_is_now(
    tmp_path, csv, galaxies, volume_map,
):
    made, _ = add(csv(tmp_path / "a.csv", galaxies), tmp_path / "c")
    add(csv(tmp_path / "b.csv", GOOD), tmp_path / "c")
    assert not made.data.exists()
    found = crossmatch(volume_map, made, level=1.0, rank="probability")
    assert found.table.provenance["catalogue_rows"] == 3


def test_a_catalogue_whose_galaxies_are_gone_is_refused(small, volume_map):
    small.data.rename(small.folder / "elsewhere")
    with pytest.raises(SkyMapError, match=r"data-.*: is gone; add the catalogue again"):
        crossmatch(volume_map, small)


def test_a_name_that_is_too_long_for_a_folder_is_refused(tmp_path, csv):
    with pytest.raises(SkyMapError, match="cannot be written: File name too long"):
        add(csv(tmp_path / "g.csv", GOOD), tmp_path / ("a" * 300))
