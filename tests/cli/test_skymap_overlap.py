"""``gwbroker skymap overlap`` and ``combine``: maps in files compared and combined."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from gwbroker import __version__
from gwbroker.cli import gwbroker
from gwbroker.skymap import fits, make
from gwbroker.skymap.combine import product
from gwbroker.skymap.distances import parameters
from gwbroker.skymap.multiorder import SkyMap
from gwbroker.skymap.overlap import overlap
from gwbroker.skymap.regions import credible_areas

A, B = make.cone(10, 20, 5, 0.9), make.cone(12, 20, 3, 0.9)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with two maps that agree and one that excludes a part of the sky."""
    monkeypatch.chdir(tmp_path)
    fits.write(A, "a.fits")
    fits.write(B, "b-é.fits")
    for name, density in (("here", [1, *11 * [0]]), ("there", [*11 * [0], 1])):
        uniq = isotropic().uniq
        empty = SkyMap(uniq, isotropic().probdensity * 12 * density)
        fits.write(empty.validate(), f"{name}.fits")
    fits.write(isotropic(), "isotropic.fits")
    return tmp_path


def isotropic():
    """Return the map that knows nothing."""
    import numpy as np

    return SkyMap(np.arange(4, 16), np.full(12, 1 / (4 * np.pi)))


def run(*arguments, code=0, stdin=None):
    """Run a command; return what it wrote."""
    found = CliRunner().invoke(gwbroker, ["skymap", *arguments], input=stdin)
    assert found.exit_code == code, found.output
    return found.output


def test_the_overlap_of_two_files_is_a_number(folder):
    facts = json.loads(run("overlap", "a.fits", "b-é.fits", "--json"))
    assert facts == {"overlap": pytest.approx(overlap(A, B), rel=1e-12), "first": "a.fits",
                     "second": "b-é.fits", "ra": None, "dec": None}
    assert "times as likely as two" in run("overlap", "a.fits", "b-é.fits")


def test_the_overlap_with_an_isotropic_map_is_one(folder):
    found = json.loads(run("overlap", "isotropic.fits", "a.fits", "--json"))["overlap"]
    assert found == pytest.approx(1, abs=1e-9)
    assert json.loads(run("overlap", "isotropic.fits", "isotropic.fits", "--json"))[
        "overlap"] == pytest.approx(1, abs=1e-12)
    assert "one source is as likely as two" in run("overlap", "isotropic.fits", "a.fits")


def test_the_overlap_with_a_position(folder):
    found = json.loads(run("overlap", "a.fits", "--ra", "10", "--dec", "20", "--json"))
    assert found["overlap"] > 1000
    assert (found["ra"], found["dec"]) == (10, 20)
    assert "two sources are" in run("overlap", "a.fits", "--ra", "20", "--dec", "20")


def test_maps_that_exclude_each_other_overlap_by_zero_and_are_not_combined(folder):
    assert json.loads(run("overlap", "here.fits", "there.fits", "--json"))["overlap"] == 0
    assert "exclude each other" in run("overlap", "here.fits", "there.fits")
    said = run("combine", "here.fits", "there.fits", "-o", "out.fits", code=1)
    assert "there.fits: column PROBDENSITY: the overlap is 0" in said
    assert not (folder / "out.fits").exists()


def test_maps_that_nearly_exclude_each_other_are_only_combined_by_force(folder):
    fits.write(make.cone(30, 20, 3, 0.9), "far.fits")
    said = run("combine", "a.fits", "far.fits", "-o", "out.fits", code=1)
    assert said == ("Error: far.fits: its overlap with the maps before it is 7.02e-08, less than "
                    "0.001: they are not of one source; combine them all the same with --force "
                    "(least=0)\n")
    assert not (folder / "out.fits").exists()
    assert "overlap 7.021e-08" in run("combine", "a.fits", "far.fits", "-o", "out.fits", "--force")
    assert fits.read("out.fits").cells > 12
    assert "the overlap is 0" in run(
        "combine", "here.fits", "there.fits", "-o", "out.fits", "--force", code=1)


def test_a_right_ascension_goes_around_as_in_every_command(folder):
    one, two = (json.loads(run("overlap", "a.fits", "--ra", ra, "--dec", "20", "--json"))["overlap"]
                for ra in ("-350", "10"))
    assert one == two
    assert "ra: 370 is not from -360 to 360 degrees" in run(
        "overlap", "a.fits", "--ra", "370", "--dec", "20", code=1)


def test_one_map_may_come_from_the_standard_input(folder):
    found = run("overlap", "-", "b-é.fits", "--json", stdin=(folder / "a.fits").read_bytes())
    assert json.loads(found)["overlap"] == pytest.approx(overlap(A, B), rel=1e-12)
    assert "only one" in run("overlap", "-", "-", code=2)
    assert "only one" in run("combine", "-", "-", "-o", "out.fits", code=2)


@pytest.mark.parametrize("arguments", [
    ["a.fits"], ["a.fits", "--ra", "3"], ["a.fits", "b-é.fits", "--ra", "3", "--dec", "3"],
    ["a.fits", "b-é.fits", "--dec", "3"]])
def test_what_to_compare_with_is_either_a_map_or_a_position(folder, arguments):
    assert "give a second map, or --ra and --dec" in run("overlap", *arguments, code=2)


@pytest.mark.parametrize("arguments", [
    ["a.fits", "absent.fits"], ["a.fits", "--ra", "3", "--dec", "91"],
    ["a.fits", "--ra", "nan", "--dec", "1"]])
def test_what_cannot_be_compared_is_told_in_a_sentence(folder, arguments):
    said = run("overlap", *arguments, code=1)
    assert said.startswith("Error: ")
    assert "Traceback" not in said


def test_the_combined_map_is_written_with_its_making_and_its_facts_told(folder):
    facts = json.loads(run(
        "combine", "a.fits", "b-é.fits", "isotropic.fits", "-o", "out.fits", "--json"))
    found = fits.read("out.fits")
    assert (found.uniq == product(A, B).uniq).all()
    assert facts["overlap"] == pytest.approx(overlap(A, B), rel=1e-9)
    assert facts["out"] == "out.fits"
    assert facts["area_90"] == pytest.approx(credible_areas(found, 0.9), rel=1e-9)
    assert [each["file"] for each in facts["inputs"]] == ["a.fits", "b-é.fits", "isotropic.fits"]
    assert facts["inputs"][0]["area_90"] == pytest.approx(credible_areas(A, 0.9))
    assert facts["distmean"] is None
    digests = [hashlib.sha256((folder / f).read_bytes()).hexdigest()
               for f in ("a.fits", "b-é.fits", "isotropic.fits")]
    assert found.history == (
        "input 1: a.fits", f"sha256 of input 1: {digests[0]}",
        r"input 2: b-\xe9.fits", f"sha256 of input 2: {digests[1]}",
        "input 3: isotropic.fits", f"sha256 of input 3: {digests[2]}",
        f"made by: gwbroker {__version__} skymap combine")
    assert "90 % in" in run("combine", "a.fits", "b-é.fits", "-o", "out.fits")


def test_distances_are_marginalised_anew_and_can_be_left_out(folder):
    import numpy as np

    mean = np.linspace(40, 400, A.cells)
    mu, sigma, norm = parameters(mean, 0.2 * mean)
    fits.write(SkyMap(A.uniq, A.probdensity, mu, sigma, norm), "far.fits")
    facts = json.loads(run("combine", "far.fits", "b-é.fits", "-o", "out.fits", "--json"))
    assert facts["distmean"] != pytest.approx(facts["inputs"][0]["distmean"], rel=1e-4)
    assert fits.read("out.fits").meta["DISTMEAN"] == pytest.approx(facts["distmean"], rel=1e-9)
    assert "Mpc" in run("combine", "far.fits", "b-é.fits", "-o", "out.fits")
    none = run("combine", "far.fits", "b-é.fits", "-o", "out.fits", "--distances", "none", "--json")
    assert json.loads(none)["distmean"] is None


def test_one_map_cannot_be_combined(folder):
    assert "give two maps or more" in run("combine", "a.fits", "-o", "out.fits", code=2)
