"""Maps of posterior samples: right, the same again, as ligo.skymap makes them; and their files."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest
from astropy.table import Table

from gwbroker.errors import SkyMapError
from gwbroker.skymap import sample_files
from gwbroker.skymap.regions import credible_areas, distance
from gwbroker.skymap.samples import from_samples

NAN = float("nan")
QUICK = {"clusters": 10, "trials": 1}


@pytest.fixture(scope="module")
def drawn():
    """Samples of one blob at 120, -30, and 200 Mpc."""
    rng = np.random.default_rng(20150914)
    ra = rng.normal(120, 3 / np.cos(np.radians(30)), 200)
    return ra, rng.normal(-30, 2, 200), rng.normal(200, 30, 200)


def test_samples_of_a_normal_distribution_give_its_area_and_place(drawn):
    skymap = from_samples(drawn[0], drawn[1], **QUICK)
    # A kernel makes what it is laid upon wider.
    assert credible_areas(skymap, 0.9) == pytest.approx(np.pi * 2 * 3 * 4.605, rel=0.35)
    mean = skymap.prob @ skymap.vectors
    expected = [np.cos(np.radians(-30)) * np.cos(np.radians(120)),
                np.cos(np.radians(-30)) * np.sin(np.radians(120)), np.sin(np.radians(-30))]
    assert mean == pytest.approx(expected, abs=0.01)


def test_distances_of_the_samples_are_those_of_the_map(drawn):
    skymap = from_samples(*drawn, **QUICK)
    far = distance(skymap)
    assert far.mean == pytest.approx(drawn[2].mean(), rel=0.03)
    assert far.std == pytest.approx(drawn[2].std(), rel=0.25)


def test_the_result_is_that_of_ligo_skymap_called_directly_and_the_same_again(drawn, ligo, capfd):
    points = np.column_stack([np.radians(drawn[0] % 360), np.radians(drawn[1])])
    ours = from_samples(drawn[0] - 360, drawn[1], seed=7, **QUICK)
    assert capfd.readouterr().err == ""
    np.random.seed(7)
    theirs = ligo("kde").Clustered2DSkyKDE(points, max_k=10, trials=1).as_healpix()
    order = np.argsort(theirs["UNIQ"])
    mine = np.argsort(ours.uniq)
    assert (ours.uniq[mine] == theirs["UNIQ"][order]).all()
    density = np.asarray(theirs["PROBDENSITY"])[order]
    assert ours.probdensity[mine] / ours.probdensity.max() == pytest.approx(
        density / density.max(), rel=1e-6, abs=1e-12)


def test_of_many_samples_some_are_drawn_by_the_seed_and_the_global_state_stays(drawn):
    ra, dec, _ = drawn
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    one, two, other = (from_samples(ra, dec, maxpts=100, seed=seed, **QUICK)
                       for seed in (1, 1, 2))
    assert (np.random.get_state()[1] == before).all()
    assert (one.probdensity == two.probdensity).all()
    assert one.cells != other.cells or (one.probdensity != other.probdensity).any()


GOOD = np.linspace(1, 2, 100)


@pytest.mark.parametrize(("arguments", "message"), [
    (([1, 2], [1, 2]), "samples: there are 2 samples, fewer than 100"),
    (([], []), "samples: there are 0"),
    ((GOOD, GOOD[:-1]), "samples: has columns of different lengths"),
    ((GOOD, [*GOOD[:-1], NAN]), "samples: column dec: nan in row 99 is not from -90 to 90"),
    ((GOOD, [*GOOD[:-1], 91]), "samples: column dec: 91 in row 99"),
    (([400, *GOOD[1:]], GOOD), "samples: column ra: 400 in row 0 is not from -360 to 360"),
    ((["x"] * 100, GOOD), "samples: column ra: does not hold numbers"),
    (([[1, 2]] * 100, GOOD), r"samples: column ra: has shape \(100, 2\)"),
    ((GOOD, GOOD, [0, *GOOD[1:]]), "samples: column distance: 0 in row 0 is not a positive"),
    ((GOOD, GOOD, [float("inf"), *GOOD[1:]]), "samples: column distance: inf in row 0"),
    ((np.ones(100), np.ones(100)), "samples: the samples are too much alike for a map"),
])
def test_bad_samples_are_named(arguments, message):
    with pytest.raises(SkyMapError, match=f"^{message}"):
        from_samples(*arguments, **QUICK)


def test_bad_samples_are_called_by_the_name_of_their_file():
    with pytest.raises(SkyMapError, match=r"^few\.csv: there are 2 samples"):
        from_samples([1, 2], [1, 2], name="few.csv")


def test_the_map_says_which_ligo_skymap_has_made_it():
    ra, dec = np.random.default_rng(3).normal(30, 2, (2, 100))
    version = from_samples(ra, dec, **QUICK).meta["VCSVERS"]
    assert re.fullmatch(r"ligo\.skymap \d+\.\d+.*", version)


@pytest.mark.parametrize("option", [
    {"maxpts": 1}, {"seed": -1}, {"trials": 0}, {"threads": 0}, {"clusters": 2}])
def test_bad_options_are_named(option):
    with pytest.raises(SkyMapError, match=f"^{next(iter(option))}: "):
        from_samples(GOOD, GOOD, **option)


def radians():
    """Return a table as LIGO/Virgo/KAGRA write it."""
    return Table({"ra": np.radians(GOOD * 100), "dec": np.radians(-GOOD * 20),
                  "luminosity_distance": GOOD * 100, "chirp_mass": GOOD})


@pytest.mark.parametrize("kind", ["csv", "ecsv", "txt", "hdf5", "hdf5 group"])
def test_every_kind_of_file_is_read(tmp_path, kind):
    table, path = radians(), tmp_path / f"sämples.{kind.split()[0]}"
    if kind == "hdf5":
        with h5py.File(path, "w") as file:
            file["lalinference/posterior_samples"] = np.asarray(table)
    elif kind == "hdf5 group":
        with h5py.File(path, "w") as file:
            for name in table.colnames:
                file[f"posterior_samples/{name}"] = np.asarray(table[name])
    else:
        table.write(path, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv",
                                  "txt": "ascii.basic"}[kind])
    found = sample_files.read(path)
    assert found.ra == pytest.approx(GOOD * 100)
    assert found.dec == pytest.approx(-GOOD * 20)
    assert found.distance == pytest.approx(GOOD * 100)


def test_units_that_a_file_states_are_heeded(tmp_path):
    table = Table({"RA": GOOD * 100, "Dec": -GOOD, "dist": GOOD})
    table["RA"].unit, table["Dec"].unit, table["dist"].unit = "deg", "rad", "Gpc"
    table["Dec"] = table["Dec"] / 2
    table.write(tmp_path / "x.ecsv", format="ascii.ecsv")
    found = sample_files.read(tmp_path / "x.ecsv", "rad")
    assert found.ra == pytest.approx(GOOD * 100)
    assert found.dec == pytest.approx(np.degrees(-GOOD / 2))
    assert found.distance == pytest.approx(GOOD * 1000)


def test_a_file_without_distances_has_none(tmp_path):
    (tmp_path / "x.csv").write_text("ra,dec\n" + "1,2\n" * 60)
    found = sample_files.read(tmp_path / "x.csv", "deg")
    assert found.distance is None
    assert found.ra[0] == 1


@pytest.mark.parametrize(("content", "message"), [
    (b"ra,time\n1,2\n", "column dec: is missing: there are ra, time"),
    (b"ra,dec\n123.4,2\n", r"column ra: 123.4 in row 0 is no angle in radians.*--unit deg"),
    (b"ra,dec\n1,-20\n", r"column dec: -20 in row 0 is no angle in radians"),
    (b"ra,dec\n12:34:56,2\n", "column ra: holds .* instead of numbers, as .*12:34:56"),
    (b"ra,dec\n1,2,3,4\n", "is no table"),
    (b"ra,dec\n1,\n2,3\n", "column dec: has no value in row 0"),
    (b"", "is empty$"),
    (b"\x89HDF\r\n\x1a\n damaged", "is damaged HDF5"),
    (b"\x00\x01\x02", "is neither HDF5 nor text"),
])
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.dat"
    path.write_bytes(content)
    with pytest.raises(SkyMapError, match=f"bad.dat: .*({message})|bad.dat: ({message})"):
        sample_files.read(path)


def test_right_ascension_in_hours_is_refused_with_its_unit(tmp_path):
    table = radians()
    table["ra"].unit = "hourangle"
    table.write(tmp_path / "x.ecsv", format="ascii.ecsv")
    with pytest.raises(SkyMapError, match="column ra: is in hourangle; write it in degrees"):
        sample_files.read(tmp_path / "x.ecsv")
    with pytest.raises(SkyMapError, match="unit: 'hours' is neither rad nor deg"):
        sample_files.read(tmp_path / "x.ecsv", "hours")


def test_two_tables_of_samples_are_not_guessed_between(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name in ("C01:IMRPhenomXPHM", "C01:SEOBNRv4PHM"):
            file[f"{name}/posterior_samples"] = np.asarray(radians())
    with pytest.raises(SkyMapError, match="several tables of samples: C01:IMRPhenomXPHM/"):
        sample_files.read(tmp_path / "x.h5")
