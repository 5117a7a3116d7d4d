"""IceCube-170922A, as a classic VOEvent and as JSON in GCN's unified schema.

Time, run, event and position (RA 77.43 -0.80 +1.30, Dec 5.72 -0.40 +0.70, 90 % containment):
GCN Circular 21916. Areas of the 50 % and 90 % regions (0.15 and 0.97 deg2), energy (290 TeV) and
the probability to be astrophysical (56.5 %): IceCube et al. 2018, Science 361, eaat1378.
"""

from __future__ import annotations

import json
import math

from gcn import NoticeType

from .voevent import Packet

TIME = "2017-09-22T20:54:30.43"
RUN, EVENT = 130033, 50579430
RADIUS_50 = math.sqrt(0.15 / math.pi)
RADIUS_90 = math.sqrt(0.97 / math.pi)
"""Radii of circles with the published areas, degrees."""

PACKET = Packet(
    kind=NoticeType.AMON_ICECUBE_EHE,
    ivorn=f"AMON#ICECUBE_EHE_Event{TIME}_{RUN}_{EVENT:09}_1",
    # The radius of an EHE notice holds 50 % (see GCN Circular 19787), that of its JSON successor
    # 90 %.
    written="2017-09-23T01:09:26", time=TIME, ra=77.43, dec=5.72, error=RADIUS_50,
    author="AMON (via VO-GCN)", instrument="IceCube Neutrino Observatory",
    params={
        "Pkt_Ser_Num": "2",
        "AMON_ID": (f"{RUN}{EVENT}", "", "meta.id"),
        "run_id": (f"{RUN}", "", "meta.id"),
        "event_id": (f"{EVENT}", "", "meta.id"),
        "Event_TJD": ("18018", "days", "time"),
        "Event_SOD": ("75270.43", "sec", "time"),
        "Rev": ("1", "dn", "meta.id"),
        "signalness": ("0.565", "dn", "stat.probability"),
        "energy": ("290.0", "TeV", "phys.energy"),
        "src_error_90": (f"{RADIUS_90:.4f}", "deg", "stat.error.sys"),
        "src_error_50": (f"{RADIUS_50:.4f}", "deg", "stat.error.sys"),
    },
)

ALERT = {
    # Gold and bronze tracks exist since 2019; this is how the event would be told today.
    "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/icecube/"
    "single_neutrino_alerts.schema.json",
    "mission": "IceCube",
    "instrument": "IC86",
    "messenger": "Neutrino",
    "pipeline": "Gold Track Alert",
    "record_number": 2,
    "event_name": ["IceCube-170922A"],
    "id": [f"{RUN}_{EVENT}"],
    "alert_datetime": "2017-09-23T01:09:26.00Z",
    "alert_type": "update",
    "alert_tense": "current",
    "alert_topology": "Track",
    "number_of_events": 1,
    "trigger_time": f"{TIME}Z",
    "ra": 77.43,
    "dec": 5.72,
    "ra_dec_error": round(RADIUS_90, 4),
    "containment_probability": 0.9,
    "systematic_included": True,
    "nu_energy": 290.0,
    "p_astro": 0.565,
}


def messages() -> dict[str, bytes]:
    """Return the messages by file name."""
    return {
        "icecube170922a-amon.xml": PACKET.xml(),
        "icecube170922a-track.json": json.dumps(ALERT, indent=2).encode(),
    }
