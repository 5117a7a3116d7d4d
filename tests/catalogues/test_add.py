"""Files of galaxies become catalogues: whole or not at all, the same ones from the same file."""

import gzip
import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.cosmology import Planck18
from astropy.table import Table

from gwbroker.catalogues import Catalogue, add, listing
from gwbroker.catalogues.columns import SCHEMA
from gwbroker.catalogues.sorting import partition_level
from gwbroker.errors import SkyMapError

GLADE = (  # Forty columns: PGC, GWGC, HyperLEDA, 2MASS, WISExSCOS, SDSS, type, RA, Dec...
    "{n} {pgc} {gwgc} null null null null G {ra} {dec} 12.5 0.1 0 {babs} null null null null null "
    "null null null null null 0 null null 0.0028 0.0029 1 0.0005 0.0001 {d} {e} 1 {mass} 0.6 1 "
    "5e-6 1e-7")


def glade(path, count=20, rows=()):
    lines = [GLADE.format(n=i, pgc=1000 + i, gwgc="NGC" + str(i) if i % 2 else "null",
                          ra=(7.3 * i) % 360, dec=-60 + i % 120, babs=-20.5, d=40.5 + i,
                          e=4.25 if i % 3 else "null", mass=2.5 if i % 4 else "null")
             for i in range(count)]
    path.write_text("\n".join([*lines, *rows]) + "\n")
    return path


def test_glade_plus_is_read_column_by_column(tmp_path, whole):
    made, new = add(glade(tmp_path / "GLADE+.txt"), tmp_path / "glade", "glade+")
    assert new
    assert made.rows == 20
    found = whole(made, *SCHEMA.names)
    rows = {r["name"]: r for r in (dict(zip(found, v, strict=True))
                                   for v in zip(*found.values(), strict=True))}
    one, two = rows["NGC1"], rows["1002"]
    assert (one["ra"], one["dec"], one["distance"]) == (7.3, -59.0, 41.5)
    assert one["distance_error"] == 4.25
    assert rows["NGC3"]["distance_error"] is None
    assert (one["mass"], rows["NGC1"]["mass"]) == (pytest.approx(2.5e10), pytest.approx(2.5e10))
    assert rows["1004"]["mass"] is None
    # 10^(-0.4 (-20.5 - 5.44)), Willmer (2018).
    assert two["luminosity"] == pytest.approx(10 ** (0.4 * 25.94), rel=1e-6)
    assert one["redshift"] == pytest.approx(0.0028)
    assert made.manifest["band"] == "B"


def test_a_line_of_glade_plus_that_is_cut_off_is_counted(tmp_path):
    path = glade(tmp_path / "GLADE+.txt", rows=["20 1020 null null"])
    made, _ = add(path, tmp_path / "glade", "glade+")
    assert made.rows == 20
    (left_out,) = made.manifest["left_out"]
    assert (left_out["rows"], left_out["reason"]) == (1, "has too few or too many columns")


def test_ned_lvs_is_read_from_fits_and_text(tmp_path, whole):
    table = Table({
        "objname": ["WISEA J00", "M 31 ", ""], "ra": [0.5, 10.68, 200], "dec": [-5, 41.27, 3],
        "objtype": ["G", "G", "G"], "z": [0.01, -0.001, 0.02], "DistMpc": [44.0, 0.78, np.nan],
        "DistMpc_unc": [3.0, 0.02, np.nan], "m_Ks": [11.0, 0.98, np.nan],
        "Mstar": [1e9, 8e10, np.nan]})
    table.write(tmp_path / "NEDLVS.fits")
    table.write(tmp_path / "NEDLVS.csv", format="ascii.csv")
    with open(tmp_path / "NEDLVS.fits", "rb") as f:
        (tmp_path / "NEDLVS.fits.gz").write_bytes(gzip.compress(f.read()))
    read = []
    for name in ("NEDLVS.fits", "NEDLVS.csv", "NEDLVS.fits.gz"):
        made, _ = add(tmp_path / name, tmp_path / f"of-{name}", "ned-lvs")
        read.append(whole(made, *SCHEMA.names))
        assert made.manifest["without_distance"] == 0
    assert read[0] == read[1] == read[2]
    row = read[0]["name"].index("M 31")
    assert read[0]["distance"][row] == pytest.approx(0.78)
    # M_Ks = 0.98 - 5 log10(0.78e6 / 10), the Sun 3.27.
    assert read[0]["luminosity"][row] == pytest.approx(
        10 ** (-0.4 * (0.98 - 5 * np.log10(0.78e5) - 3.27)), rel=1e-5)
    # Where there is no distance the redshift gives it.
    assert read[0]["distance"][read[0]["ra"].index(200)] == pytest.approx(
        Planck18.luminosity_distance(0.02).value, rel=1e-6)


def test_a_table_may_be_csv_ecsv_fits_or_parquet_with_columns_of_any_name(tmp_path, whole):
    table = Table({"Gal": ["a b", "ngc 1", "Ça"], "RAJ2000": [1.0, 2, 359.5],
                   "DEJ2000": [-89.5, 0, 89], "vel": [0.01, 0.02, 0.03]})
    table["RAJ2000"].unit = units.deg
    table.write(tmp_path / "t.csv", format="ascii.csv")
    table.write(tmp_path / "t.ecsv")
    pq.write_table(pa.table({n: table[n].tolist() for n in table.colnames}), tmp_path / "t.parquet")
    ascii_ = table.copy()
    ascii_["Gal"] = ["a b", "ngc 1", "Ca"]
    ascii_.write(tmp_path / "t.fits")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    for name in ("t.csv", "t.ecsv", "t.parquet", "t.fits", "t.csv.gz"):
        made, _ = add(tmp_path / name, tmp_path / f"of-{name}",
                      columns={"name": "Gal", "redshift": "vel"})
        found = whole(made, "name", "ra", "dec", "distance")
        assert sorted(found["ra"]) == [1, 2, 359.5]
        assert set(found["name"]) >= {"a b", "ngc 1"}
        assert sorted(found["distance"]) == pytest.approx(
            Planck18.luminosity_distance([0.01, 0.02, 0.03]).value, rel=1e-6)


def test_redshift_errors_become_errors_of_the_distance(tmp_path, csv, whole):
    path = csv(tmp_path / "t.csv", {"ra": [1], "dec": [1], "z": [0.1], "z_err": [0.01]})
    found = whole(add(path, tmp_path / "c")[0], "distance_error")
    wide = Planck18.luminosity_distance([0.099, 0.101]).value
    assert found["distance_error"][0] == pytest.approx((wide[1] - wide[0]) / 0.002 * 0.01, rel=1e-3)


def test_galaxies_are_sorted_by_pixel_into_the_partition_of_their_cell(catalogue, galaxies):
    assert catalogue.rows == len(galaxies["ra"])
    for partition in catalogue.partitions:
        pixel = partition.read(["pixel"])["pixel"].to_numpy()
        assert (np.diff(pixel) >= 0).all()
        assert (pixel >> (2 * (29 - catalogue.level)) == partition.pixel).all()
        assert len(pixel) == partition.rows


def test_partitions_of_large_catalogues_have_a_handy_size():
    assert [partition_level(n) for n in (0, 1, 10**6, 22 * 10**6, 10**9)] == [1, 1, 1, 3, 5]


def test_the_same_file_gives_the_same_catalogue_and_a_second_time_changes_nothing(
    tmp_path, galaxies, csv,
):
    path = csv(tmp_path / "g.csv", galaxies)
    one, first = add(path, tmp_path / "one")
    two, _ = add(path, tmp_path / "two", name="one")
    assert first
    files = [{f.relative_to(c.folder): f.read_bytes() for f in c.folder.rglob("*")
              if f.is_file()} for c in (one, two)]
    assert files[0] == files[1]
    before = one.partitions[0].path.stat().st_ino
    again, new = add(path, tmp_path / "one")
    assert not new
    assert again.partitions[0].path.stat().st_ino == before
    changed, new = add(path, tmp_path / "one", columns={"mass": "luminosity"})
    assert new
    assert changed.digest != one.digest
    assert sorted(p.name for p in (tmp_path / "one").iterdir() if p.is_dir()) == [
        changed.manifest["data"]]


def test_a_damaged_catalogue_is_made_again(tmp_path, galaxies, csv):
    path = csv(tmp_path / "g.csv", galaxies)
    made, _ = add(path, tmp_path / "c")
    made.partitions[3].path.unlink()
    with pytest.raises(SkyMapError, match="add the catalogue again"):
        made.partitions[3].read(["ra"])
    assert add(path, tmp_path / "c")[1]
    assert Catalogue.open(tmp_path / "c").partitions[3].read(["ra"]).num_rows


def test_progress_is_told_from_nothing_to_all(tmp_path, galaxies, csv):
    told = []
    add(csv(tmp_path / "g.csv", galaxies), tmp_path / "c",
        progress=lambda what, done: told.append((what, done)))
    for what in ("checking", "reading", "sorting"):
        steps = [done for each, done in told if each == what]
        assert steps == sorted(steps)
        assert steps[-1] == 1


ADDING = textwrap.dedent("""
    import sys
    from gwbroker.catalogues import add
    def tell(what, done):
        print(what, flush=True)
        if what == sys.argv[3]:
            sys.stdin.read()
    add(sys.argv[1], sys.argv[2], progress=tell)
""")


@pytest.mark.parametrize(("stage", "old"), [("reading", False), ("sorting", True)])
def test_killed_halfway_the_old_catalogue_stays_or_there_is_none(
    tmp_path, galaxies, csv, stage, old,
):
    path, folder = csv(tmp_path / "g.csv", galaxies), tmp_path / "home" / "c"
    if old:
        before, _ = add(csv(tmp_path / "small.csv", {"ra": [1], "dec": [2]}), folder)
    process = subprocess.Popen([sys.executable, "-c", ADDING, str(path), str(folder), stage],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while stage not in process.stdout.readline():
        pass
    with pytest.raises(SkyMapError, match="another process is adding"):
        add(path, folder)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if old:
        assert Catalogue.open(folder).digest == before.digest
        assert Catalogue.open(folder).partitions[0].read(["ra"]).num_rows == 1
    else:
        assert list(listing(tmp_path / "home")) == []
        with pytest.raises(SkyMapError, match="there is no catalogue here"):
            Catalogue.open(folder)
    made, new = add(path, folder)
    assert new
    assert made.rows == len(galaxies["ra"])
    assert not [p for p in folder.iterdir() if p.name.startswith(".adding")]


LIMITED = textwrap.dedent("""
    import resource, sys
    from gwbroker.catalogues import add
    from gwbroker.errors import SkyMapError
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        add(sys.argv[1], sys.argv[2])
    except SkyMapError as e:
        print(e)
""")


def test_a_disk_that_takes_no_more_is_told_in_a_sentence_and_the_old_catalogue_stays(
    tmp_path, galaxies, csv,
):
    path, folder = csv(tmp_path / "g.csv", galaxies), tmp_path / "c"
    before, _ = add(csv(tmp_path / "small.csv", {"ra": [1], "dec": [2]}), folder)
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path), str(folder)],
                          capture_output=True, text=True, check=True)
    assert "cannot be written: " in done.stdout, done.stderr
    assert "File too large" in done.stdout
    assert Catalogue.open(folder).digest == before.digest
    assert not [p for p in folder.iterdir() if p.name.startswith(".adding")]


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, csv):
    path = csv(tmp_path / "g.csv", {"ra": [1], "dec": [2]})
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("chapter 1")
    with pytest.raises(SkyMapError, match="has files that are no catalogue"):
        add(path, tmp_path / "home")
    assert os.listdir(tmp_path / "home") == ["thesis.tex"]


def test_memory_does_not_grow_with_the_file(tmp_path):
    """150,000 galaxies of GLADE+, 30 MB of text, in a process of its own."""
    with open(tmp_path / "GLADE+.txt", "w") as f:
        rng = np.random.default_rng(1)
        for first in range(0, 150_000, 50_000):
            ra, dec = rng.uniform(0, 360, 50_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 50_000)))
            f.write("".join(GLADE.format(
                n=first + i, pgc="null", gwgc="null", ra=a, dec=d, babs=-20, d=300, e=30, mass=1)
                + "\n" for i, (a, d) in enumerate(zip(ra, dec, strict=True))))
    code = ("import resource, sys, gwbroker.catalogues as c, astropy.cosmology\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "made, _ = c.add(sys.argv[1], sys.argv[2], 'glade+')\n"
            "print(made.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "GLADE+.txt"),
                           str(tmp_path / "c")], capture_output=True, text=True, check=True)
    rows, grown = map(int, done.stdout.split())
    assert rows == 150_000
    assert grown < 150_000  # KiB


def test_what_was_read_of_parquet_does_not_stay_in_memory(tmp_path):
    rng = np.random.default_rng(1)
    columns = {"ra": rng.uniform(0, 360, 1_000_000), "dec": rng.uniform(-80, 80, 1_000_000),
               "distance": rng.uniform(1, 500, 1_000_000)}
    pq.write_table(pa.table(columns), tmp_path / "g.parquet", row_group_size=50_000)
    held, before = [], pa.total_allocated_bytes()
    add(tmp_path / "g.parquet", tmp_path / "c", progress=lambda what, done: held.append(
        pa.total_allocated_bytes() - before) if what == "sorting" else None)
    assert max(held) < 16e6  # one batch has 6 MB, the file 24 MB


def test_a_catalogue_of_another_version_is_refused_with_the_remedy(tmp_path, csv):
    made, _ = add(csv(tmp_path / "g.csv", {"ra": [1], "dec": [2]}), tmp_path / "c")
    manifest = json.loads((made.folder / "manifest.json").read_text())
    (made.folder / "manifest.json").write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(SkyMapError, match=r"has version 99, .* add the catalogue again"):
        Catalogue.open(made.folder)
    (made.folder / "manifest.json").write_text("{")
    with pytest.raises(SkyMapError, match="cannot be read"):
        Catalogue.open(made.folder)


def test_catalogues_are_listed_by_name(tmp_path, csv):
    path = csv(tmp_path / "g.csv", {"ra": [1], "dec": [2]})
    for name in ("zwicky", "Ängström"):
        add(path, tmp_path / "home" / name)
    assert [c.name for c in listing(tmp_path / "home")] == ["zwicky", "Ängström"]
    assert list(listing(tmp_path / "nowhere")) == []
