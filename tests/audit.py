"""``python -m tests.audit``: ask the index which of the tested versions are vulnerable.

Exit code 1 if one is known to be. Where the index does not answer, or knows nothing of
vulnerabilities, that is said, and the exit code is 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0


def ask(requirements: Path) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package; nothing if it gets no answer."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "audit.json"
        command = [
            sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps",
            "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "--format", "json",
            "--output", str(report)]
        try:
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            return []
        if not report.exists():
            return []
        found: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
        return found


def main() -> int:
    """Ask, and say what came of it."""
    found = ask(ROOT / "constraints.txt")
    # One that could not be looked up has no such entry, and pip-audit ends with 0 all the same.
    known = [each for each in found if "vulns" in each]
    bad = [f"{each['name']} {each['version']}: {vulnerability['id']}"
           for each in known for vulnerability in each["vulns"]]
    if bad:
        print("\n".join(bad))
    elif known:
        print(f"pip-audit: {len(known)} of {len(found)} packages were looked up, "
              "none is known to be vulnerable")
    else:
        print("pip-audit: the index does not tell what is vulnerable; nothing was checked")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
