"""GW170817, GW190814 and a mock event, as the JSON alerts of the topic `igwn.gwalert`.

Superevents began in 2019, so S170817a is our name for GW170817 (GraceDB had it as G298048).
Times of creation of alerts, source classes and properties are ours where nothing is cited.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import bayestar, multiorder
from .multiorder import Floats

YEAR = 365.25 * 86400.0
CELLS = 8000
"""Cells that are kept of a map by BAYESTAR, so that the alert is smaller than 400 kB."""

GW170817 = bayestar.Merger(
    # Position of AT 2017gfo in NGC 4993 (Coulter et al. 2017, Science 358, 1556), its distance
    # (40 Mpc, Abbott et al. 2017, PRL 119, 161101), the arrival time (Abbott et al. 2017,
    # ApJL 848, L13: GPS 1187008882.43); masses within those of PRL 119, 161101 for low spins,
    # inclination within those of ApJL 848, L13.
    ra=197.45, dec=-23.38, distance=40.0, inclination=150.0, polarization=0.0,
    gps=1187008882.43, mass1=1.48, mass2=1.26, waveform="TaylorF2threePointFivePN", f_low=23.0,
    # The curves and factors give signal-to-noise ratios of 23.6, 19.1 and 4.4 in L1, H1 and V1,
    # where 26.4, 18.8 and 2.0 were published; the seed is one whose areas resemble the published
    # 190 deg2 for two detectors and 31 deg2 for three (PRL 119, 161101, figure 3).
    noise={
        "L1": bayestar.Noise("aLIGOEarlyHighSensitivityP1200087"),
        "H1": bayestar.Noise("aLIGOEarlyHighSensitivityP1200087", 1.4),
        "V1": bayestar.Noise("AdVEarlyLowSensitivityP1200087"),
    },
    seed=1,
)

GW190814 = bayestar.Merger(
    # Time, source masses 23.2 and 2.59 and a distance of 241 (+41, -45) Mpc: Abbott et al. 2020,
    # ApJL 896, L44; the position is near the middle of its map, the masses are redshifted by
    # 0.053. The seed is one whose area and distance resemble the 23 deg2 and 267 +/- 52 Mpc of
    # GCN Circular 25333. Precession and higher modes are left out.
    ra=12.8, dec=-25.2, distance=250.0, inclination=45.0, polarization=20.0,
    gps=1249852257.01, mass1=24.43, mass2=2.73, waveform="IMRPhenomD", f_low=20.0,
    noise={
        "L1": bayestar.Noise("aLIGO140MpcT1800545"),
        "H1": bayestar.Noise("aLIGO140MpcT1800545", 1.3),
        "V1": bayestar.Noise("AdVO3LowT1800545", 1.2),
    },
    seed=3,
)

BNS = {"BNS": 1.0, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.0}
NSBH = {"BNS": 0.0, "NSBH": 1.0, "BBH": 0.0, "Terrestrial": 0.0}

# False-alarm rate below one per 80,000 years: PRL 119, 161101.
FAR_GW170817 = 1 / (8.0e4 * YEAR)
# 2.033e-33 Hz: GraceDB, S190814bv.
FAR_GW190814 = 2.033e-33

COINCIDENCE = {
    # The delay of 1.74 +/- 0.05 s: Abbott et al. 2017, ApJL 848, L13.
    "gcn_notice_id": 524666471,
    "ivorn": "ivo://nasa.gsfc.gcn/Fermi#GBM_Gnd_Pos_2017-08-17T12:41:06.47_524666471_57-902",
    "observatory": "Fermi",
    "search": "GRB",
    "time_difference": 1.74,
    "time_coincidence_far": None,
    "time_sky_position_coincidence_far": None,
    "combined_skymap": None,
}


def alert(
    name: str, kind: str, created: str, event: dict[str, Any] | None, coincidence: Any = None
) -> bytes:
    """Return an alert as it appears on the topic."""
    content = {
        "alert_type": kind,
        "time_created": created,
        "superevent_id": name,
        "urls": {"gracedb": f"https://gracedb.ligo.org/superevents/{name}/view/"},
        "event": event,
        "external_coinc": coincidence,
    }
    return json.dumps(content, indent=2).encode()


def candidate(
    time: str, far: float, instruments: list[str], skymap: bytes,
    classification: dict[str, float], properties: dict[str, float], search: str = "AllSky",
) -> dict[str, Any]:
    """Return the `event` of an alert of a compact binary merger."""
    return {
        "significant": True,
        "time": time,
        "far": far,
        "instruments": instruments,
        "group": "CBC",
        "pipeline": "gstlal",
        "search": search,
        "properties": properties,
        "classification": classification,
        "duration": None,
        "central_frequency": None,
        "skymap": base64.b64encode(skymap).decode(),
    }


def header(name: str, time: str, instruments: list[str], creator: str) -> dict[str, str | float]:
    """Return the header cards that name an event."""
    return {
        "OBJECT": name, "INSTRUME": ",".join(instruments), "DATE-OBS": time.removesuffix("Z"),
        "CREATOR": creator, "ORIGIN": "gwbroker demo",
        "COMMENT": "Simulated for demonstration; not a data product of LIGO, Virgo or KAGRA.",
    }


def arc(ra: Floats, dec: Floats) -> Floats:
    """Return the density of the mock map: an arc of a triangulation ring about the pole."""
    turn = (ra - 120.0 + 180.0) % 360.0 - 180.0
    density: Floats = np.exp(-0.5 * ((dec - 35.0) / 3.0) ** 2 - 0.5 * (turn / 25.0) ** 2)
    return density


@dataclass(frozen=True)
class Plan:
    """An alert with a map by BAYESTAR: the fields of the alert, and what is simulated."""

    file: str
    merger: bayestar.Merger
    name: str
    kind: str
    time: str
    created: str
    instruments: list[str]
    far: float
    classification: dict[str, float]
    properties: dict[str, float]
    coincidence: dict[str, Any] | None = None

    def localize(self) -> bytes:
        """Return the sky map as FITS."""
        cells = bayestar.localize(self.merger, bayestar.observe(self.merger), self.instruments)
        cards = header(self.name, self.time, self.instruments, "BAYESTAR")
        return multiorder.to_fits(multiorder.prune(cells, CELLS), cards)


GW170817_PRELIMINARY = Plan(
    file="gw170817-preliminary.json", merger=GW170817, name="S170817a", kind="PRELIMINARY",
    time="2017-08-17T12:41:04.430Z", created="2017-08-17T13:08:00Z", instruments=["H1", "L1"],
    far=FAR_GW170817, classification=BNS,
    properties={"HasNS": 1.0, "HasRemnant": 1.0, "HasMassGap": 0.0},
)

PLANS = (
    GW170817_PRELIMINARY,
    replace(
        # GCN Circular 21513, of 17:54:51 UTC, brought the first map with Virgo.
        GW170817_PRELIMINARY, file="gw170817-update.json", kind="UPDATE",
        created="2017-08-17T17:54:51Z", instruments=["H1", "L1", "V1"], coincidence=COINCIDENCE,
    ),
    Plan(
        file="gw190814-initial.json", merger=GW190814, name="S190814bv", kind="INITIAL",
        time="2019-08-14T21:10:39.010Z", created="2019-08-14T21:31:40Z",
        instruments=["H1", "L1", "V1"], far=FAR_GW190814,
        # Class and properties as in GCN Circular 25333, which came a day later.
        classification=NSBH, properties={"HasNS": 1.0, "HasRemnant": 0.0, "HasMassGap": 0.0},
    ),
)


def messages(folder: Path, again: bool) -> dict[str, bytes]:
    """Return the messages by file name.

    Parameters
    ----------
    folder : Path
        Where the messages were written last time.
    again : bool
        Whether to run BAYESTAR even if its maps can be taken from there.
    """
    made = {}
    for plan in PLANS:
        skymap = None if again else kept(folder / plan.file)
        event = candidate(
            plan.time, plan.far, plan.instruments, skymap or plan.localize(),
            plan.classification, plan.properties,
        )
        made[plan.file] = alert(plan.name, plan.kind, plan.created, event, plan.coincidence)
    return made | mock()


def kept(path: Path) -> bytes | None:
    """Return the sky map of an alert that was written before; None if there is none."""
    if not path.exists():
        return None
    return base64.b64decode(json.loads(path.read_bytes())["event"]["skymap"])


def mock() -> dict[str, bytes]:
    """Return the alert and the retraction of an event that never was."""
    name, time, instruments = "MS200101a", "2020-01-01T12:00:00.000Z", ["H1", "L1"]
    cells = multiorder.prune(multiorder.from_density(6, arc, (150.0, 40.0)), 1500)
    skymap = multiorder.to_fits(cells, header(name, time, instruments, "gwbroker"))
    properties = {"HasNS": 1.0, "HasRemnant": 1.0, "HasMassGap": 0.0}
    event = candidate(time, 1e-10, instruments, skymap, BNS, properties, "MDC")
    return {
        "mock-preliminary.json": alert(name, "PRELIMINARY", "2020-01-01T12:03:00Z", event),
        "mock-retraction.json": alert(name, "RETRACTION", "2020-01-01T12:10:00Z", None),
    }
