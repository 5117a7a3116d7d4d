"""EP240315a, as the JSON that Einstein Probe sends in GCN's unified schema."""

from __future__ import annotations

import json

ALERT = {
    # Time, position, radius (3 arcmin, 90 %) and band: GCN Circular 35931, which gives neither an
    # identifier of the trigger nor a count rate.
    "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/einstein_probe/wxt/alert.schema.json",
    "instrument": "WXT",
    "trigger_time": "2024-03-15T20:10:44.00Z",
    "id": ["EP240315a"],
    "ra": 141.644,
    "dec": -9.547,
    "ra_dec_error": 0.05,
    "image_energy_range": [0.5, 4],
    "additional_info": "Made from published facts, for demonstration only.",
}


def messages() -> dict[str, bytes]:
    """Return the messages by file name."""
    return {"ep240315a-wxt.json": json.dumps(ALERT, indent=2).encode()}
