"""The jars of Apache Kafka, fetched once by Maven and kept outside the checkout.

``python -m tests.kafka_jars`` fetches them before the tests, whose time limits leave no room for
a slow network.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .servers import CI, Absent

POM = Path(__file__).parent / "kafka" / "pom.xml"
JAVA = 17
"""The oldest Java on which a Kafka 4 server runs."""


def java() -> str:
    """Return the path of a Java that is new enough.

    Raises
    ------
    Absent
        If there is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if found is None:
        raise Absent("Kafka needs Java 17 or newer; no java is installed")
    said = subprocess.run([found, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA:
        raise Absent(f"Kafka needs Java {JAVA} or newer; {found} is {said.partition(chr(10))[0]}")
    return found


def jars() -> Path:
    """Return the folder with the jars; the first call on a machine downloads 45 MB.

    Raises
    ------
    Absent
        If they are not there and Maven cannot fetch them.
    """
    pom = POM.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gwbroker-tests"
    folder = cache / f"kafka-{hashlib.sha256(pom).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Absent("Kafka's jars are fetched by Maven; no mvn is installed")
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        shutil.copy(POM, place)
        made = Path(place, "jars")
        done = subprocess.run(
            [maven, "--batch-mode", "--quiet", "dependency:copy-dependencies",
             f"-DoutputDirectory={made}", "-DincludeScope=runtime"],
            cwd=place, capture_output=True, text=True)
        if done.returncode:
            first = next(iter((done.stdout + done.stderr).strip().splitlines()), "no reason given")
            raise Absent(f"Maven could not fetch Kafka's jars: {first}")
        # Complete at once, or not there at all.
        made.rename(folder)


def main() -> None:
    """Fetch them; where Java or Maven is missing say so, and fail where CI is set."""
    try:
        java()
        jars()
    except Absent as e:
        if CI:
            raise SystemExit(f"{e}, and CI is set") from None
        print(f"{e}. What needs Kafka is left out.")


if __name__ == "__main__":
    main()
