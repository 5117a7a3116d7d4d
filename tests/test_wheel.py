"""The wheel alone, without the checkout, is a working gwbroker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder),
         str(ROOT)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=True)
    found = next(folder.glob("lib/python*/site-packages"))
    # A folder named in a .pth file does not have its own .pth files read, so the
    # checkout, installed here for editing, stays out of sight.
    (found / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps",
                    "--no-index", "--force-reinstall", str(wheel)],
                   check=True, capture_output=True)
    return folder / "bin/python"


def test_the_wheel_holds_everything_that_is_not_python(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "gwbroker/ledger/migrations/script.py.mako" in names
    assert "gwbroker/samples/index.toml" in names
    assert "gwbroker/_etc/htcondor/common.sub" in names
    assert not any(name.startswith(("tests/", "benchmarks/", "docs/")) for name in names)


def test_it_works_far_from_the_checkout(python: Path, tmp_path: Path) -> None:
    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env={"PATH": os.defpath, "HOME": str(tmp_path)})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = run(str(python), "-c", "import gwbroker; print(gwbroker.__file__)")
    assert Path(where.strip()).is_relative_to(python.parents[1])
    gwbroker = str(python.parent / "gwbroker")
    assert run(gwbroker, "--version").startswith("gwbroker ")
    assert len(json.loads(run(gwbroker, "handlers", "--json"))) > 15
    file = run(str(python), "-c", "from importlib.resources import files; "
               "print(files('gwbroker.samples') / 'messages/mock-preliminary.json')").strip()
    assert "event 1" in run(gwbroker, "replay", "--here", file)
    events = json.loads(run(gwbroker, "events", "--json"))
    made = {p["kind"] for p in events[0]["products"]}
    assert made >= {"skymap", "summary", "allsky", "zoom", "areas", "moc", "view", "volume"}
