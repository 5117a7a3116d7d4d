"""Units of columns: ours, in whatever words, and others that are refused."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table
from astropy.units import Unit

from gwbroker.errors import SkyMapError
from gwbroker.skymap import files, fits
from gwbroker.skymap.parquet_units import units_of


def _in_units(simple, **units):
    table = astropy_fits.BinTableHDU.from_columns([
        astropy_fits.Column(name.upper(), "K" if name == "uniq" else "D", array=values,
                            unit=units.get(name)) for name, values in simple.columns.items()])
    buffer = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(("column", "unit", "wanted"), [
    ("distmu", "Gpc", "Mpc"), ("distsigma", "kpc", "Mpc"), ("distmu", "km", "Mpc"),
    ("distnorm", "1 / kpc^2", "Mpc-2"), ("probdensity", "deg**(-2)", "sr-1"),
    ("distnorm", "Gpc-2", "Mpc-2"), ("probdensity", "deg-2", "sr-1")])
def test_columns_in_other_units_are_refused_and_not_taken_for_ours(simple, column, unit, wanted):
    with pytest.raises(SkyMapError) as caught:
        fits.read(_in_units(simple, **{column: unit}), "a.fits")
    assert str(caught.value) == (
        f"a.fits: column {column.upper()}: is in {unit}, only {wanted} is read: convert it")


@pytest.mark.parametrize("of", ["the fields", "astropy"])
@pytest.mark.parametrize(("column", "unit", "wanted"), [
    ("distmu", "Gpc", "Mpc"), ("probdensity", "deg-2", "sr-1"), ("distnorm", "kpc-2", "Mpc-2")])
def test_parquet_in_other_units_is_refused_as_fits_is(simple, tmp_path, of, column, unit, wanted):
    path = tmp_path / "a.parquet"
    if of == "astropy":
        # In lower case, as databases have them.
        table = Table(simple.columns)
        table[column].unit = unit
        table.write(path)
    else:
        fields = [pa.field(c, pa.from_numpy_dtype(v.dtype),
                           metadata={"unit": unit} if c == column else None)
                  for c, v in simple.columns.items()]
        pq.write_table(pa.table(simple.columns, pa.schema(fields)), path)
    with pytest.raises(SkyMapError) as caught:
        files.load(path)
    said = unit if of == "the fields" else str(Unit(unit))
    assert str(caught.value) == (
        f"{path}: column {column.upper()}: is in {said}, only {wanted} is read: convert it")


def test_what_we_write_as_parquet_says_its_units_and_is_read_again(simple, tmp_path):
    files.save(simple, tmp_path / "a.parquet")
    assert units_of(pq.read_schema(tmp_path / "a.parquet"), "a.parquet") == {
        "PROBDENSITY": "sr-1", "DISTMU": "Mpc", "DISTSIGMA": "Mpc", "DISTNORM": "Mpc-2"}
    assert files.load(tmp_path / "a.parquet").has_distance


@pytest.mark.parametrize("unit", ["1 / Mpc2", "Mpc**-2", "Mpc^-2", " Mpc-2 ", "10**999999999 Mpc",
                                  "whatever", ""])
def test_our_units_in_other_words_and_those_that_nobody_knows_are_read(simple, unit):
    assert fits.read(_in_units(simple, distnorm=unit)).has_distance
