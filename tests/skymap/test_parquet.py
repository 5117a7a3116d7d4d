"""Parquet: rows of cells, rows of lists, and what is refused."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gwbroker.errors import SkyMapError
from gwbroker.skymap import files, parquet, regions


def encode(columns, schema=None):
    """Return a Parquet file with these columns."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), buffer)
    return buffer.getvalue()


def test_the_published_map_of_gw190814_is_read_from_its_database_row(gw190814):
    path = Path(__file__).parents[3] / "shared" / "data" / "skymaps"
    skymap = files.load(path / "localization_GW190814.parquet")
    np.testing.assert_array_equal(skymap.uniq, gw190814.uniq)
    np.testing.assert_array_equal(skymap.probdensity, gw190814.probdensity)
    # Abbott et al. 2020, ApJL 896, L44: 18.5 deg^2 in the final analysis, 23 in the first.
    assert 15 < regions.credible_areas(skymap, 0.9) < 60


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_names_in_any_case_and_other_columns_are_no_matter(simple, case):
    columns = {case(name): values for name, values in reversed(simple.columns.items())}
    content = encode({"comment": ["a"] * simple.cells, **columns})
    skymap = parquet.read(content)
    for name, values in simple.validate().columns.items():
        np.testing.assert_array_equal(skymap.columns[name], values)


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_one_row_of_lists_is_a_map(simple, kind):
    columns = {
        name: pa.array([values], kind(pa.from_numpy_dtype(values.dtype)))
        for name, values in simple.columns.items()
    }
    skymap = parquet.read(encode(columns))
    np.testing.assert_array_equal(skymap.probdensity, simple.validate().probdensity)
    assert skymap.has_distance


def test_one_row_of_texts_is_a_map_and_a_single_precision_one_is_normalised(simple):
    def text(values):
        return ["{" + ",".join(map(str, values)) + "}"]

    skymap = parquet.read(encode({"uniq": text(simple.uniq),
                                  "probdensity": text(simple.probdensity.astype(np.float32))}))
    assert skymap.probdensity == pytest.approx(simple.probdensity, rel=1e-6)
    assert skymap.prob.sum() == pytest.approx(1, abs=1e-12)


def test_the_order_of_rows_is_no_matter(simple):
    order = np.random.default_rng(2).permutation(simple.cells)
    skymap = parquet.read(encode({n: v[order] for n, v in simple.columns.items()}))
    np.testing.assert_array_equal(skymap.uniq, simple.validate().uniq)
    np.testing.assert_array_equal(skymap.probdensity, simple.validate().probdensity)


def test_a_null_distance_is_one_of_which_nothing_is_known(simple):
    columns = {name: pa.array(values) for name, values in simple.columns.items()}
    columns["distmu"] = pa.array([None, *simple.distmu[1:]])
    skymap = parquet.read(encode(columns))
    assert np.isnan(skymap.distmu).tolist() == [True] + [False] * 14


@pytest.mark.parametrize(
    ("change", "message"),
    [({"uniq": None}, "column UNIQ: is missing; a map needs UNIQ and PROBDENSITY, here are: prob"),
     ({"probdensity": None}, "column PROBDENSITY: is missing"),
     ({"uniq": np.arange(15.0)}, "column UNIQ: holds double instead of integers"),
     ({"probdensity": [True] * 15}, "column PROBDENSITY: holds bool instead of numbers"),
     ({"probdensity": ["x"] * 15}, "column PROBDENSITY: holds 15 texts: one map is read"),
     ({"probdensity": [[1.0]] * 15}, "column PROBDENSITY: holds 15 lists: one map is read"),
     ({"probdensity": [None] + [0.1] * 14}, "column PROBDENSITY: row 0 is null"),
     ({"UNIQ": range(15)}, "column UNIQ: is there twice, as uniq and UNIQ"),
     ({"distsigma": None}, "column DISTSIGMA: is missing, though DISTMU is there")],
)
def test_wrong_columns_are_refused_by_name(simple, change, message):
    columns = {n: v for n, v in (simple.columns | change).items() if v is not None}
    with pytest.raises(SkyMapError) as caught:
        parquet.read(encode(columns), "bad.parquet")
    assert str(caught.value).startswith(f"bad.parquet: {message}")


@pytest.mark.parametrize(
    ("row", "message"),
    [({"uniq": ["{4,x}"], "probdensity": ["{1,1}"]}, "column UNIQ: is not an array of numbers"),
     ({"uniq": ["{4.5}"], "probdensity": ["{1}"]}, "column UNIQ: is not an array of numbers"),
     ({"uniq": [f"{{{2**70}}}"], "probdensity": ["{1}"]}, "column UNIQ: is not an array"),
     ({"uniq": ["4,5"], "probdensity": ["{1}"]}, "column UNIQ: holds text, '4,5', and not numbers"),
     ({"uniq": ["{}"], "probdensity": ["{}"]}, "column UNIQ: the table has no rows"),
     ({"uniq": [None], "probdensity": ["{}"]}, "column UNIQ: "),
     ({"uniq": ["{4}"], "probdensity": ["{1,2}"]}, "column PROBDENSITY: has shape"),
     ({"uniq": [[4, None]], "probdensity": [[1.0, 1.0]]}, "column UNIQ: row 1 is null")],
)
def test_wrong_rows_of_arrays_are_refused(row, message):
    with pytest.raises(SkyMapError, match=message):
        parquet.read(encode(row))


def test_ranges_of_a_credible_region_are_no_map():
    content = encode({"nested_lo": [0, 10], "nested_hi": [5, 20]})
    with pytest.raises(SkyMapError, match="a map needs UNIQ and PROBDENSITY, here are: nested_lo"):
        parquet.read(content)


def test_an_empty_table_is_refused():
    columns = {"UNIQ": pa.array([], pa.int64()), "PROBDENSITY": pa.array([], pa.float64())}
    with pytest.raises(SkyMapError, match="column UNIQ: the table has no rows"):
        parquet.read(encode(columns))


def test_a_small_file_that_would_become_a_large_one_is_refused_unread():
    zeros = pa.array(np.zeros(3_000_000, np.int64))
    content = encode({"uniq": zeros, "probdensity": zeros.cast(pa.float64())})
    assert len(content) < 300_000
    with pytest.raises(SkyMapError, match="is larger than 40000000 bytes after decompression"):
        parquet.read(content, limit=40_000_000)


@pytest.mark.parametrize("listed", [False, True])
def test_a_long_text_repeated_in_a_small_file_is_refused_unread(listed):
    # A dictionary has it once, and what each row adds to the file is a few bits.
    rows = 100_000
    values = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["1" * 1000])
    if listed:
        values = pa.ListArray.from_arrays([0, rows], values)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"UNIQ": values, "PROBDENSITY": values}), buffer, store_schema=False)
    content = buffer.getvalue()
    assert len(content) < 30_000
    most = pa.default_memory_pool().max_memory()
    with pytest.raises(SkyMapError, match=r"column UNIQ: holds (100000 texts|string instead)"):
        parquet.read(content)
    assert pa.default_memory_pool().max_memory() < most + 10_000_000


def test_the_numbers_of_a_text_count_with_the_memory_that_they_need():
    text = "{" + "4," * 1_000_000 + "4}"
    content = encode({"UNIQ": [text], "PROBDENSITY": [text]})
    with pytest.raises(SkyMapError, match="is larger than 15000000 bytes after decompression"):
        parquet.read(content, limit=15_000_000)


def test_an_unsigned_cell_number_beyond_63_bits_is_told_as_it_stands(simple):
    uniq = simple.uniq.astype(np.uint64)
    uniq[3] = 2**64 - 5
    with pytest.raises(SkyMapError, match=r"column UNIQ: 18446744073709551611 in row 3 lies dee"):
        parquet.read(encode(simple.columns | {"uniq": uniq}))


@pytest.mark.parametrize("place", [0.001, 0.1, 0.5, 0.9, 0.95, 0.98, 0.99, 0.999])
def test_damaged_bytes_give_our_error_or_the_map(tmp_path, merger, place):
    parquet.write(merger, tmp_path / "map.parquet")
    content = bytearray((tmp_path / "map.parquet").read_bytes())
    for n in range(20):
        content[min(int(place * len(content)) + n, len(content) - 1)] ^= 0x55
    try:
        skymap = parquet.read(bytes(content))
    except SkyMapError:
        return
    assert skymap.cells == merger.cells


@pytest.mark.parametrize("kept", [b"[]", b"{\"meta\": 5, \"history\": {}}", b"no json", b"\xff"])
def test_metadata_of_others_under_our_name_spoils_nothing(simple, kept):
    table = pa.table(simple.columns).replace_schema_metadata({b"gwbroker": kept})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    skymap = parquet.read(buffer.getvalue())
    assert (skymap.meta, skymap.history) == ({}, ())


def test_what_a_map_says_of_itself_does_nothing_to_a_terminal(simple):
    kept = {"meta": {"OBJECT": "S1\x1b[2J", "DATE": {"a": 1}, "RUNTIME": math.nan, "MJD-OBS": 5.5},
            "history": ["in\x07put: é\n"]}
    table = pa.table(simple.columns).replace_schema_metadata({b"gwbroker": json.dumps(kept)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    skymap = parquet.read(buffer.getvalue())
    assert skymap.meta == {"OBJECT": r"S1\x1b[2J", "MJD-OBS": 5.5}
    assert skymap.history == (r"in\x07put: é\n",)


def test_other_tools_read_what_we_write(tmp_path, merger):
    parquet.write(merger, tmp_path / "map.parquet", {"notice": "1"})
    table = pq.read_table(tmp_path / "map.parquet")
    assert table.column_names == ["UNIQ", "PROBDENSITY", "DISTMU", "DISTSIGMA", "DISTNORM"]
    np.testing.assert_array_equal(table["UNIQ"], merger.uniq)
    assert table.schema.field("DISTMU").metadata == {b"unit": b"Mpc"}
