"""Volume pictures: what is seen is what ligo.skymap says of the same map."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_hex
from matplotlib.image import imread
from PIL import Image

from gwbroker.errors import SkyMapError
from gwbroker.skymap import SkyMap, canvas, cloud, distances, make, volumeplot
from gwbroker.skymap.alt import alt_text
from gwbroker.skymap.multiorder import uniq_of
from gwbroker.skymap.projection import to_vectors
from gwbroker.skymap.summary import Summary, summarize
from gwbroker.skymap.theme import LIGHT


def at(skymap: SkyMap, mean: float, std: float) -> SkyMap:
    """Return a map with one distance everywhere."""
    ones = np.ones(skymap.cells)
    mu, sigma, norm = distances.parameters(mean * ones, std * ones)
    return replace(skymap, distmu=mu, distsigma=sigma, distnorm=norm)


MAPS = {
    "cone": lambda: at(make.cone(200, 40, 5, 0.9), 40, 9),
    "arcsecond": lambda: at(make.cone(10, 89.9999, 1 / 3600, 0.9), 300, 60),
    "whole sky": lambda: at(SkyMap(np.arange(4, 16), np.full(12, 1 / 4 / np.pi)), 1000, 300),
    "one shell": lambda: at(make.cone(10, -60, 30, 0.9), 500, 0.01),
    "very near": lambda: at(make.cone(10, -60, 3, 0.9), 1e-3, 4e-4),
}


@pytest.mark.parametrize(("name", "theme"), list(zip(MAPS, cycle(["light", "dark"]))))
def test_every_kind_of_map_with_distances_can_be_drawn(tmp_path, name, theme):
    volumeplot.volume(MAPS[name](), tmp_path / "map.png", f"{name} 名 δ", theme=theme, dpi=50)
    picture = imread(tmp_path / "map.png")
    assert picture.shape[:2] == (450, 450)
    assert picture[..., :3].std() > 0.05


def test_a_map_with_a_few_unknown_distances_can_be_drawn(tmp_path, simple):
    mu = simple.distmu.copy()
    mu[:3] = np.inf
    volumeplot.volume(replace(simple, distmu=mu), tmp_path / "map.png", "event", dpi=40)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_map_gives_the_same_bytes_and_words(tmp_path, suffix):
    skymap = MAPS["cone"]()
    for name in ("one", "two"):
        volumeplot.volume(skymap, tmp_path / (name + suffix), "event", dpi=50)
    one, two = ((tmp_path / (name + suffix)).read_bytes() for name in ("one", "two"))
    assert one == two
    if suffix == ".png":
        with Image.open(tmp_path / "one.png") as picture:
            assert "It is 40.0 megaparsecs away" in picture.text["Description"]


def test_a_map_without_distances_is_refused(tmp_path):
    with pytest.raises(SkyMapError, match="GRB 1: column DISTMU: has no distances"):
        volumeplot.volume(make.cone(1, 2, 3, 0.9), tmp_path / "map.png", "GRB 1")
    unknown = at(make.cone(1, 2, 3, 0.9), np.inf, 1)
    with pytest.raises(SkyMapError, match="DISTMU"):
        volumeplot.volume(unknown, tmp_path / "map.png", "")
    assert list(tmp_path.iterdir()) == []


def test_the_distribution_of_the_distance_is_that_of_ligo_skymap(merger, ligo):
    r, density = cloud.cloud(merger).marginal
    theirs = ligo("distance").marginal_pdf(
        r, merger.prob, merger.distmu, merger.distsigma, merger.distnorm)
    # The least dense cells, with 0.1 % of the probability, are left out.
    assert density == pytest.approx(theirs, abs=3e-3 * theirs.max())


def test_the_axes_are_the_principal_ones_of_ligo_skymap(merger, ligo):
    columns = {name.upper(): np.array(values) for name, values in merger.columns.items()}
    theirs = ligo("distance").principal_axes_moc(Table(columns))
    ours = cloud.cloud(merger).axes
    # In another order, and each may point either way.
    assert np.abs(ours @ theirs).max(axis=1) == pytest.approx(np.ones(3), abs=1e-3)
    assert np.linalg.det(ours) == pytest.approx(1)


@pytest.mark.parametrize("sides", [(0, 1), (2, 1), (0, 2)])
def test_a_projection_holds_the_probability_where_it_is(sides):
    points = cloud.cloud(at(make.cone(200, 40, 5, 0.9), 40, 4))
    grid = np.linspace(-70, 70, 301)
    seen = points.projected(*sides, grid, grid)
    assert seen.sum() == pytest.approx(1, abs=1e-3)
    middle = points.turned(200, 40) * 40
    assert seen.sum(axis=0) @ grid == pytest.approx(middle[sides[0]], abs=0.2)
    assert seen.sum(axis=1) @ grid == pytest.approx(middle[sides[1]], abs=0.2)


def test_very_many_cells_are_joined_without_moving_anything():
    density = np.exp(np.random.default_rng(3).normal(size=12 * 4**8))
    skymap = SkyMap(uniq_of(np.full(len(density), 8), np.arange(len(density))), density)
    skymap = at(replace(skymap, probdensity=density / (density @ skymap.area)), 100, 20)
    points = cloud.cloud(skymap)
    assert len(points.prob) <= cloud.MOST
    assert points.prob.sum() == pytest.approx(1)
    mean, std = distances.moments(points.mu, points.sigma)
    assert mean == pytest.approx(np.full(len(mean), 100), rel=1e-6)
    assert std == pytest.approx(np.full(len(std), 20), rel=1e-4)
    assert points.prob @ points.vectors == pytest.approx(skymap.prob @ skymap.vectors, abs=1e-3)


def outlier() -> SkyMap:
    """Return a map in which a cell that hardly counts has a distance that is far too certain."""
    skymap = at(make.cone(200, 40, 5, 0.9), 40, 9)
    mu, sigma = skymap.distmu.copy(), skymap.distsigma.copy()
    cell = int(skymap.find(203, 37))
    mu[cell], sigma[cell] = 400, 1e-9
    return replace(skymap, distmu=mu, distsigma=sigma, distnorm=distances.norms(mu, sigma))


def unequal() -> SkyMap:
    """Return a map with distances that are nowhere the same."""
    skymap = make.cone(20, -30, 8, 0.9)
    far = 100 + 40 * skymap.vectors[:, 2]
    mu, sigma, norm = distances.parameters(far, 0.4 * far)
    return replace(skymap, distmu=mu, distsigma=sigma, distnorm=norm)


def crosses(skymap: SkyMap, path, monkeypatch, summary: Summary | None = None) -> list:
    """Return of the three panels each axes, and the positions of the crosses in it."""
    kept = []
    monkeypatch.setattr(canvas, "save", lambda figure, *rest: kept.append(figure))
    volumeplot.volume(skymap, path, "event", summary=summary)
    panels = kept[0].axes[:3]
    return [(axes, [line.get_xydata()[0] for line in axes.lines
                    if to_hex(line.get_color()) == LIGHT.mark]) for axes in panels]


@pytest.mark.parametrize("made", [unequal, outlier])
def test_the_cross_is_at_the_most_probable_position_at_its_likeliest_distance(
    tmp_path, monkeypatch, made,
):
    skymap = made()
    best = summarize(skymap)
    cell = skymap.find(best.ra, best.dec)
    mu, sigma = float(skymap.distmu[cell]), float(skymap.distsigma[cell])
    # Where the derivative of r^2 exp(-(r - mu)^2 / 2 sigma^2) is zero.
    far = (mu + np.sqrt(mu**2 + 8 * sigma**2)) / 2
    place = cloud.cloud(skymap).axes @ to_vectors(best.ra, best.dec) * far
    found = crosses(skymap, tmp_path / "map.png", monkeypatch)
    for (axes, marked), (across, up) in zip(found, [(0, 1), (2, 1), (0, 2)], strict=True):
        assert len(marked) == 1
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        assert marked[0] == pytest.approx(place[[across, up]], abs=2e-3 * (right - left))
        assert left < marked[0][0] < right
        assert low < marked[0][1] < high


def test_a_position_that_tells_no_distance_has_no_cross(tmp_path, monkeypatch):
    skymap = at(make.cone(200, 40, 5, 0.9), 40, 9)
    best = summarize(skymap)
    mu = skymap.distmu.copy()
    mu[int(skymap.find(best.ra, best.dec))] = np.inf
    found = crosses(replace(skymap, distmu=mu), tmp_path / "map.png", monkeypatch)
    assert [len(marked) for _, marked in found] == [0, 0, 0]
    # The position is that of the summary, wherever the map is densest.
    elsewhere = replace(best, ra=best.ra + 3)
    found = crosses(replace(skymap, distmu=mu), tmp_path / "map.png", monkeypatch, elsewhere)
    assert [len(marked) for _, marked in found] == [1, 1, 1]


@pytest.mark.parametrize("made", [MAPS["arcsecond"], outlier], ids=["arcsecond", "outlier"])
def test_a_picture_carries_what_is_described(tmp_path, made):
    skymap = made()
    volumeplot.volume(skymap, tmp_path / "map.png", "S1 名", dpi=40)
    text = volumeplot.describe(skymap, "S1 名")
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.text["Description"] == text
    assert text.startswith(alt_text(skymap, "S1 名"))
    assert "The picture shows it in space from three sides. The longest axis points to " in text
    assert "The smallest volume that holds 90 percent of the probability is " in text
    assert text.endswith("parsecs.")
    assert "nan" not in text


def test_a_map_without_distances_is_told_as_what_it_is():
    skymap = make.cone(200, 40, 5, 0.9)
    assert volumeplot.describe(skymap, "S1") == alt_text(skymap, "S1")
