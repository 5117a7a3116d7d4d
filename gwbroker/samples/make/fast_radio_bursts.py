"""FRB 20220912A, as the JSON that DSA-110 sends in GCN's unified schema."""

from __future__ import annotations

import json

ALERT = {
    # Time, signal-to-noise ratio, dispersion measure (pc cm-3) and position (23h09m05.49s
    # +48d42m25.6s): ATel 15693. Radii of 2 and 1 arcsec (90 %): Ravi et al. 2023, ApJL 949, L3.
    "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/dsa110/frb.schema.json",
    "alert_type": "initial",
    "trigger_time": "2022-10-18T05:20:48.395Z",
    "id": "221018aaaa",
    "snr": 12.2,
    "dm": 228.3,
    "ra": 347.272875,
    "dec": 48.707111,
    "ra_dec_error": [0.000556, 0.000278],
    "known_source": "FRB 20220912A",
}


def messages() -> dict[str, bytes]:
    """Return the messages by file name."""
    return {"frb20220912a-dsa110.json": json.dumps(ALERT, indent=2).encode()}
