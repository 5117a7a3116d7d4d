"""What is wrong with a file of galaxies is said, with file, column, value and remedy."""

import gzip
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from gwbroker.catalogues import add
from gwbroker.catalogues.layouts import layout
from gwbroker.errors import SkyMapError

GOOD = {"ra": [10, 20, 30], "dec": [-5, 0, 5], "distance": [50, 60, 70]}


def refused(path, folder, **options):
    """Return the message with which a file is refused; nothing is left in its folder."""
    with pytest.raises(SkyMapError) as caught:
        add(path, folder, **options)
    assert not folder.exists()
    return str(caught.value)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"),
    (b"\n\n", "has no rows"),
    (b"# only\n# comments\n", "has no rows"),
    (b"ra,dec\n", "has no rows"),
    (b"\x89PNG\r\n\x1a\n\0\0\0", "is neither FITS, Parquet nor text"),
    (b"\x89PNG\r\n\x1a\n" + b"0" * 1000, "is neither FITS, Parquet nor text"),
    (b"ra,dec,distance\n10,5\n20,1,2,3\n", "2 of 2 lines have too few or too many columns"),
    (b"PAR1 and no more", "is damaged Parquet"),
    (b"\x1f\x8b\x08\x00broken", "is damaged gzip"),
    (b"name,ra\na,5\n", "column dec: is missing; the file has name, ra; name the column with "
                        "--column dec=NAME"),
    (b"ra,dec,dec\n1,2,3\n", "column dec: is there twice"),
    (b"ra     dec  name\n1  2  a\n", "has several spaces between its columns; one comma, tab or"),
    pytest.param(b",".join(b"c%d" % n for n in range(300_000)) + b"\n1\n", "column ra: is missing",
                 id="wide"),
    (b"ra,dec\n12:34:56,-5\n", "column ra: '12:34:56' in line 2 is not a number"),
    (b"ra,dec\n5,abc\n", "column dec: 'abc' in line 2 is not a number"),
    (b"ra,dec,name\n1,2,\xff\xfe\n", "the text must be UTF-8"),
    (b"SIMPLE  =                    T / and no more", "damaged FITS"),
])
def test_files_that_are_no_table_of_galaxies_are_refused(tmp_path, content, message):
    path = tmp_path / "galáxias.csv"
    path.write_bytes(content)
    said = refused(path, tmp_path / "c")
    assert message in said
    assert "galáxias.csv" in said


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "No such file" in refused(tmp_path / "absent.csv", tmp_path / "c")
    assert "cannot be read" in refused(tmp_path, tmp_path / "c")


def test_a_file_of_another_layout_is_no_glade_plus(tmp_path, csv):
    said = refused(csv(tmp_path / "g.csv", GOOD), tmp_path / "c", format="glade+")
    assert "has 1 columns in its first row, but glade+ has 40" in said


def test_ned_lvs_without_one_of_its_columns_is_refused(tmp_path, csv):
    said = refused(csv(tmp_path / "g.csv", {**GOOD, "objname": ["a", "b", "c"]}), tmp_path / "c",
                   format="ned-lvs")
    assert "column DistMpc: is missing; the file has ra, dec, distance, objname" in said


def test_truncated_files_are_refused(tmp_path):
    table = Table({"ra": np.linspace(0, 300, 5000), "dec": np.zeros(5000)})
    table.write(tmp_path / "t.fits")
    pq.write_table(pa.table({"ra": [1.0] * 5000, "dec": [0.0] * 5000}), tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"ra,dec\n" + b"1,2\n" * 3_000_000, 1))
    for name in ("t.fits", "t.parquet", "t.csv.gz"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        assert re.search("truncated|damaged|cannot be", refused(tmp_path / name, tmp_path / "c"))


def test_a_fits_file_without_table_is_refused(tmp_path):
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    assert "has no binary table" in refused(tmp_path / "image.fits", tmp_path / "c")


def test_right_ascensions_in_hours_are_refused_until_somebody_says_what_they_are(
    tmp_path, csv, whole,
):
    rng = np.random.default_rng(2)
    table = {"RAJ2000": rng.uniform(0, 24, 500),
             "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))}
    path = csv(tmp_path / "hours.csv", table)
    said = refused(path, tmp_path / "c")
    assert "hours.csv: column RAJ2000: lies between 0.0" in said
    assert "--ra-unit hour" in said
    hours, _ = add(path, tmp_path / "hours", ra_unit="hour")
    degrees, _ = add(path, tmp_path / "degrees", ra_unit="deg")
    assert sorted(whole(hours, "ra")["ra"]) == pytest.approx(sorted(15 * table["RAJ2000"]))
    assert sorted(whole(degrees, "ra")["ra"]) == pytest.approx(sorted(table["RAJ2000"]))


def test_a_file_that_says_that_they_are_hours_is_believed(tmp_path, whole):
    table = Table({"ra": [1.0, 23.0], "dec": [1.0, 2.0]})
    for unit in ("hourangle", "h"):
        table["ra"].unit = unit
        table.write(tmp_path / f"{unit}.ecsv")
        made, _ = add(tmp_path / f"{unit}.ecsv", tmp_path / unit)
        assert whole(made, "ra")["ra"] == pytest.approx([15, 345])


def test_a_small_field_near_zero_hours_is_believed_to_be_in_degrees(tmp_path, csv):
    rng = np.random.default_rng(2)
    table = {"ra": rng.uniform(0, 20, 500), "dec": rng.uniform(0, 20, 500)}
    assert add(csv(tmp_path / "g.csv", table), tmp_path / "c")[0].rows == 500


@pytest.mark.parametrize(("column", "value", "reason"), [
    ("ra", "nan", "is no number"), ("ra", "inf", "is no number"), ("ra", "", "is no number"),
    ("ra", "400", "is not a right ascension"), ("ra", "-200", "is not a right ascension"),
    ("dec", "nan", "is no number"), ("dec", "-90.01", "is not within -90 and 90"),
    ("distance", "-3", "is not positive"), ("distance", "0", "is not positive"),
    ("distance", "inf", "is infinite"),
    ("redshift", "25", "is no redshift of a galaxy"),
])
def test_rows_with_impossible_values_are_left_out_and_counted(
    tmp_path, csv, column, value, reason,
):
    table = {**GOOD, "redshift": ["0.01"] * 3}
    table[column] = [value, *table[column][1:]]
    made, _ = add(csv(tmp_path / "g.csv", table), tmp_path / "c")
    assert made.rows == 2
    (left_out,) = made.manifest["left_out"]
    assert (left_out["column"], left_out["reason"], left_out["rows"]) == (column, reason, 1)
    assert left_out["first"].endswith("in row 1")


def test_a_file_of_which_most_rows_are_impossible_is_refused(tmp_path, csv):
    said = refused(csv(tmp_path / "g.csv", {"ra": [10, 20, 30], "dec": [100, 200, 30]}),
                   tmp_path / "c")
    assert "column dec: is not within -90 and 90 in 2 of 3 rows (first: 100 in row 1)" in said


def test_of_rows_that_are_impossible_for_several_reasons_the_sum_is_told(tmp_path, csv):
    said = refused(csv(tmp_path / "g.csv", {"ra": [10, 400, 30, 40], "dec": [1, 1, 100, 30],
                                            "dist": [-5, 5, 5, -6]}), tmp_path / "c")
    assert ("column dist: is not positive in 2 of 4 rows (first: -5 in row 1), and 4 rows in all "
            "cannot be used; is it the right column") in said


def test_an_impossible_value_is_told_as_the_file_has_it(tmp_path):
    table = Table({"ra": [25.0, 1.0, 2.0], "dec": [1.0, 2, 3]})
    table["ra"].unit = "hourangle"
    table.write(tmp_path / "t.ecsv")
    made, _ = add(tmp_path / "t.ecsv", tmp_path / "c")
    assert made.manifest["left_out"][0]["first"] == "25 in row 1"


def test_a_distance_that_is_not_known_is_no_mistake(tmp_path, csv):
    made, _ = add(csv(tmp_path / "g.csv", {**GOOD, "distance": ["", "nan", "null"]}),
                  tmp_path / "c")
    assert (made.rows, made.manifest["without_distance"]) == (3, 3)
    assert made.manifest["left_out"] == []


def test_poles_and_the_end_of_the_circle_are_kept(tmp_path, csv, whole):
    made, _ = add(csv(tmp_path / "g.csv", {"ra": [0, 360, -10, 5], "dec": [90, -90, 0, -0.0]}),
                  tmp_path / "c")
    assert sorted(whole(made, "ra")["ra"]) == [0, 0, 5, 350]


def test_columns_and_formats_that_nobody_knows_are_refused():
    with pytest.raises(SkyMapError, match="'beauty' is nothing that a catalogue keeps"):
        layout("table", {"beauty": "x"})
    with pytest.raises(SkyMapError, match=r"'2mass' is not known; there are glade\+, ned-lvs"):
        layout("2mass")


def test_a_column_that_the_user_names_must_be_there(tmp_path, csv):
    said = refused(csv(tmp_path / "g.csv", GOOD), tmp_path / "c", columns={"mass": "logM"})
    assert "column logM: is missing" in said
