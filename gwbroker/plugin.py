"""The plugin package that ``gwbroker handlers new`` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PYPROJECT = '''\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
description = "Handlers for gwbroker"
requires-python = ">=3.11"
dependencies = ["gwbroker"]

[project.optional-dependencies]
test = ["pytest"]

# This is how gwbroker finds the handlers.
[project.entry-points."gwbroker.handlers"]
{package} = "{package}.handlers"

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
'''

INIT = '"""Handlers for gwbroker."""\n'

HANDLERS = '''\
"""What to do for which alerts."""

import logging

from gwbroker.streams import igwn, kafka

log = logging.getLogger(__name__)


@kafka.handler("{topic}", retries=3, time_limit=60)
def on_message(notice):
    """Say hello to whom a message on {topic} names."""
    log.info("Hello, %s! (notice %s)", greeting(notice.json()), notice.id)


def greeting(message):
    """Return the name in a message; keep such functions apart, they are easy to test."""
    return message["name"]


@igwn.handler("PRELIMINARY", "INITIAL", where=lambda alert: alert.far < 1e-8)
def on_merger(notice):
    """Note a gravitational-wave alert rarer than once in three years."""
    alert = igwn.read(notice)
    log.info("%s: false-alarm rate %.2g Hz", alert.superevent_id, alert.far)
'''

TEST = '''\
"""The decorator returns the function unchanged, so a test calls it directly."""

import json

from gwbroker.notice import Notice

from {package} import handlers


def test_the_name_is_read():
    notice = Notice(json.dumps({{"name": "Vera"}}).encode(), topic="{topic}")
    assert handlers.greeting(notice.json()) == "Vera"


def test_a_message_is_handled(caplog):
    caplog.set_level("INFO")
    handlers.on_message(Notice(b\'{{"name": "Vera"}}\', topic="{topic}"))
    assert "Hello, Vera!" in caplog.text
'''

README = '''\
{name}
{line}

Handlers for gwbroker. Install it beside gwbroker, on every host that runs workers, and
restart them::

    pip install --editable .
    gwbroker handlers

Run its tests with ``python -m pytest``.
'''


def write(target: Path, name: str, package: str) -> Iterator[Path]:
    """Write the package into a folder; yield each file written."""
    values = {"name": name, "package": package, "line": "=" * len(name),
              "topic": f"{package.replace('_', '-')}.hello"}
    for path, text in {
        "pyproject.toml": PYPROJECT, "README.rst": README, f"{package}/__init__.py": INIT,
        f"{package}/handlers.py": HANDLERS, "tests/test_handlers.py": TEST,
    }.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(**values), encoding="utf-8")
        yield file
