"""Messages that nobody can use: one cut off, one with a position that is not on the sky."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .gamma_ray_bursts import FERMI


def messages(good: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the messages by file name, the truncated one from its whole original."""
    time = "2020-01-02T00:00:00.00"
    absurd = replace(
        FERMI, ivorn=f"Fermi#GBM_Flt_Pos_{time}_599616005_55-904", role="test", time=time,
        written="2020-01-02T00:00:20", ra=400.0, dec=10.0, error=5.0, cites="",
        params={
            "TrigID": ("599616005", "", "meta.id"), "Burst_TJD": ("18850", "days", "time"),
            "Burst_SOD": ("0.00", "sec", "time"), "Pkt_Ser_Num": "1",
        },
    )
    return {
        "bad-truncated.json": good["gw170817-preliminary.json"][:600],
        "bad-position.xml": absurd.xml(),
    }
