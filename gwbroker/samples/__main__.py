"""``python -m gwbroker.samples FILE``: write a sample alert to the standard output."""

from __future__ import annotations

import sys

from . import load


def main() -> None:
    """Write the sample that is named, or the names of all."""
    samples = {sample.file: sample for sample in load()}
    if len(sys.argv) != 2 or sys.argv[1] not in samples:
        sys.exit(f"Which sample? There are {', '.join(sorted(samples))}.")
    sys.stdout.buffer.write(samples[sys.argv[1]].payload())


if __name__ == "__main__":
    main()
