"""The submit description of a whole deployment, made from the files of ``etc/htcondor``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from .errors import CondorError, DescriptionError

PROCESSES = ("general", "openmp", "events", "beat", "flower")
COMMON = "common.sub"
COLUMNS = ("name", "request_cpus", "request_memory", "arguments")

_LINE = re.compile(r"(?P<key>[\w.+]+)\s*=\s*(?P<value>.*)")


@dataclass(frozen=True)
class Process:
    """One process of the deployment: a row of the table that HTCondor queues."""

    name: str
    request_cpus: int
    request_memory: str
    arguments: str


@dataclass(frozen=True)
class Plan:
    """What to run, where it is installed, and where its logs go."""

    executable: Path
    home: Path
    log_dir: Path
    general_workers: int = 1
    openmp_workers: int = 1
    openmp_cpus: int | None = None
    without: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def folder() -> Path:
    """Return the folder of the submit descriptions: the checkout's, else the package's."""
    package = Path(str(files("gwbroker")))
    for path in (package.parent / "etc" / "htcondor", package / "_etc" / "htcondor"):
        if (path / COMMON).is_file():
            return path
    raise CondorError("the submit descriptions (etc/htcondor) are missing from this installation")


def read_process(file: Path) -> Process:
    """Read the submit description of one process.

    Raises
    ------
    DescriptionError
        If a key is missing, has a bad value, or cannot differ within one cluster.
    """
    values: dict[str, str] = {}
    for line in _read(file).splitlines():
        text = line.strip()
        if not text or text.startswith("#") or re.match(r"(include\s*:|queue\b)", text):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise DescriptionError(file, text.split()[0], "is not `key = value`")
        values[match["key"]] = match["value"]
    for key in values:
        if key not in COLUMNS:
            raise DescriptionError(
                file, key, f"only {', '.join(COLUMNS)} may differ between the processes of one"
                f" cluster; put it into {COMMON}, where $(name) is the process's name")
    for key in COLUMNS:
        if not values.get(key):
            raise DescriptionError(file, key, "is missing")
    if not values["request_cpus"].isdigit() or int(values["request_cpus"]) < 1:
        raise DescriptionError(
            file, "request_cpus", f"{values['request_cpus']!r} is not a number above zero")
    if not re.fullmatch(r"[\w.-]+", values["name"]):
        raise DescriptionError(file, "name", f"{values['name']!r} cannot name a log file")
    if not re.fullmatch(r"\d+ ?[KMGT]?B?", values["request_memory"], re.IGNORECASE):
        raise DescriptionError(
            file, "request_memory", f"{values['request_memory']!r} is not a size such as 4GB")
    return Process(values["name"], int(values["request_cpus"]),
                   values["request_memory"].replace(" ", ""), values["arguments"])


def processes(plan: Plan, directory: Path) -> tuple[Process, ...]:
    """Return the processes of a plan, in the order in which they are queued."""
    return tuple(_processes(plan, directory))


def _processes(plan: Plan, directory: Path) -> Iterator[Process]:
    counts = {"general": plan.general_workers, "openmp": plan.openmp_workers}
    for name in PROCESSES:
        if name in plan.without:
            continue
        process = read_process(directory / f"{name}.sub")
        if name == "openmp" and plan.openmp_cpus is not None:
            process = replace(process, request_cpus=plan.openmp_cpus)
        if name not in counts:
            yield process
        for number in range(1, counts.get(name, 0) + 1):
            yield replace(process, name=f"{process.name}-{number}")


def describe(plan: Plan, directory: Path) -> str:
    """Return the submit description that queues all processes as one cluster.

    There is one executable and one ``queue`` statement over a table, which is what makes
    HTCondor give one cluster number to processes with different arguments and resources.
    """
    rows = processes(plan, directory)
    if not rows:
        raise CondorError("nothing to submit: every process was left out")
    macros = {"gwbroker": plan.executable, "home": plan.home, "log_dir": plan.log_dir}
    lines = ["# Written by `gwbroker condor submit`."]
    lines += [f"{key} = {_plain(key, value)}" for key, value in macros.items()]
    lines += ["", _read(directory / COMMON).rstrip(), ""]
    lines += plan.extra
    lines.append(f"queue {', '.join(COLUMNS)} from (")
    lines += ["  " + ", ".join(str(getattr(row, key)) for key in COLUMNS) for row in rows]
    return "\n".join([*lines, ")", ""])


def _plain(key: str, path: Path) -> str:
    """Return a path that means itself in a submit description and in a ClassAd string."""
    text = str(path)
    if not path.is_absolute() or re.search(r'["\\\s]|\$\(|\$\$', text):
        raise CondorError(
            f"{key}: {text!r} must be an absolute path without spaces, quotes, backslashes or $(")
    return text


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as e:
        raise DescriptionError(file, "(file)", f"cannot be read: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise DescriptionError(file, "(file)", f"is not UTF-8 text: {e.reason}") from None
