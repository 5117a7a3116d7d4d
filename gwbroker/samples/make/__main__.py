"""Write every sample message; the sky maps by BAYESTAR are kept unless asked for again."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import (
    bad,
    fast_radio_bursts,
    gamma_ray_bursts,
    gcn,
    gravitational_waves,
    neutrinos,
    x_ray_transients,
)

MESSAGES = Path(__file__).parent.parent / "messages"


def main() -> None:
    """Write the files, and say how large they are."""
    parser = argparse.ArgumentParser(prog="python -m gwbroker.samples.make", description=__doc__)
    parser.add_argument(
        "--bayestar", action="store_true",
        help="run BAYESTAR again (two minutes; needs the extra `bayestar`)",
    )
    again = parser.parse_args().bayestar
    MESSAGES.mkdir(exist_ok=True)
    messages = gravitational_waves.messages(MESSAGES, again)
    for module in (gamma_ray_bursts, neutrinos, x_ray_transients, fast_radio_bursts, gcn):
        messages |= module.messages()
    messages |= bad.messages(messages)
    for name, payload in messages.items():
        (MESSAGES / name).write_bytes(payload)
        print(f"{len(payload):>8} B  {name}")


if __name__ == "__main__":
    main()
