"""Units of columns: ours, in whatever words, and others that are refused."""

import io

import pytest
from astropy.io import fits as astropy_fits

from gwbroker.errors import SkyMapError
from gwbroker.skymap import fits


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


@pytest.mark.parametrize("unit", ["1 / Mpc2", "Mpc**-2", "Mpc^-2", " Mpc-2 ", "10**999999999 Mpc",
                                  "whatever", ""])
def test_our_units_in_other_words_and_those_that_nobody_knows_are_read(simple, unit):
    assert fits.read(_in_units(simple, distnorm=unit)).has_distance
