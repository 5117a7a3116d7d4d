"""The page about coincidences says what the code does."""

import re
from pathlib import Path

import pytest

from gwbroker.coincidence.far import DAY, YEAR
from gwbroker.coincidence.pairs import PAIRS
from gwbroker.coincidence.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "coincidence.rst"


def tables():
    """Yield the tables of the page, each a list of rows of cells."""
    columns: list[slice] = []
    rule, rows, seen = None, [], 0
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"=+(  =+)+", line):
            rule = line
            columns = [slice(m.start(), m.end() + 2) for m in re.finditer("=+", rule)]
            seen += 1
            if seen % 3 == 0:
                yield rows
                rows = []
        elif seen % 3 == 2:
            rows.append([line[column].strip() for column in columns])


windows, bounds, published = tables()


def test_windows_and_rates_are_those_of_the_code():
    assert windows == [
        [*pair.kinds, pair.group or "", pair.experiment or "",
         "[{:g}, {:g}]".format(*pair.window), f"{pair.rate * YEAR:g}"] for pair in PAIRS]


def test_the_largest_rates_of_targeted_searches_are_those_of_the_code():
    expected = [[pair.kinds[1], pair.experiment or "", *(f"{each:.4g}" for each in pair.far_max)]
                for pair in PAIRS if pair.far_max]
    # Both groups of bursts are alike, and stand there once.
    assert bounds == [row for n, row in enumerate(expected) if row not in expected[:n]]


def test_thresholds_and_trials_are_those_of_the_code():
    assert published == [
        [rule.search, f"1 in {1 / rule.threshold / DAY:g} days", str(rule.trials),
         f"{rule.limit:.4g}"] for rule in RULES.values()]


@pytest.mark.parametrize("source", sorted({
    source.partition(",")[0] for pair in PAIRS
    for source in (pair.source, pair.rate_source.partition(";")[0], pair.far_source) if source}))
def test_every_source_is_named(source):
    words = source.partition(" (")[0].partition(" 2004")[0]
    assert words in PAGE.read_text(encoding="utf-8")
