"""How long does it take to match 22 million galaxies with a map, and in how much memory?

As many as GLADE+ has, uniform in a sphere of 1 Gpc, made here and added as a catalogue. Ours and
ligo.skymap's `crossmatch` run in processes of their own, in turns, on the same galaxies and the
same map of 0.8 MB. Ours reads its galaxies from files within the measured time; the peer has its
coordinates in memory.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .result import Bound, Result, percentile
from .scene import ROOT
from .skymaps import _map

GALAXIES = 22_000_000
CHUNK = 1_000_000
RADIUS = 1000.0
"""Mpc."""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rows = 1_000_000 if quick else GALAXIES
    with tempfile.TemporaryDirectory(prefix="gwbroker-galaxies-") as folder:
        place = Path(folder)
        (place / "map.fits").write_bytes(_map())
        _apart("make", place, rows)
        made = _apart("add", place)
        yield Result("galaxies", f"add {rows / 1e6:.0f} million galaxies", made["seconds"], "s",
                     note="Parquet to a catalogue, streaming; peak memory "
                          f"{made['peak']:.0f} MiB, {made['bytes'] / 1e6:.0f} MB on disk")
        found: dict[str, list[dict[str, Any]]] = {"0.9": [], "1": [], "peer": []}
        for _ in range(2):
            for level in ("0.9", "1"):
                found[level].append(_apart("ours", place, level))
            found["peer"].append(_apart("peer", place))
    peer = percentile([each["seconds"] for each in found["peer"]], 50)
    there = found["peer"][0].get("inside")
    for level, what in (("0.9", "in the 90 % volume"), ("1", "all of them")):
        ours = found[level]
        yield Result(
            "galaxies", f"3-D crossmatch of {rows / 1e6:.0f} million, {what}",
            percentile([each["seconds"] for each in ours], 50), "s", "ligo.skymap", peer or None,
            bounds=(Bound("ratio", "<=", 0.2),),
            note=f"{ours[0]['inside']:,} ranked, {ours[0]['read']:,} read"
                 + (f"; the peer, which takes the voxel below a distance, finds {there:,}"
                    if level == "0.9" and there else "")
                 + ("" if peer else "; ligo.skymap is not installed: no peer"))
        yield Result(
            "galaxies", f"peak memory, {what}", max(each["peak"] for each in ours), "MiB",
            "ligo.skymap", max(each["peak"] for each in found["peer"]) or None,
            bounds=(Bound("value", "<=", 2048),))


def _apart(what: str, *arguments: object) -> dict[str, Any]:
    """Run one of the functions below in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name if __spec__ else __name__, what,
         *map(str, arguments)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _make(place: Path, rows: str) -> dict[str, Any]:
    """Make galaxies; their coordinates also go to files for the peer."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(n, pa.float64()) for n in ("ra", "dec", "distance", "luminosity")]
                       + [("name", pa.string())])
    with ExitStack() as stack:
        raw = [stack.enter_context(open(place / f"{n}.f8", "wb"))
               for n in ("ra", "dec", "distance")]
        writer = stack.enter_context(
            pq.ParquetWriter(place / "galaxies.parquet", schema, compression="none"))
        for first in range(0, int(rows), CHUNK):
            rng = np.random.default_rng(first)
            columns = [
                rng.uniform(0, 360, CHUNK), np.degrees(np.arcsin(rng.uniform(-1, 1, CHUNK))),
                RADIUS * np.cbrt(rng.uniform(0, 1, CHUNK)).astype(np.float32).astype(float),
                10 ** rng.uniform(8, 11, CHUNK)]
            for file, values in zip(raw, columns, strict=False):
                values.tofile(file)
            names = pa.array([f"G{first + i}" for i in range(CHUNK)])
            writer.write_table(pa.table([*map(pa.array, columns), names], schema))
    return {}


def _add(place: Path) -> dict[str, Any]:
    """Make a catalogue of them."""
    from gwbroker.catalogues import add

    began = time.perf_counter()
    catalogue, _ = add(place / "galaxies.parquet", place / "catalogue")
    seconds = time.perf_counter() - began
    (place / "galaxies.parquet").unlink()
    return {"seconds": seconds, "peak": _peak(),
            "bytes": sum(p.path.stat().st_size for p in catalogue.partitions)}


def _ours(place: Path, level: str) -> dict[str, Any]:
    """Rank the galaxies in a region by luminosity and return the best thousand."""
    from gwbroker.catalogues import Catalogue, crossmatch
    from gwbroker.skymap import fits

    skymap = fits.read(place / "map.fits")
    began = time.perf_counter()
    found = crossmatch(skymap, Catalogue.open(place / "catalogue"), level=float(level), top=1000)
    return {"seconds": time.perf_counter() - began, "peak": _peak(), "inside": found.inside,
            "read": found.read}


def _peer(place: Path) -> dict[str, Any]:
    """Let ligo.skymap find the credible levels of all galaxies."""
    import numpy as np

    warnings.simplefilter("ignore")
    try:
        from ligo.skymap.io import read_sky_map
        from ligo.skymap.postprocess import crossmatch
    except ImportError:
        return {"seconds": 0.0, "peak": 0.0}
    from astropy import units
    from astropy.coordinates import SkyCoord

    table = read_sky_map(str(place / "map.fits"), moc=True)
    ra, dec, distance = (np.fromfile(place / f"{n}.f8") for n in ("ra", "dec", "distance"))
    coordinates = SkyCoord(ra * units.deg, dec * units.deg, distance * units.Mpc)
    began = time.perf_counter()
    found = crossmatch(table, coordinates)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak": _peak(),
            "inside": int((found.searched_prob_vol <= 0.9).sum())}


def _peak() -> float:
    """Return the most memory that this process had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    _run = {"make": _make, "add": _add, "ours": _ours, "peer": _peer}[sys.argv[1]]
    print(json.dumps(_run(Path(sys.argv[2]), *sys.argv[3:])))
