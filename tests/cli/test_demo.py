"""The demo, as a newcomer sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .. import servers


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_the_demo_ends_well_and_leaves_pictures_and_no_process(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-m", "gwbroker", "demo", "--output", str(output), "--timeout", "800"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True,
    ) as child:
        try:
            said, _ = child.communicate(timeout=900)
        finally:
            left = servers.of_session(child.pid)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    assert child.returncode == 0, said
    pictures = sorted(output.rglob("*.png"))
    # Two on light ground of each map that was localized before its event was retracted, two
    # on dark ground, volumes, galaxies, plans and the coincidence.
    assert len(pictures) >= 45
    kinds = {picture.stem.partition("-")[2].partition("-0")[0] for picture in pictures}
    assert {"allsky", "zoom", "allsky-dark", "zoom-dark", "volume", "volume-dark", "plan-DECam",
            "zoom-galaxies-made-up-galaxies", "coherence"} <= kinds
    assert all(picture.stat().st_size > 20_000 for picture in pictures)
    summaries = [json.loads(path.read_text()) for path in output.rglob("*summary.json")]
    assert {"S170817a", "S190814bv", "MS200101a"} <= {s["event"] for s in summaries}
    for words in ("duplicate of", "revision of", "dead", "retracted", "27 deg²",
                  "From arrival to handler", "Mpc³", "best made-up", "palomar", "DECam",
                  "S170817a and Fermi 524666471", "-2.04 s", str(output)):
        assert words in said
    assert left == []
    assert not list(tmp_path.glob("gwbroker-demo-*"))


def test_a_demo_that_cannot_finish_says_why_and_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gwbroker", "demo", "--output", str(tmp_path), "--timeout", "0.5"],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode != 0
    assert "did not start within" in done.stdout + done.stderr
