"""Recorded sky maps, and ligo.skymap to compare with."""

from __future__ import annotations

import base64
import importlib
import io
import json
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from gwbroker.skymap import SkyMap, fits

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def gwalert() -> bytes:
    """The multi-order FITS of a recorded gwalert."""
    path = DATA / "igwn" / "igwn_gwalert_preliminary.json"
    if not path.exists():
        pytest.skip("the recorded data are not on this machine")
    return base64.b64decode(json.loads(path.read_text())["event"]["skymap"])


@pytest.fixture(scope="session")
def merger(gwalert: bytes) -> SkyMap:
    """The sky map of a recorded gwalert."""
    return fits.read(gwalert)


@pytest.fixture(scope="session")
def gw190814() -> SkyMap:
    """The published sky map of GW190814 (without distances)."""
    path = DATA / "skymaps" / "localization_GW190814.parquet"
    if not path.exists():
        pytest.skip("the recorded data are not on this machine")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is needed to read Parquet")
    row = parquet.read_table(path).to_pylist()[0]
    uniq = np.array(row["uniq"].strip("{}").split(","), np.int64)
    return SkyMap(uniq, np.array(row["probdensity"].strip("{}").split(","), float)).validate()


@pytest.fixture(scope="session")
def ligo():
    """Import a module of ligo.skymap, which warns while it is imported."""

    def load(name: str) -> ModuleType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pytest.importorskip(f"ligo.skymap.{name}") and importlib.import_module(
                f"ligo.skymap.{name}"
            )

    return load


@pytest.fixture
def simple() -> SkyMap:
    """A small map with distances: the twelve base cells, one of them in four."""
    uniq = np.array([*range(4, 15), *range(60, 64)])
    density = np.linspace(1, 2, len(uniq))
    density /= (density * SkyMap(uniq, density).area).sum()
    ones = np.ones(len(uniq))
    return SkyMap(uniq, density, 100 * ones, 20 * ones, 1e-4 * ones, {"OBJECT": "test"})


@pytest.fixture(scope="session")
def encode():
    """Return a function that makes a FITS file with one table of (name, format, values)."""
    return _encode


@pytest.fixture(scope="session")
def multiorder():
    """Return a function that makes a multi-order FITS file, some columns changed."""
    return _multiorder


def _encode(columns, **header):
    """Return a FITS file with one table; columns are (name, format, values)."""
    table = astropy_fits.BinTableHDU.from_columns(
        [astropy_fits.Column(n, f, array=v) for n, f, v in columns]
    )
    table.header.update({"PIXTYPE": "HEALPIX", **header})
    buffer = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def _multiorder(skymap, **change):
    columns = {"UNIQ": ("K", skymap.uniq), "PROBDENSITY": ("D", skymap.probdensity), **change}
    return _encode([(n, f, v) for n, (f, v) in columns.items()], ORDERING="NUNIQ")
