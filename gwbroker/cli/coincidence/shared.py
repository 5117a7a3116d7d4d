"""What the commands about coincidences share: the pairs that are known here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ...coincidence.pair import Pair

pairs_option = click.option(
    "--pairs", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="A TOML file with tables [[coincidences]] of your own.")
"""``--pairs``: pairs of one's own, besides those of the settings."""


def table(file: Path | None) -> tuple[Pair, ...]:
    """Return the pairs that are known: of the file, of the settings, and the built-in ones.

    Raises
    ------
    CoincidenceError
        If one of them in the file is none.
    ConfigError
        If one of them in the settings is none.
    """
    from ...coincidence.pairs import load
    from ...tasks.configured import pairs

    return (*(load(file) if file else ()), *pairs())
