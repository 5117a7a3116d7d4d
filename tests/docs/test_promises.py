"""The page of promises names tests that there are, for each of its forty-five."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

import pytest

from .snippets import ROOT

PAGE = ROOT / "docs" / "reference" / "promises.rst"
_TEST = re.compile(r"``(tests/[\w/]+\.py)::(\w+)``")


def promises() -> dict[int, str]:
    """Return the text under each number."""
    parts = re.split(r"^(\d+)\. ", PAGE.read_text(), flags=re.M)[1:]
    return {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


@lru_cache
def names_in(file: str) -> set[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_there_are_forty_five_in_order():
    assert list(promises()) == list(range(1, 46))


@pytest.mark.parametrize("number", range(1, 46))
def test_each_promise_names_tests_that_exist(number: int):
    named = _TEST.findall(promises()[number])
    assert named, "no test is named"
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []
