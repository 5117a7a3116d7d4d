"""Packages of handlers, as users write them, installed into a fresh environment and called."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "hello-handlers"

pytestmark = pytest.mark.timeout(240)


class Environment:
    """A virtual environment with gwbroker in it, and what it depends on borrowed from ours."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.folder = folder
        # So that nothing is downloaded. Files .pth of the borrowed folder are not read, thus a
        # checkout installed there as editable is not seen: gwbroker comes from its wheel.
        lib = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        (lib / "site-packages" / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> str:
        """Run a command of the environment; return what it wrote."""
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(("GWBROKER_", "PYTHON", "VIRTUAL_ENV"))}
        clean |= {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                  "XDG_CONFIG_HOME": str(self.folder / "config"), **environment}
        done = subprocess.run([str(self.folder / "bin" / command[0]), *map(str, command[1:])],
                              cwd=cwd, env=clean, capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *what: Path | str, cwd: Path) -> None:
        """Install without the network."""
        self.run("python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
                 "--no-deps", "--no-index", "--no-build-isolation", "--no-compile",
                 "--ignore-installed", *what, cwd=cwd)


def checkout(target: Path) -> Path:
    """Copy what the wheel is built from, so that the build leaves nothing in the checkout."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("gwbroker", "etc"):
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for name in ("pyproject.toml", "README.rst", "LICENSE"):
        shutil.copy(ROOT / name, target)
    return target


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment with gwbroker, the example, and a package just generated."""
    if importlib.util.find_spec("hatchling") is None:
        message = "hatchling, which builds the packages, is not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    folder = tmp_path_factory.mktemp("examples")
    made = Environment(folder / "venv")
    source = checkout(folder / "source")
    made.install(source, cwd=folder)
    shutil.copytree(EXAMPLE, folder / "hello-handlers")
    made.run("gwbroker", "handlers", "new", "night-watch", cwd=folder,
             GWBROKER_HOME=str(folder / "home"))
    made.install(folder / "hello-handlers", folder / "night-watch", cwd=folder)
    return made


def listed(environment: Environment, home: Path) -> dict[str, dict[str, Any]]:
    """Return what `gwbroker handlers --json` lists, by name."""
    text = environment.run("gwbroker", "handlers", "--json", cwd=home, GWBROKER_HOME=str(home))
    return {row["name"]: row for row in json.loads(text)}


def replayed(environment: Environment, home: Path, topic: str, text: str) -> dict[str, Any]:
    """Return what `gwbroker replay --here` says of one message."""
    (home / "message.json").write_text(text)
    said = environment.run("gwbroker", "replay", "--here", "--json", "--topic", topic,
                           "message.json", cwd=home, GWBROKER_HOME=str(home))
    # Handlers may print; the array comes last.
    return json.loads(said[said.index("[\n"):])[0]


def test_gwbroker_itself_works_without_the_checkout(
    environment: Environment, tmp_path: Path,
) -> None:
    where = environment.run(
        "python", "-c", "import gwbroker; print(gwbroker.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(environment.folder)


def test_the_example_is_listed(environment: Environment, tmp_path: Path) -> None:
    found = listed(environment, tmp_path)
    pointing = found["hello_handlers.handlers.on_pointing"]
    assert pointing["topics"] == ["observatory.pointings"]
    assert pointing["retries"] == 3
    assert Path(pointing["origin"].rpartition(":")[0]).is_relative_to(environment.folder)
    assert found["hello_handlers.handlers.on_merger"]["where"] is True


def test_the_example_is_called_and_its_task_too(environment: Environment, tmp_path: Path) -> None:
    message = (EXAMPLE / "recorded" / "pointing.json").read_text()
    result = replayed(environment, tmp_path, "observatory.pointings", message)
    assert {(job["handler"], job["state"]) for job in result["jobs"]} == {
        ("hello_handlers.handlers.on_pointing", "done"),
        ("hello_handlers.handlers.visibility", "done"),
    }
    (product,) = (tmp_path / "products" / "visibility").glob("*.json")
    assert len(json.loads(product.read_text())["altitudes"]) == 24


def test_a_generated_package_is_listed(environment: Environment, tmp_path: Path) -> None:
    found = listed(environment, tmp_path)
    assert found["night_watch.handlers.on_message"]["topics"] == ["night-watch.hello"]


def test_a_generated_package_is_called(environment: Environment, tmp_path: Path) -> None:
    result = replayed(environment, tmp_path, "night-watch.hello", '{"name": "Vera"}')
    assert [(job["handler"], job["state"]) for job in result["jobs"]] == [
        ("night_watch.handlers.on_message", "done")]


@pytest.mark.parametrize("package", ["hello-handlers", "night-watch"])
def test_the_tests_of_a_package_pass(
    environment: Environment, tmp_path: Path, package: str,
) -> None:
    source = environment.folder.parent / package
    said = environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir",
                           source, source, cwd=tmp_path, GWBROKER_HOME=str(tmp_path))
    assert "passed" in said
