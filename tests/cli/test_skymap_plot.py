"""``gwbroker skymap plot``: every kind of picture from files, in one call each."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from gwbroker.cli import gwbroker
from gwbroker.skymap import files, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with two maps, a table of galaxies and two footprints."""
    made = tmp_path_factory.mktemp("maps")
    files.save(make.cone(200, 40, 5, 0.9), made / "map.fits")
    files.save(make.cone(202, 41, 9, 0.9), made / "other.fits")
    (made / "galaxies.csv").write_text("name,ra,dec\n银河,200.5,40\n,198,41\nNGC 2,201,38\n")
    (made / "fields.json").write_text("[[199, 39], [202, 39], [202, 42]]")
    (made / "moc.json").write_text('{"3": [160, 161]}')
    return made


def call(folder: Path, *words: str, given: bytes | None = None) -> tuple[int, str]:
    """Run it in the folder; return exit code and what it wrote."""
    paths = {p.name for p in folder.iterdir()}
    full = [str(folder / w) if w in paths or w.startswith("out.") else w for w in words]
    done = CliRunner().invoke(gwbroker, ["skymap", "plot", *full], input=given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


OVERLAYS = ["--galaxies", "galaxies.csv", "--footprint", "fields.json", "--footprint", "moc.json",
            "--other", "other.fits", "--time", "2026-06-05T12:00:00Z", "--galactic-plane",
            "--galactic-band", "--earth", "190", "38", "9"]


@pytest.mark.parametrize(("kind", "out"), [
    ("all-sky", "out.png"), ("zoom", "out.png"), ("zoom", "out.svg"), ("view", "out.json"),
])
def test_it_draws_with_every_overlay_and_tells_what_it_drew(folder, kind, out):
    code, output = call(folder, "map.fits", "-o", out, "--kind", kind, "--theme", "dark",
                        "--title", "GRB δ", *OVERLAYS, "--json")
    assert code == 0, output
    told = json.loads(output)
    assert list(told) == ["path", "kind", "theme", "title", "alt", "facts"]
    assert (told["kind"], told["theme"], told["title"]) == (kind, "dark", "GRB δ")
    assert told["alt"].startswith("Sky map of GRB δ: ")
    assert told["facts"]["area_90"] == pytest.approx(78.4, rel=0.01)
    content = Path(told["path"]).read_bytes()
    if kind == "view":
        assert json.loads(content)["overlays"]["galaxies"][0]["name"] == "银河"
        assert len(content) < 200_000
    elif out == "out.png":
        # A true dark ground.
        assert imread(told["path"])[0, 0, :3].max() < 0.1


def test_two_maps_are_drawn_on_one_sky(folder):
    code, output = call(folder, "map.fits", "-o", "out.png", "--coherence", "other.fits", "--json")
    assert code == 0, output
    told = json.loads(output)
    assert told["kind"] == "coherence"
    assert told["facts"]["overlap"] > 10
    assert "overlap integral" in told["alt"]


def test_without_json_it_says_the_alt_text(folder):
    code, output = call(folder, "map.fits", "-o", "out.png")
    assert code == 0
    assert "out.png: Sky map of map: with 90 percent probability" in output


@pytest.mark.parametrize(("words", "problem"), [
    (["-o", "out.jpg"], "--kind all-sky is written as .png or .svg, not '.jpg'"),
    (["-o", "out.png", "--kind", "view"], "--kind view is written as .json"),
    (["-o", "out.png", "--kind", "zoom", "--coherence", "other.fits"], "leave --kind out"),
    (["-o", "out.png", "--coherence", "other.fits", "--galactic-plane"],
     "--galactic-plane is laid over"),
    (["-o", "out.png", "--kind", "volume", "--footprint", "moc.json"], "--footprint is laid over"),
    ([], "Missing option"),
])
def test_what_does_not_go_together_is_refused_before_anything_is_read(folder, words, problem):
    code, output = call(folder, "nothing.fits", *words)
    assert code == 2
    assert problem in output


@pytest.mark.parametrize(("words", "problem"), [
    (["--kind", "volume"], "map.fits: column DISTMU: has no distances"),
    (["--time", "now"], "time: 'now' is not a time"),
    (["--earth", "0", "0", "nan"], "Earth: column radius: nan deg"),
    (["--footprint", "map.fits"], "map.fits: has columns UNIQ, PROBDENSITY"),
    (["--galaxies", "moc.json"], "moc.json"),
    (["--other", "moc.json"], "moc.json"),
])
def test_what_cannot_be_drawn_is_an_error_of_one_sentence(folder, words, problem):
    code, output = call(folder, "map.fits", "-o", "out.png", *words)
    assert code == 1
    assert problem in output
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("out", ["nowhere/out.png", "nowhere/out.svg"])
def test_a_folder_that_is_not_there_is_an_error_of_one_sentence(folder, out):
    code, output = call(folder, "map.fits", "-o", str(folder / out))
    assert (code, output) == (1, f"Error: {folder / out}: cannot be written: No such file or"
                                 " directory\n")


def test_a_map_from_the_standard_input_is_drawn_with_distances(folder, simple_with_distances):
    code, output = call(folder, "-", "-o", "out.svg", "--kind", "volume", "--json",
                        given=simple_with_distances)
    assert code == 0, output
    assert json.loads(output)["facts"]["distmean"] == pytest.approx(40, rel=0.01)
    assert b"<desc>" in (folder / "out.svg").read_bytes()


@pytest.fixture
def simple_with_distances(tmp_path) -> bytes:
    import numpy as np

    from gwbroker.skymap import SkyMap, distances

    bare = make.cone(200, 40, 5, 0.9)
    ones = np.ones(bare.cells)
    mu, sigma, norm = distances.parameters(40 * ones, 9 * ones)
    files.save(SkyMap(bare.uniq, bare.probdensity, mu, sigma, norm), tmp_path / "map.fits")
    return (tmp_path / "map.fits").read_bytes()
