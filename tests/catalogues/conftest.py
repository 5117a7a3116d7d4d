"""Maps with distances, tables of galaxies, and ligo.skymap to compare with."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwbroker.catalogues import Catalogue, add
from gwbroker.skymap import SkyMap, make
from gwbroker.skymap.distances import norms

CENTRE = (120.0, -20.0)


@pytest.fixture(scope="session")
def volume_map() -> SkyMap:
    """A map with distances that differ from cell to cell, 8 degrees wide."""
    flat = make.cone(*CENTRE, 8.0, 0.9)
    mu = 200 + 60 * flat.vectors[:, 2]
    sigma = 40 + 15 * flat.vectors[:, 0]
    return dataclasses.replace(flat, distmu=mu, distsigma=sigma, distnorm=norms(mu, sigma))


@pytest.fixture(scope="session")
def ligo_crossmatch() -> Callable[..., Any]:
    """ligo.skymap's crossmatch, as a function of one of our maps and coordinates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ligo.skymap.postprocess import crossmatch

    names = {"uniq": "UNIQ", "probdensity": "PROBDENSITY", "distmu": "DISTMU",
             "distsigma": "DISTSIGMA", "distnorm": "DISTNORM"}

    def call(skymap: SkyMap, *arguments: Any, **options: Any) -> Any:
        columns = skymap.columns
        table = np.rec.fromarrays(list(columns.values()), names=[names[c] for c in columns])
        return crossmatch(table, *arguments, **options)

    return call


@pytest.fixture(scope="session")
def galaxies() -> dict[str, np.ndarray]:
    """40,000 galaxies all over the sky, to 500 Mpc, ten thousand of them near the map."""
    rng = np.random.default_rng(7)
    near, far = 10_000, 30_000
    ra = np.concatenate([rng.normal(CENTRE[0], 5, near), rng.uniform(0, 360, far)])
    dec = np.concatenate([rng.normal(CENTRE[1], 5, near),
                          np.degrees(np.arcsin(rng.uniform(-1, 1, far)))])
    distance = 500 * np.cbrt(rng.uniform(0, 1, near + far))
    return {"ra": ra % 360, "dec": dec, "distance": distance.astype(np.float32).astype(float),
            "distance_error": np.where(rng.uniform(size=near + far) < 0.5, np.nan, 30.0),
            "luminosity": 10 ** rng.uniform(8, 11, near + far),
            "mass": np.where(rng.uniform(size=near + far) < 0.3, np.nan, 1e10)}


@pytest.fixture(scope="session")
def catalogue(galaxies: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory,
              ) -> Catalogue:
    """A catalogue of them."""
    folder = tmp_path_factory.mktemp("catalogue")
    made, new = add(write_csv(folder / "galaxies.csv", galaxies), folder / "made")
    assert new
    return made


def write_csv(path: Path, columns: dict[str, Any]) -> Path:
    """Write a table of text; not-a-number is left empty."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join("" if v != v else str(v) for v in row) for row in rows]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


@pytest.fixture(scope="session")
def csv() -> Callable[[Path, dict[str, Any]], Path]:
    """Return what writes a table of text."""
    return write_csv


@pytest.fixture(scope="session")
def whole() -> Callable[..., dict[str, list[Any]]]:
    """Return what reads all of a catalogue."""
    return read_all


def read_all(catalogue: Catalogue, *columns: str) -> dict[str, list[Any]]:
    """Return columns of a whole catalogue, as it has them."""
    parts = [p.read(columns) for p in catalogue.partitions]
    return {c: [v for p in parts for v in p[c].to_pylist()] for c in columns}
