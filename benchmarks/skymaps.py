"""How long from the arrival of a 1 MB gwalert to credible areas, and to the pictures?

First through the whole broker, all workers running and warm; then the same work as plain
functions, in turns with ligo.skymap's (if it is installed) on the same map.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .result import Bound, Result, percentile
from .scene import ROOT, Scene

RECORDED = ROOT.parent / "shared" / "data" / "igwn" / "igwn_gwalert_preliminary.json"
CELLS, LEVEL = 19_428, 5
"""Of the map that is made if no recorded alert is there: 777 kB in five columns."""


def measure(quick: bool) -> Iterator[Result]:
    """Measure it."""
    rounds = 3 if quick else 8
    alert = _alert()
    with Scene() as scene:
        yield from _broker(scene, alert, rounds)
        yield from _functions(scene.home, alert, rounds)


def _broker(scene: Scene, alert: dict[str, Any], rounds: int) -> Iterator[Result]:
    from gwbroker.embedded.kafka import MockKafka

    with MockKafka() as kafka:
        scene.kafka(kafka.bootstrap_servers)
        kafka.publish("igwn.gwalert", b"{}")
        scene.redis()
        scene.worker("general")
        scene.worker("openmp", "-Q", "openmp")
        scene.worker("events", "-Q", "events")
        scene.beat()
        areas, pictures = [], []
        for number in range(rounds + 1):
            name = f"S240101{chr(97 + number)}"
            # An alert that was issued long ago would wait behind live ones.
            now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            payload = json.dumps({**alert, "superevent_id": name, "time_created": now}).encode()
            kafka.publish("igwn.gwalert", payload)
            to_areas, to_pictures = _until_drawn(scene, name)
            # The first one finds everything cold.
            if number:
                areas.append(to_areas)
                pictures.append(to_pictures)
    for what, times, limit in (("credible areas", areas, 0.3), ("pictures", pictures, 3.0)):
        yield Result("skymaps", f"arrival to {what}, p50", percentile(times, 50), "s",
                     bounds=(Bound("value", "<=", limit),),
                     note=f"{len(payload) / 1e6:.2f} MB, through the broker; slowest "
                          f"{max(times):.2f} s")


def _until_drawn(scene: Scene, name: str) -> tuple[float, float]:
    """Return the seconds from the arrival of an alert to its areas, and to its last picture."""
    from gwbroker.ledger import events, notices
    from gwbroker.ledger.engine import read

    made: dict[str, float] = {}
    received = 0.0

    def drawn() -> bool:
        nonlocal received
        with read() as connection:
            found = [e for e in events.listing(connection) if e["name"] == name]
            if not found:
                return False
            made.update((p["kind"], p["made"]) for p in found[0]["products"])
            received, = (n["received"] for n in notices.listing(
                connection, number=found[0]["notices"][0]))
        return {"summary", "allsky", "zoom"} <= set(made)

    scene.wait(drawn, 60, f"{name} is drawn")
    return made["summary"] - received, max(made["allsky"], made["zoom"]) - received


def _functions(home: Path, alert: dict[str, Any], rounds: int) -> Iterator[Result]:
    from gwbroker.notice import Notice
    from gwbroker.skymap import fits, plot, summary
    from gwbroker.streams.healpix import skymap_bytes

    notice = Notice(json.dumps(alert).encode(), topic="igwn.gwalert")
    content = skymap_bytes(notice)
    file, picture = home / "map.fits", home / "ours.png"
    file.write_bytes(content)
    ours: dict[str, Callable[[], object]] = {
        "areas": lambda: summary.summarize(fits.read(file)),
        "all-sky picture": lambda: plot.all_sky(fits.read(file), picture, "S240101a"),
    }
    theirs = _ligo_skymap(file, home / "theirs.png")
    for what, mine in ours.items():
        mine()
        peer = theirs.get(what)
        if peer is not None:
            peer()
        times: list[float] = []
        peer_times: list[float] = []
        for _ in range(rounds):
            times.append(_seconds(mine))
            if peer is not None:
                peer_times.append(_seconds(peer))
        yield Result(
            "skymaps", f"file to {what}, as a function", percentile(times, 50), "s",
            "ligo.skymap", percentile(peer_times, 50) if peer_times else None,
            note="" if peer_times else "ligo.skymap is not installed: no peer")


def _ligo_skymap(file: Path, picture: Path) -> dict[str, Callable[[], object]]:
    try:
        from ligo.skymap.io import read_sky_map
        from ligo.skymap.moc import uniq2pixarea
        from ligo.skymap.postprocess.util import find_greedy_credible_levels
        from ligo.skymap.tool import ligo_skymap_plot
    except ImportError:
        return {}
    import matplotlib as mpl

    mpl.use("agg")
    logging.getLogger().setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    def areas() -> object:
        # The short way; its `crossmatch` finds volumes as well, and takes seconds.
        table = read_sky_map(str(file), moc=True)
        area, density = uniq2pixarea(table["UNIQ"]), table["PROBDENSITY"]
        level = find_greedy_credible_levels(area * density, density)
        return [area[level <= each].sum() for each in (0.5, 0.9)]

    def draw() -> object:
        return ligo_skymap_plot.main([
            str(file), "-o", str(picture), "--annotate", "--contour", "50", "90"])

    return {"areas": areas, "all-sky picture": draw}


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _alert() -> dict[str, Any]:
    """Return an alert of 1 MB: a recorded one, if there is one, or one that is made."""
    if RECORDED.is_file():
        recorded: dict[str, Any] = json.loads(RECORDED.read_bytes())
        return recorded
    return {
        "alert_type": "PRELIMINARY", "time_created": "2024-01-01T00:01:00Z",
        "superevent_id": "S240101a", "urls": {}, "external_coinc": None,
        "event": {
            "significant": True, "time": "2024-01-01T00:00:00.000Z", "far": 1e-10,
            "instruments": ["H1", "L1"], "group": "CBC", "pipeline": "gstlal",
            "search": "AllSky", "properties": {"HasNS": 0.1}, "classification": {"BBH": 0.9},
            "duration": None, "central_frequency": None,
            "skymap": base64.b64encode(_map()).decode()}}


def _map() -> bytes:
    """Return a multi-order map: a part of a triangulation ring, finer where it is dense."""
    import healpy
    import numpy as np
    from astropy.io import fits

    def ring(level: int, ipix: Any) -> Any:
        x, y, z = healpy.pix2vec(2**level, ipix, nest=True)
        return np.exp(-0.5 * ((z - 0.4) / 0.05) ** 2 + 2 * (x - y))

    coarse = np.arange(12 * 4**LEVEL)
    dense = np.argsort(ring(LEVEL, coarse))[-(CELLS - len(coarse)) // 3:]
    fine = (4 * dense[:, None] + np.arange(4)).ravel()
    coarse = np.setdiff1d(coarse, dense)
    density = np.concatenate([ring(LEVEL, coarse), ring(LEVEL + 1, fine)])
    area = np.concatenate([np.full(len(coarse), np.pi / 3 / 4**LEVEL),
                           np.full(len(fine), np.pi / 3 / 4**(LEVEL + 1))])
    uniq = np.concatenate([coarse + 4 * 4**LEVEL, fine + 4 * 4**(LEVEL + 1)])
    columns = [
        fits.Column("UNIQ", "K", array=uniq),
        fits.Column("PROBDENSITY", "D", unit="sr-1", array=density / (density @ area)),
        fits.Column("DISTMU", "D", unit="Mpc", array=np.full(len(uniq), 400.0)),
        fits.Column("DISTSIGMA", "D", unit="Mpc", array=np.full(len(uniq), 90.0)),
        # 1 / (mu^2 + sigma^2), because so far from zero nothing of the Gaussian is cut off.
        fits.Column("DISTNORM", "D", unit="Mpc-2", array=np.full(len(uniq), 1 / (400**2 + 90**2))),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update({
        "PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ", "COORDSYS": "C", "INDXSCHM": "EXPLICIT",
        "MOC": True, "MOCORDER": LEVEL + 1, "OBJECT": "S240101a", "DISTMEAN": 400.0,
        "DISTSTD": 90.0})
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()
