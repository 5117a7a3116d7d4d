"""Units that a table states are converted, in whatever words, or refused: never taken for ours."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import Table

from gwbroker.catalogues import Candidates, add
from gwbroker.catalogues.layouts import GLADE_PLUS, layout
from gwbroker.catalogues.units import scales, stated
from gwbroker.errors import SkyMapError

RA, DEC, FAR = [150.0, 300.0], [-10.0, 60.0], [40.0, 90.0]


def write(path, **given):
    """Write a table of two galaxies in units of its own, by astropy or as our products are."""
    in_units = {"ra": RA * u.deg, "dec": DEC * u.deg, "distance": FAR * u.Mpc,
                "distance_error": [4.0, 9.0] * u.Mpc, "mass": [1e9, 2e10] * u.Msun,
                "luminosity": [1e8, 3e9] * u.Lsun}
    table = Table({name: value.to(given[name]) if name in given else value
                   for name, value in in_units.items()})
    if path.name == "fields.parquet":
        schema = pa.schema([pa.field(c, pa.float64(), metadata={"unit": str(table[c].unit)})
                            for c in table.colnames])
        pq.write_table(pa.table({c: np.asarray(table[c]) for c in table.colnames}, schema), path)
    else:
        table.write(path)
    return path


UNITS = {"ra": "hourangle", "dec": "rad", "distance": "kpc", "distance_error": "lyr",
         "mass": "kg", "luminosity": "erg / s"}


@pytest.mark.parametrize("name", ["t.ecsv", "t.fits", "astropy.parquet", "fields.parquet"])
def test_a_catalogue_is_in_our_units_whatever_those_of_its_file_are(tmp_path, name, whole):
    # FITS has no hour of angle: an hour is meant.
    given = {**UNITS, "ra": "arcmin"} if name == "t.fits" else UNITS
    made, _ = add(write(tmp_path / name, **given), tmp_path / "c")
    found = whole(made, "ra", "dec", "distance", "distance_error", "mass", "luminosity")
    order = np.argsort(found["ra"])
    for column, expected in (("ra", RA), ("dec", DEC), ("distance", FAR),
                             ("distance_error", [4, 9]), ("mass", [1e9, 2e10]),
                             ("luminosity", [1e8, 3e9])):
        assert np.array(found[column])[order] == pytest.approx(expected, rel=1e-6)
    assert made.manifest["source"]["units"]["distance"] == "kpc"


@pytest.mark.parametrize("name", ["t.ecsv", "t.fits", "astropy.parquet", "fields.parquet"])
def test_candidates_are_in_our_units_whatever_those_of_their_file_are(tmp_path, name):
    given = {**UNITS, "ra": "arcmin"} if name == "t.fits" else UNITS
    found = Candidates.read(write(tmp_path / name, **given))
    assert found.ra == pytest.approx(RA)
    assert found.dec == pytest.approx(DEC)
    assert found.distance == pytest.approx(FAR)
    assert found.distance_error == pytest.approx([4, 9])


@pytest.mark.parametrize("read", [Candidates.read, lambda path: add(path, path.parent / "c")])
@pytest.mark.parametrize(("column", "unit", "said"), [
    ("distance", "m / s", "is in 'm / s', which is not read as a length; write it in Mpc"),
    ("distance", "mas", "is in 'mas', which is not read as a length"),
    ("distance", "mpc", "is in 'mpc', which is not read as a length"),
    ("ra", "h:m:s", "is in 'h:m:s', which is not read as an angle; write it in degrees"),
    ("ra", "s", "is in 's', which is not read as an angle"),
    ("dec", "10**999999999 deg", "is in '10**999999999 deg', which is not read as an angle"),
    ("redshift", "km / s", "is in 'km / s', which is not read as a redshift; write it without"),
])
def test_a_unit_of_another_kind_is_refused_by_file_column_and_unit(
    tmp_path, read, column, unit, said,
):
    names = ("ra", "dec", "distance", "redshift")
    types = "\n".join(f"# - {{name: {n}, datatype: float64"
                      + (f", unit: '{unit}'}}" if n == column else "}") for n in names)
    path = tmp_path / "galaxies.ecsv"
    path.write_text(f"# %ECSV 1.0\n# ---\n# datatype:\n{types}\n"
                    "# schema: astropy-2.0\nra dec distance redshift\n10 1 10 0.01\n")
    with pytest.raises(SkyMapError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: column {column}: {said}")


@pytest.mark.parametrize(("wanted", "unit", "scale"), [
    ("ra", "degrees", 1), ("ra", "°", 1), ("ra", "h", 15), ("ra", "Hours", 15), ("ra", "---", 1),
    ("distance", "Gpc", 1000), ("distance", "1e3 kpc", 1), ("distance", "", 1),
    ("mass", "M_sun", 1), ("mass", "10+10Msun", 1e10), ("mass", "10**10 solMass", 1e10),
    ("mass", "MSOL", 1), ("mass", "Solar masses", 1), ("luminosity", "L_sun", 1),
    ("redshift", "dimensionless", 1), ("magnitude", "Vega mag", 1),
    ("magnitude", "mag(AB)", 1)])
def test_units_are_known_in_the_words_of_fits_cds_and_people(wanted, unit, scale):
    table = layout("table").find("t", ["ra", "dec", wanted])
    said = stated(table, {wanted: unit}, None)
    assert scales("t", table, said)[wanted] == pytest.approx(scale)


def test_a_mass_that_says_its_unit_is_not_multiplied_with_that_of_the_format():
    glade = GLADE_PLUS.find("g", GLADE_PLUS.header)
    assert scales("g", glade, {})["mass"] == 1e10
    assert scales("g", glade, {"Mstar": "Msun"})["mass"] == 1


def all_over_the_sky(rows=500):
    rng = np.random.default_rng(2)
    return {"ra": rng.uniform(0, 24, rows), "dec": rng.uniform(-80, 80, rows)}


def test_candidates_whose_right_ascensions_look_like_hours_are_refused_with_the_remedy(
    tmp_path, csv,
):
    table = all_over_the_sky()
    path = csv(tmp_path / "hours.csv", table)
    lines = tmp_path / "hours.jsonl"
    lines.write_text("\n".join(json.dumps({"ra": r, "dec": d})
                               for r, d in zip(*table.values(), strict=True)))
    for file in (path, lines):
        with pytest.raises(SkyMapError, match=r"hours\.\w+: column ra: lies between .* --ra-unit"):
            Candidates.read(file)
        assert Candidates.read(file, "hour").ra == pytest.approx(15 * table["ra"])
        assert Candidates.read(file, "deg").ra == pytest.approx(table["ra"])
    with pytest.raises(SkyMapError, match="'rad' is neither 'deg' nor 'hour'"):
        Candidates.read(path, "rad")


@pytest.mark.parametrize("read", [Candidates.read, lambda path: add(path, path.parent / "c")])
def test_a_file_that_says_that_small_right_ascensions_are_degrees_is_believed(tmp_path, read):
    table = Table(all_over_the_sky())
    table["ra"].unit = u.deg
    table.write(tmp_path / "t.ecsv")
    assert read(tmp_path / "t.ecsv")


def test_few_candidates_are_believed_to_be_in_degrees(tmp_path, csv):
    assert len(Candidates.read(csv(tmp_path / "few.csv", all_over_the_sky(99)))) == 99


@pytest.mark.parametrize("said", [b"\xff", b"datatype: [", b"x" * 2_000_000])
def test_a_damaged_text_of_astropy_in_parquet_is_told(tmp_path, said):
    table = pa.table({"ra": [1.0], "dec": [2.0]}).replace_schema_metadata(
        {b"table_meta_yaml": said})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(SkyMapError, match=r"t\.parquet: (says of itself|has 2,000,000 bytes)"):
        Candidates.read(tmp_path / "t.parquet")
