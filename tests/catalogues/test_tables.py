"""Results as files: the same numbers, units and provenance in every format."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table as AstropyTable

from gwbroker.catalogues.tables import Table
from gwbroker.errors import SkyMapError

TABLE = Table(
    {"rank": np.array([1, 2]), "name": np.array(["NGC 1, é", None], object),
     "distance": np.array([40.7, np.nan], np.float32), "score": np.array([0.1, np.inf])},
    {"distance": "Mpc"}, {"map": "S190814bv", "trials": 2, "source": {"file": "a: b.csv"}})


def test_json_has_provenance_units_and_rows_without_what_is_not_json(tmp_path):
    TABLE.write(tmp_path / "t.json")
    found = json.loads((tmp_path / "t.json").read_text())
    assert (found["map"], found["trials"]) == ("S190814bv", 2)
    assert found["units"] == {"distance": "Mpc"}
    assert found["rows"] == [
        {"rank": 1, "name": "NGC 1, é", "distance": 40.7, "score": 0.1},
        {"rank": 2, "name": None, "distance": None, "score": None}]


def test_ecsv_is_read_by_astropy(tmp_path):
    TABLE.write(tmp_path / "t.ecsv")
    found = AstropyTable.read(tmp_path / "t.ecsv")
    assert found["distance"].unit == "Mpc"
    assert found["distance"].mask.tolist() == [False, True]
    assert found["name"][0] == "NGC 1, é"
    assert found.meta["map"] == "S190814bv"
    assert found.meta["source"] == {"file": "a: b.csv"}


def test_parquet_has_units_and_provenance(tmp_path):
    TABLE.write(tmp_path / "t.parquet")
    found = pq.read_table(tmp_path / "t.parquet")
    assert found.schema.field("distance").metadata == {b"unit": b"Mpc"}
    assert json.loads(found.schema.metadata[b"provenance"])["map"] == "S190814bv"
    assert found["name"].to_pylist() == ["NGC 1, é", None]
    assert found["distance"].to_pylist()[1] is None


def test_csv_has_provenance_in_comments(tmp_path):
    TABLE.write(tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == '# map: "S190814bv"'
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert rows[0] == {"rank": "1", "name": "NGC 1, é", "distance": "40.7", "score": "0.1"}
    assert rows[1]["name"] == ""


@pytest.mark.parametrize("name", ["t.txt", "t", "t.fits"])
def test_other_formats_are_refused(tmp_path, name):
    with pytest.raises(SkyMapError, match=r"a table is written as \.ecsv, \.csv"):
        TABLE.write(tmp_path / name)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SkyMapError, match="cannot be written: No such file"):
        TABLE.write(tmp_path / "none" / "t.csv")


@pytest.mark.parametrize("suffix", [".ecsv", ".csv", ".parquet", ".json"])
def test_an_empty_table_is_written(tmp_path, suffix):
    empty = Table({"a": np.zeros(0), "name": np.zeros(0, object)})
    empty.write(tmp_path / f"t{suffix}")
    assert (tmp_path / f"t{suffix}").stat().st_size
