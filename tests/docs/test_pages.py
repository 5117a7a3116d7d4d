"""Pages that no documentation build reads are well-formed too."""

from __future__ import annotations

from pathlib import Path

import pytest
from docutils.core import publish_doctree

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.relative_to(ROOT).as_posix() for folder in ("benchmarks", "etc", "examples")
               for page in (ROOT / folder).rglob("*.rst"))


def test_there_are_such_pages():
    assert {"benchmarks/README.rst", "etc/htcondor/README.rst"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_well_formed(page: str):
    # From level 2 (a warning) on docutils raises what it would otherwise write into the page.
    tree = publish_doctree((ROOT / page).read_text("utf-8"), source_path=page,
                           settings_overrides={"halt_level": 2, "report_level": 2})
    assert tree.astext()
