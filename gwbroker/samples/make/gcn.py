"""What GCN itself sends: a circular about GRB 170817A, in our own words, and a heartbeat."""

from __future__ import annotations

import json

CIRCULAR = {
    # Facts from GCN Circulars 21506 and 21520. The number is ours and far above real ones.
    "$schema": "https://gcn.nasa.gov/schema/main/gcn/circulars.schema.json",
    "eventId": "GRB 170817A",
    "eventType": ["GRB"],
    "submitter": "gwbroker demo <demo@example.org>",
    "submittedHow": "web",
    "subject": "GRB 170817A: a weak short burst two seconds after a merger",
    "circularId": 9021520,
    "format": "text/plain",
    "body": "This circular is a demonstration; it was never sent by GCN.\n\n"
    "Fermi GBM triggered at 12:41:06.47 UT on 17 August 2017 (trigger 524666471 / 170817529), "
    "about two seconds after the gravitational waves of GW170817 passed. The burst looks short "
    "and weak. People on the ground put it at RA = 176.8, Dec = -39.8 (J2000, degrees), with a "
    "statistical uncertainty of 11.6 degrees (radius, 68 % containment).",
    # Without `createdOn` it counts as written when it is sent; an old one is only kept.
}

HEARTBEAT = {"alert_datetime": "2017-08-17T12:00:00.000000Z"}


def messages() -> dict[str, bytes]:
    """Return the messages by file name."""
    return {
        "grb170817a-circular.json": json.dumps(CIRCULAR, indent=2).encode(),
        "heartbeat.json": json.dumps(HEARTBEAT).encode(),
    }
