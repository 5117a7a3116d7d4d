"""The forms in which regions are written and read, good and bad."""

import json

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from gwbroker.errors import SkyMapError
from gwbroker.skymap import fits, make
from gwbroker.skymap.moc import PIXELS, Moc

from .pairs import scattered

SKY = 4 * np.pi * (180 / np.pi) ** 2

def test_every_form_is_read_as_it_was_written(tmp_path):
    moc = Moc.of_level(scattered(3), 0.5).union(Moc(np.array([[3, 8]])))
    for suffix in ("fits", "json", "txt"):
        path = tmp_path / f"région.{suffix}"
        moc.write(path)
        assert Moc.read(path) == moc
    moc.write_fits(tmp_path / "any.name")
    assert Moc.read(tmp_path / "any.name") == moc
    with pytest.raises(SkyMapError, match=r"'.png' is not one of a MOC: .fits, .json, .txt"):
        moc.write(tmp_path / "moc.png")


def test_the_forms_are_those_of_the_standard(tmp_path):
    moc = Moc.of_cells(np.array([1, 2, 2, 2, 1]), np.array([3, 60, 61, 4, 1]))
    # The cell 2/4 is a part of 1/1.
    assert moc.to_ascii() == "1/1 3 2/60-61"
    assert json.loads(moc.to_json()) == {"1": [1, 3], "2": [60, 61]}
    moc.write(tmp_path / "moc.fits")
    with astropy_fits.open(tmp_path / "moc.fits") as hdus:
        header = hdus[1].header
        assert [header[k] for k in ("MOCVERS", "MOCDIM", "ORDERING", "COORDSYS", "MOCORD_S")] == [
            "2.0", "SPACE", "NUNIQ", "C", 2]
        assert hdus[1].data["UNIQ"].tolist() == [17, 19, 124, 125]


def test_ascii_of_others_is_read():
    moc = Moc.from_ascii("1/3,5-7 2/64")
    assert Moc.from_ascii("s1/ 3 5-6,7\n 2/64 29/") == moc
    whole = Moc.from_ascii(f"29/0-{PIXELS - 1}")
    assert whole == Moc.whole_sky()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no level"),
        ("3", "'3' is not a part of a MOC"),
        ("hello", "'hello' is not a part"),
        ("30/1", "30 is not a level"),
        ("1/48", "'1/48' are no cells of level 1"),
        ("1/7-5", "'1/7-5' are no cells"),
        ("{", "is no JSON"),
        ('{"1": [48]}', "column 1: 48 is no cell"),
        ('{"1": [1.5]}', "column 1: is not a list of whole numbers"),
        ('{"1": 3}', "column 1: is not a list"),
        ('{"a": [3]}', "a is not a level"),
        ("é", "neither FITS nor JSON nor ASCII"),
    ],
)
def test_files_that_are_no_moc_are_refused(tmp_path, text, message):
    path = tmp_path / "moc.txt"
    path.write_text(text)
    with pytest.raises(SkyMapError, match=message) as caught:
        Moc.read(path)
    assert str(path) in str(caught.value)


def test_fits_files_that_are_no_moc_are_refused(tmp_path, encode):
    def read(content):
        path = tmp_path / "moc.fits"
        path.write_bytes(content)
        return Moc.read(path)

    good = [("UNIQ", "K", np.array([4, 20]))]
    assert read(encode(good, ORDERING="NUNIQ")).area == pytest.approx(SKY / 12 + SKY / 48)
    ranges = [("RANGE", "K", np.array([0, 4, 10, 12]))]
    assert read(encode(ranges, ORDERING="RANGE", MOCDIM="SPACE")).ranges.tolist() == [
        [0, 4], [10, 12]]
    for content, message in (
        (encode(good, ORDERING="NESTED"), "ORDERING is 'NESTED'"),
        (encode(good, ORDERING="NUNIQ", MOCDIM="TIME"), "of 'TIME'"),
        (encode(good, ORDERING="NUNIQ", COORDSYS="G"), "COORDSYS is 'G'"),
        (encode([("UNIQ", "K", np.array([3]))], ORDERING="NUNIQ"), "column UNIQ: 3 in row 0"),
        (encode([("UNIQ", "D", np.array([4.0]))], ORDERING="NUNIQ"), "not of whole numbers"),
        (encode([("RANGE", "K", np.arange(3))], ORDERING="RANGE"), "last range has no end"),
        (encode(good, ORDERING="NUNIQ")[:2900], "is not a FITS file that can be read|has no table"),
        (fits.write(make.cone(1, 2, 3, 0.9), tmp_path / "map.fits")
         or (tmp_path / "map.fits").read_bytes(), "perhaps a sky map"),
    ):
        with pytest.raises(SkyMapError, match=message):
            read(content)
    with pytest.raises(SkyMapError, match="cannot be read: No such file"):
        Moc.read(tmp_path / "none.fits")


def test_a_region_that_cannot_be_written_is_told_in_a_sentence(tmp_path):
    with pytest.raises(SkyMapError, match=r"m\.fits: cannot be written: No such file or directory"):
        Moc.whole_sky().write(tmp_path / "absent" / "m.fits")
